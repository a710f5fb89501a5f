"""The scheduler model: recorded event sequences, the limits it may never break, and its arithmetic."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import Phase, given, settings, strategies as st

from slpnb.ecs import resources, scheduler
from slpnb.ecs.percents import limits
from slpnb.ecs.scheduler import capacity, deployment, managed_scaling
from slpnb.ecs.scheduler.state import (
    RELEASED,
    Breaker,
    Definition,
    Group,
    Outcome,
    Placement,
    Provider,
    Service,
    Share,
    State,
    TargetGroup,
    Task,
    Tracking,
)
from tests.conftest import cases

KEY = "c/web"
ZONES = ("us-east-1a", "us-east-1b")


def definition(number: int, memory_mib: int = 1024, cpu_units: int = 256, **outcome: Any) -> Definition:
    check = outcome.pop("check_seconds", 0)
    needs = resources.TaskNeeds(memory_mib, cpu_units, dynamic_ports=1)
    return Definition(f"arn:aws:ecs:task-definition/web:{number}", needs, Outcome(**outcome), check)


def world(
    kind: str = "c6i.large", minimum: int = 1, maximum: int = 1, scaling: bool = True, zones: tuple[str, ...] = ZONES
) -> State:
    """A cluster over one Auto Scaling group, its instances registered; the clock stands at 100."""
    room = resources.instance(kind, memory_mib=capacity_of(kind))
    state = scheduler.add_group(State(), Group("asg", "c", minimum, maximum, minimum, (room,), zones))
    state = scheduler.add_provider(state, Provider("cp", "c", "asg", managed_scaling=scaling))
    return scheduler.advance(state, 100)


def capacity_of(kind: str) -> int:
    return {"c6i.large": 3816, "c6g.xlarge": 7763}[kind]


def service(first: Definition, desired: int = 1, **more: Any) -> Service:
    more.setdefault("strategy", (Share("cp"),))
    return Service("c", "web", desired, first, **more)


def settled(state: State, limit_seconds: float = 7200) -> State:
    """The state once the service is steady, or gone, or has failed for good, or the time is over."""
    end = state.clock + limit_seconds
    while not is_over(state) and state.wake <= end:
        state = scheduler.advance(state, state.wake - state.clock)
    return state


def is_over(state: State) -> bool:
    here = state.services[KEY]
    stopping = any(task.stopping_at for task in state.of_service(KEY))
    failed = here.status == "ACTIVE" and here.primary.rollout == "FAILED" and not stopping
    return here.steady_at is not None or here.status == "INACTIVE" or failed


# Recorded sequences


class Player:
    """Plays a case: actions at their seconds, counted from the moment that the service is created."""

    def __init__(self, case: dict[str, Any]) -> None:
        self.case = case
        self.state = world(**{**case.get("world", {}), "zones": tuple(case.get("zones", ZONES))})
        self.begun = self.state.clock
        self.revision = 0

    def play(self) -> State:
        for second, action, params in self.case["timeline"]:
            self.state = scheduler.advance(self.state, second - (self.state.clock - self.begun))
            getattr(self, action)(**params)
        self.state = scheduler.advance(self.state, self.case["until"] - (self.state.clock - self.begun))
        return self.state

    def define(self, task: dict[str, Any]) -> Definition:
        self.revision += 1
        return definition(self.revision, **task)

    def create(self, task: dict[str, Any], targets: int = 0, breaker: Any = None, **more: Any) -> None:
        groups = tuple(TargetGroup(f"tg{index}", deregistration_seconds=60) for index in range(targets))
        made = service(self.define(task), targets=groups, breaker=Breaker(**(breaker or {})), **_placed(more))
        self.state = scheduler.create_service(self.state, made)

    def deploy(self, task: dict[str, Any], **more: Any) -> None:
        self.state = scheduler.update_service(self.state, KEY, definition=self.define(task), **more)

    def update(self, **changes: Any) -> None:
        self.state = scheduler.update_service(self.state, KEY, **changes)

    def delete(self) -> None:
        self.state = scheduler.delete_service(self.state, KEY)

    def group(self, **changes: Any) -> None:
        self.state = scheduler.change_group(self.state, "asg", **changes)

    def drain(self, instance: int) -> None:
        self.state = scheduler.drain_instance(self.state, list(self.state.instances)[instance])

    def lose(self, instance: int) -> None:
        self.state = scheduler.leave_instance(self.state, list(self.state.instances)[instance])

    def stop(self, task: int) -> None:
        self.state = scheduler.stop_task(self.state, self.state.of_service(KEY)[task].id)

    def track(self, trace: list[tuple[float, float | None]], **more: Any) -> None:
        shifted = tuple((self.begun + second, units) for second, units in trace)
        self.state = scheduler.add_tracking(self.state, Tracking(KEY, trace=shifted, **more))


def _placed(more: dict[str, Any]) -> dict[str, Any]:
    rules = {name: tuple(more.pop(name, ())) for name in ("constraints", "strategy")}
    launch = {"strategy": ()} if more.pop("launch_type", "") == "EC2" else {}
    return {**more, **launch, "placement": Placement(rules["constraints"], rules["strategy"])}


def told(state: State, begun: float) -> list[str]:
    """The service's events, oldest first, with their second; ids by order of appearance."""
    names: dict[str, str] = {}

    def name(found: re.Match[str]) -> str:
        letter = "D" if found[0].startswith("ecs-svc") else "T" if "task" in found.string[: found.start()][-6:] else "I"
        number = sum(known.startswith(letter) for known in names.values()) + 1
        return names.setdefault(found[0], f"{letter}{number}")

    lines = []
    for event in reversed(state.services[KEY].events):
        text = re.sub(r"ecs-svc/\d{19}|\b[0-9a-f]{32}\b|\bi-[0-9a-f]{17}\b", name, event.message)
        lines.append(f"{event.at - begun:6.0f} {text.removeprefix('(service web) ').replace(TROUBLE, '...')}")
    return lines


TROUBLE = " For more information, see the Troubleshooting section of the Amazon ECS Developer Guide."


def ends(state: State) -> dict[str, Any]:
    here = state.services[KEY]
    return {
        "status": here.status,
        "desired": here.desired,
        "tasks": dict(sorted(Counter(task.status for task in state.of_service(KEY)).items())),
        "deployments": [[one.status, one.rollout, one.failed] for one in here.deployments],
        "instances": len(state.instances),
        "why": scheduler.why_not_steady(state, KEY).replace(TROUBLE, "..."),
    }


@pytest.mark.parametrize("case", cases("scheduler"))
def test_every_sequence_names_its_rule_and_where_it_is_written(case: dict[str, Any]) -> None:
    assert case["rule"].endswith(".")
    assert case["source"]


@pytest.mark.parametrize("case", cases("scheduler"))
def test_recorded_sequences(case: dict[str, Any]) -> None:
    player = Player(case)
    state = player.play()
    assert told(state, player.begun) == case["events"]
    seen = ends(state)
    assert {name: seen[name] for name in case["end"]} == case["end"]


# What ECS itself was seen to say, in services that others have published

OBSERVED = {
    "a rolling update behind a load balancer (us-west-2, 2026-10-09)": (
        [[0, "create", {"task": {}, "targets": 1}], [100, "deploy", {"task": {}}]],
        [
            "has started 1 tasks: (task T2).",
            "registered 1 targets in (target-group tg0)",
            "has stopped 1 running tasks: (task T1).",
            "deregistered 1 targets in (target-group tg0)",
            "(service web, taskSet D1) has begun draining connections on 1 tasks.",
            "(deployment D2) deployment completed.",
            "has reached a steady state.",
        ],
    ),
    "an only task stopped by hand, with a container health check (us-west-1, 2026-07-22)": (
        [[0, "create", {"task": {"check_seconds": 30}}], [100, "stop", {"task": 0}]],
        ["has started 1 tasks: (task T2).", "has reached a steady state."],
    ),
}


@pytest.mark.parametrize("name", OBSERVED)
def test_the_model_says_what_ecs_was_seen_to_say(name: str) -> None:
    timeline, observed = OBSERVED[name]
    player = Player({"timeline": timeline, "until": 600})
    lines = [line[7:] for line in told(player.play(), player.begun)]
    assert lines[-len(observed) :] == observed


# Arithmetic


@pytest.mark.parametrize(
    ("desired", "low", "high", "allowed"),
    [
        (1, 100, 200, (1, 2)),
        (1, 66, 133, (1, 1)),
        (1, 0, 100, (0, 1)),
        (3, 50, 150, (2, 4)),
        (4, 100, 100, (4, 4)),
        (5, 66, 133, (4, 6)),
    ],
)
def test_the_minimum_rounds_up_and_the_maximum_down(
    desired: int, low: int, high: int, allowed: tuple[int, int]
) -> None:
    found = limits(desired, low, high)
    assert (found.lower, found.upper) == allowed


@pytest.mark.parametrize(
    ("breaker", "desired", "threshold"),
    [
        (Breaker(), 1, 3),
        (Breaker(), 25, 13),
        (Breaker(), 1000, 200),
        (Breaker(type="UNBOUNDED_PERCENT"), 1000, 500),
        (Breaker(type="UNBOUNDED_PERCENT"), 1, 1),
        (Breaker(type="COUNT", value=7), 1, 7),
    ],
)
def test_the_breaker_trips_at_half_the_tasks_within_bounds(breaker: Breaker, desired: int, threshold: int) -> None:
    assert deployment.threshold(breaker, desired) == threshold


def test_retries_back_off_to_27_minutes() -> None:
    pauses = [deployment.backoff_seconds(failures) for failures in range(1, 12)]
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (10, 1620)


@pytest.mark.parametrize(("needed", "running", "metric"), [(0, 0, 100), (1, 0, 200), (3, 2, 150), (1, 4, 25)])
def test_capacity_provider_reservation(needed: int, running: int, metric: float) -> None:
    assert managed_scaling.reservation(needed, running) == metric


def test_bases_come_first_and_then_the_weights() -> None:
    shares = (Share("a", weight=1, base=2), Share("b", weight=3))
    have: Counter[str] = Counter()
    chosen = []
    for _ in range(10):
        chosen.append(capacity.choose(shares, have))
        have[chosen[-1]] += 1
    assert chosen[:2] == ["a", "a"]
    assert Counter(chosen[2:]) == {"b": 6, "a": 2}


def test_from_zero_managed_scaling_asks_for_two_instances() -> None:
    state = scheduler.create_service(world(minimum=0, maximum=5), service(definition(1)))
    state = scheduler.advance(state, 60)
    assert state.groups["asg"].desired == 2


def test_what_found_no_place_is_tried_again_when_an_instance_registers() -> None:
    state = scheduler.create_service(world(minimum=0, scaling=False), service(definition(1), strategy=()))
    state = scheduler.advance(state, 3000)
    assert state.services[KEY].retry_at > state.clock + 61
    state = scheduler.advance(scheduler.change_group(state, "asg", desired=1), 61)
    assert [task.status for task in state.of_service(KEY)] == ["PENDING"]


def test_a_state_is_a_value() -> None:
    before = world()
    copy = before.copy()
    after = scheduler.create_service(before, service(definition(1)))
    scheduler.advance(after, 1000)
    assert before == copy
    assert after.tasks


def test_one_long_step_is_many_short_ones() -> None:
    begun = scheduler.create_service(world(maximum=3), service(definition(1, 3000), 3, targets=(TargetGroup("tg"),)))
    long, short = scheduler.advance(begun, 1500), begun
    for _ in range(1500):
        short = scheduler.advance(short, 1)
    assert short == long


def test_events_are_kept_up_to_a_hundred_and_warnings_said_once_in_six_hours() -> None:
    state = scheduler.create_service(world(scaling=False), service(definition(1, 8192), strategy=()))
    state = scheduler.advance(state, 6 * 3600 - 1)
    warnings = [event for event in state.services[KEY].events if "unable to place" in event.message]
    assert len(warnings) == 1
    state = scheduler.advance(state, 3600)
    warnings = [event for event in state.services[KEY].events if "unable to place" in event.message]
    assert len(warnings) == 2
    failing = definition(1, exits_after=1, exit_code=1)
    state = scheduler.advance(scheduler.create_service(world(), service(failing)), 3600)
    assert len(state.services[KEY].events) == 100


def test_stopped_tasks_are_forgotten_after_an_hour() -> None:
    state = settled(scheduler.create_service(world(), service(definition(1))))
    (task,) = state.of_service(KEY)
    state = scheduler.advance(scheduler.stop_task(state, task.id), 3000)
    assert state.tasks[task.id].status == "STOPPED"
    assert task.id not in scheduler.advance(state, 1000).tasks


def test_run_task_waits_only_with_managed_scaling() -> None:
    big = Task("", "c", definition(1, 8192), "family:web")
    state, started, failures = scheduler.run_tasks(world(), [big])
    assert (started, [one.reason for one in failures]) == ([], ["RESOURCE:MEMORY"])
    state, started, failures = scheduler.run_tasks(state, [replace(big, provider="cp")])
    assert ([one.status for one in started], failures) == (["PROVISIONING"], [])
    (ended,) = scheduler.advance(state, 1800).tasks.values()
    assert (ended.status, ended.stop_code) == ("STOPPED", "TaskFailedToStart")
    assert ended.stopped_reason == "TaskFailedToStart: RESOURCE:MEMORY"


def test_a_task_that_no_instance_came_for_says_so_in_aws_s_words() -> None:
    state = world(minimum=0, maximum=0)
    state, _, _ = scheduler.run_tasks(state, [Task("", "c", definition(1), "family:web", provider="cp")])
    (ended,) = scheduler.advance(state, 1800).tasks.values()
    assert ended.stopped_reason == "TaskFailedToStart: EMPTY CAPACITY PROVIDER"


def test_managed_scaling_gives_up_half_of_the_group_a_minute() -> None:
    big = definition(1, 3584, 2048)
    state = scheduler.create_service(world(minimum=8, maximum=8), service(big, 8))
    state = scheduler.change_group(settled(state), "asg", minimum=1)
    state = scheduler.update_service(state, KEY, desired=1)
    sizes = []
    for _ in range(22):
        state = scheduler.advance(state, 60)
        sizes.append(state.groups["asg"].desired)
    assert [size for size, next in pairwise(sizes) if size != next] == [8, 4, 2]
    assert sizes[-1] == 1


def test_further_scale_out_waits_for_the_warm_up_of_the_last() -> None:
    big = definition(1, 3584, 2048)
    state = scheduler.create_service(world(minimum=1, maximum=9), service(big, 2))
    state = scheduler.advance(state, 60)
    assert state.groups["asg"].desired == 2
    state = scheduler.update_service(state, KEY, desired=4)
    assert scheduler.advance(state, 230).groups["asg"].desired == 2
    assert scheduler.advance(state, 300).groups["asg"].desired == 4


def test_a_stopping_task_s_room_is_promised_at_once_and_given_when_it_has_stopped() -> None:
    """AWS, July 2023: its memory, CPU and ports count as free for placement (docs/ecs-facts.md, Deployments)."""
    slow = definition(1, 3584, 2048, stop_seconds=30)
    state = settled(scheduler.create_service(world(), service(slow)))
    (old,) = state.of_service(KEY)
    state = scheduler.advance(scheduler.stop_task(state, old.id), 1)
    stopping, coming = sorted(state.of_service(KEY), key=lambda task: task.created_at)
    assert (stopping.status, coming.status, coming.instance) == ("STOPPING", "PENDING", stopping.instance)
    waiting = scheduler.advance(state, 28).tasks[coming.id]
    assert (waiting.status, waiting.held) == ("PENDING", True)
    assert scheduler.advance(state, 31).tasks[coming.id].status == "RUNNING"


def test_a_task_that_fails_during_a_deployment_is_replaced_by_its_own_revision() -> None:
    """AWS, November 2025 (docs/ecs-facts.md, Deployments): the old keep the minimum until the new are healthy."""
    state, old = updating(desired=2)
    state = scheduler.advance(scheduler.stop_task(state, old.id), 30)
    assert revisions(state) == {1: 2, 2: 2}
    assert old.id not in {task.id for task in state.of_service(KEY)}
    assert revisions(settled(state)) == {2: 2}


def test_a_scale_out_during_a_deployment_goes_to_both_revisions() -> None:
    state, _ = updating(desired=2)
    state = scheduler.advance(scheduler.update_service(state, KEY, desired=4), 30)
    assert revisions(state) == {1: 4, 2: 4}
    assert revisions(settled(state)) == {2: 4}


def test_a_revision_that_never_completed_is_not_started_again() -> None:
    """The first deployment's tasks exit at once; the second, which mends them, needs none of them."""
    state = scheduler.advance(scheduler.create_service(world(maximum=8), service(definition(1, exits_after=1), 2)), 5)
    state = scheduler.update_service(state, KEY, definition=definition(2, healthy_seconds=60))
    assert revisions(scheduler.advance(state, 50)) == {2: 2}


def updating(desired: int) -> tuple[State, Task]:
    """A service whose new revision takes ten minutes to become healthy, and one of its old tasks."""
    began = scheduler.create_service(world(minimum=4, maximum=8), service(definition(1), desired))
    state = settled(began)
    old = state.of_service(KEY)[0]
    state = scheduler.update_service(state, KEY, definition=definition(2, healthy_seconds=600))
    return scheduler.advance(state, 20), old


def revisions(state: State) -> dict[int, int]:
    """How many active tasks each revision has."""
    return dict(Counter(int(task.definition.arn[-1]) for task in state.of_service(KEY) if task.active))


# Properties

SEARCH = (Phase.explicit, Phase.reuse, Phase.generate)  # histories are long: shrinking one takes minutes

outcomes: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.just({}),
    st.fixed_dictionaries({"pull_seconds": st.sampled_from([0, 1, 40]), "start_seconds": st.sampled_from([0, 5])}),
    st.just({"fails": "CannotPullContainerError: not found"}),
    st.fixed_dictionaries({"exits_after": st.sampled_from([0, 3, 100]), "exit_code": st.sampled_from([0, 1])}),
    st.just({"healthy": False}),
)
tasks = st.builds(
    lambda memory, cpu, outcome: {"memory_mib": memory, "cpu_units": cpu, **outcome},
    st.sampled_from([256, 1000, 1908, 3584, 8192]),
    st.sampled_from([128, 1024, 2048]),
    outcomes,
)
actions = st.one_of(
    st.tuples(st.just("deploy"), st.fixed_dictionaries({"task": tasks})),
    st.tuples(st.just("update"), st.fixed_dictionaries({"desired": st.integers(0, 6)})),
    st.tuples(st.just("group"), st.fixed_dictionaries({"maximum": st.integers(1, 5)})),
    st.tuples(st.just("drain"), st.just({"instance": 0})),
    st.tuples(st.just("lose"), st.just({"instance": 0})),
    st.tuples(st.just("stop"), st.just({"task": 0})),
    st.tuples(st.just("delete"), st.just({})),
)
services = st.fixed_dictionaries(
    {
        "task": tasks,
        "desired": st.integers(0, 5),
        "targets": st.integers(0, 1),
        "minimum_healthy_percent": st.sampled_from([0, 50, 66, 100]),
        "maximum_percent": st.sampled_from([100, 133, 200]),
        "breaker": st.fixed_dictionaries({"enable": st.booleans(), "rollback": st.booleans()}),
        "rebalancing": st.booleans(),
        "launch_type": st.sampled_from(["", "EC2"]),
        "constraints": st.sampled_from([(), ({"type": "distinctInstance"},)]),
    }
)
worlds = st.fixed_dictionaries({"minimum": st.integers(0, 2), "maximum": st.integers(2, 4), "scaling": st.booleans()})
histories = st.lists(st.tuples(st.integers(0, 400), actions), max_size=6)


def apply(player: Player, action: str, params: dict[str, Any]) -> None:
    """One action of a history, where it makes sense."""
    alive = player.state.services[KEY].status == "ACTIVE"
    have = {"drain": player.state.instances, "lose": player.state.instances, "stop": player.state.of_service(KEY)}
    if (action in ("deploy", "update", "delete") and not alive) or not have.get(action, True):
        return
    getattr(player, action)(**params)


def existing(state: State) -> int:
    """How many tasks count towards maximumPercent."""
    return sum(task.status not in RELEASED for task in state.of_service(KEY))


def check(state: State, ever: set[str]) -> None:
    """What must hold at every moment."""
    for one in state.instances.values():
        held = state.on_instance(one.id)
        left = one.registered
        for task in held:
            if task.status not in RELEASED:
                left = left.take(task.definition.needs)  # raises when the instance holds more than it has
        assert left == one.remaining
        there = one.registered
        for task in held:
            if task.status != "PENDING":
                there = there.take(task.definition.needs)  # what runs beside what is still stopping
        ports = [port for task in held for port in task.ports]
        assert len(ports) == len(set(ports))
    for task in state.tasks.values():
        on = task.id in state.placed.get(task.instance, {})
        assert on == (task.instance in state.instances and task.status != "STOPPED")
        assert (task.status == "STOPPED") or task.service == "" or task.id in state.members[task.service]
        assert task.status in ("RUNNING", "STOPPED") or task.held or task.id in state.due
    gone = ever - state.tasks.keys()
    assert not gone & {id for ids in state.members.values() for id in ids}, "a task was lost while it lived"
    ever |= state.tasks.keys()
    for group in state.groups.values():
        assert len(managed_scaling.members(state, group.name)) <= max(group.maximum, group.desired)


@settings(max_examples=60, deadline=None, phases=SEARCH)
@given(worlds, services, histories)
def test_no_task_is_lost_and_no_limit_is_broken(
    given_world: dict[str, Any], given_service: dict[str, Any], history: list[Any]
) -> None:
    player = Player({"world": given_world})
    player.create(**given_service)
    ever: set[str] = set()
    for seconds, (action, params) in [*history, (2000, ("update", {}))]:
        for _ in range(40):
            before = existing(player.state)
            if seconds <= 0:
                break
            pause = min(seconds, max(1, player.state.wake - player.state.clock))
            seconds -= pause
            player.state = scheduler.advance(player.state, pause)
            check(player.state, ever)
            here = player.state.services[KEY]
            upper = limits(here.desired, 0, here.maximum_percent).upper
            assert existing(player.state) <= max(before, upper), "above maximumPercent"
        apply(player, action, params)
        check(player.state, ever)


@settings(max_examples=60, deadline=None, phases=SEARCH)
@given(worlds, services, st.lists(actions, max_size=3))
def test_a_service_settles_or_says_what_stops_it(
    given_world: dict[str, Any], given_service: dict[str, Any], history: list[Any]
) -> None:
    player = Player({"world": given_world})
    player.create(**given_service)
    for action, params in history:
        player.state = settled(player.state, 2500)
        apply(player, action, params)
    state = settled(player.state, 4000)
    here = state.services[KEY]
    if here.status == "ACTIVE" and here.steady_at is not None:
        running = [task for task in state.of_service(KEY) if task.status == "RUNNING"]
        assert len(running) == here.desired
        assert {task.definition for task in running} <= {here.primary.definition}
    elif here.status == "ACTIVE":
        assert scheduler.why_not_steady(state, KEY) not in ("", "tasks are starting or stopping")


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 6), st.sampled_from([(100, 200), (50, 100), (100, 150), (66, 133)]))
def test_enough_tasks_stay_healthy_during_a_rolling_update(desired: int, percents: tuple[int, int]) -> None:
    low, high = percents
    state = world("c6g.xlarge", minimum=3, maximum=3)
    made = service(definition(1), desired, minimum_healthy_percent=low, maximum_percent=high)
    state = settled(scheduler.create_service(state, made))
    state = scheduler.update_service(state, KEY, definition=definition(2))
    allowed = limits(desired, low, high)
    while state.services[KEY].steady_at is None and state.clock < 5000:
        state = scheduler.advance(state, 1)
        here = state.of_service(KEY)
        assert sum(task.counted for task in here) >= allowed.lower
        assert existing(state) <= allowed.upper
    assert state.services[KEY].steady_at is not None or allowed.lower == allowed.upper == desired
