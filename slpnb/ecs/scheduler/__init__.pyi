"""ECS's service scheduler and capacity providers as a pure, deterministic state machine."""

from .machine import (
    add_group as add_group,
    add_provider as add_provider,
    add_tracking as add_tracking,
    advance as advance,
    change_group as change_group,
    create_service as create_service,
    delete_service as delete_service,
    drain_instance as drain_instance,
    join_instance as join_instance,
    leave_instance as leave_instance,
    remove_provider as remove_provider,
    run_tasks as run_tasks,
    start_task as start_task,
    stop_task as stop_task,
    update_service as update_service,
    why_not_steady as why_not_steady,
)
