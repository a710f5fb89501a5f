"""Reports of what real containers do, checked against the model: it waits for them, and takes each once."""

from __future__ import annotations

import pytest

from slpnb.ecs import resources, scheduler
from slpnb.ecs.scheduler import observed
from slpnb.ecs.scheduler.state import Breaker, ContainerInstance, Definition, Service, State, TargetGroup

KEY = "cluster/web"
TARGETS = (TargetGroup("arn:tg", deregistration_seconds=20, interval_seconds=5),)
HOUR = 3600


def world(**given) -> State:
    room = resources.instance("c6i.xlarge", zone="us-east-1a", id="i1")
    state = scheduler.join_instance(State(), ContainerInstance("i1", "cluster", room, room, "i-1", registers_at=0))
    state = scheduler.advance(state, 1)
    return scheduler.create_service(state, Service("cluster", "web", 1, definition(), targets=TARGETS, **given))


def definition(revision=1) -> Definition:
    needs = resources.task_needs({"containerDefinitions": [{"name": "web", "memory": 512}], "networkMode": "bridge"})
    return Definition(f"arn:aws:ecs:r:a:task-definition/web:{revision}", needs, observed.OBSERVED)


def only(state: State):
    (task,) = state.of_service(KEY)
    return task


def running(**given) -> State:
    state = world(**given)
    return observed.started(state, only(state).id)


def test_nothing_comes_by_itself():
    state = scheduler.advance(world(), HOUR)
    assert only(state).status == "PENDING"
    state = scheduler.advance(observed.started(state, only(state).id), HOUR)
    assert (only(state).status, only(state).health) == ("RUNNING", "UNKNOWN")
    assert state.services[KEY].steady_at is None


def test_started_and_healthy_is_steady():
    state = running()
    state = observed.judged(state, only(state).id, "HEALTHY")
    assert state.services[KEY].steady_at == state.clock
    assert state.services[KEY].primary.rollout == "COMPLETED"


def test_a_task_that_could_not_start_stops_with_the_reason_it_got():
    state = world()
    first = only(state)
    state = observed.failed(state, first.id, "ResourceInitializationError: no secret")
    stopped = state.tasks[first.id]
    assert (stopped.status, stopped.stop_code) == ("STOPPED", "TaskFailedToStart")
    assert stopped.stopped_reason == "ResourceInitializationError: no secret"
    assert stopped.exit_code is None


def test_an_exit_is_the_essential_containers_and_the_service_starts_another():
    state = running()
    first = only(state)
    state = observed.exited(scheduler.advance(state, 7), first.id, 137)
    stopped = state.tasks[first.id]
    assert (stopped.status, stopped.stop_code, stopped.exit_code) == ("STOPPED", "EssentialContainerExited", 137)
    assert only(state).id != first.id


def test_a_task_that_becomes_unhealthy_is_replaced_and_the_event_says_why():
    state = running()
    sick = only(state)
    state = observed.judged(observed.judged(state, sick.id, "HEALTHY"), sick.id, "UNHEALTHY", "Request timed out")
    assert any("(reason Request timed out)" in event.message for event in state.services[KEY].events)
    fresh = next(task for task in state.of_service(KEY) if task.id != sick.id)
    state = observed.judged(observed.started(state, fresh.id), fresh.id, "HEALTHY")
    assert state.tasks[sick.id].stopped_reason.startswith("Task failed ELB health checks")


def test_what_nothing_checks_is_healthy_after_forty_seconds():
    state = world()
    state = observed.started(state, only(state).id, checked=False)
    assert only(scheduler.advance(state, 39)).health == "UNKNOWN"
    assert only(scheduler.advance(state, 40)).health == "HEALTHY"


def test_unhealthy_is_not_heard_within_the_grace_period():
    state = running(grace_seconds=60)
    task = only(state).id
    assert observed.judged(scheduler.advance(state, 59), task, "UNHEALTHY").tasks[task].health == "UNKNOWN"
    assert observed.judged(scheduler.advance(state, 60), task, "UNHEALTHY").tasks[task].health == "UNHEALTHY"


def test_a_stopping_task_is_stopped_when_its_container_has_ended_and_not_before():
    state = running()
    first = only(state)
    state = scheduler.update_service(state, KEY, desired=0)
    assert state.tasks[first.id].status == "DEACTIVATING"
    state = scheduler.advance(state, HOUR)
    assert state.tasks[first.id].status == "STOPPING"
    state = observed.exited(state, first.id, 143)
    assert (state.tasks[first.id].status, state.tasks[first.id].exit_code) == ("STOPPED", 143)


def test_a_container_that_ends_while_it_drains_is_noted_and_not_waited_for_again():
    state = running()
    first = only(state)
    state = observed.exited(scheduler.update_service(state, KEY, desired=0), first.id, 3)
    assert state.tasks[first.id].status == "DEACTIVATING"
    state = scheduler.advance(state, TARGETS[0].deregistration_seconds)
    assert (state.tasks[first.id].status, state.tasks[first.id].exit_code) == ("STOPPED", 3)


@pytest.mark.parametrize("late", ["started", "failed", "exited", "judged"])
def test_a_report_that_comes_too_late_changes_nothing(late):
    state = running()
    first = only(state)
    state = observed.exited(state, first.id, 1)
    more = {"failed": ("why",), "exited": (0,), "judged": ("HEALTHY",)}
    assert getattr(observed, late)(state, first.id, *more.get(late, ())).tasks[first.id] == state.tasks[first.id]


def test_three_tasks_that_exit_break_the_deployment_and_the_one_before_comes_back():
    state = running(breaker=Breaker(enable=True, rollback=True))
    state = observed.judged(state, only(state).id, "HEALTHY")
    state = scheduler.update_service(state, KEY, definition=definition(2))
    while state.services[KEY].primary.definition.arn.endswith(":2"):
        fresh = [task for task in state.of_service(KEY) if task.definition.arn.endswith(":2")]
        state = observed.exited(observed.started(state, fresh[0].id), fresh[0].id, 1) if fresh else state
        state = scheduler.advance(state, 1)
        assert state.clock < HOUR
    assert any(one.rollout == "FAILED" for one in (*state.services[KEY].deployments, *state.services[KEY].past))
