"""Tasks counted as the ECS API counts them."""

from __future__ import annotations

from collections.abc import Iterable

from slpnb.ecs.scheduler.state import Task

PENDING = ("PROVISIONING", "PENDING", "ACTIVATING")  # in pendingCount


def running(tasks: Iterable[Task]) -> int:
    """Those in RUNNING."""
    return sum(task.status == "RUNNING" for task in tasks)


def pending(tasks: Iterable[Task]) -> int:
    """Those on their way there, from PROVISIONING on."""
    return sum(task.status in PENDING for task in tasks)
