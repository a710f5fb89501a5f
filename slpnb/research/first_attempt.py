"""The research notebook's first attempt, replayed: what was asked for, what there was, and which explanation holds.

Amounts are MiB. The figures of the story are the research notebook's own: a c6i.large, a task
definition of 8 GiB, 3.5 GiB as its author remembered it, "2.5GiB available" on the instance, and
the tuned task of 2.5 GiB and 2 vCPU whose container asked for "1 vGPU". What an instance registers
is the catalogue's safe lower bound, as everywhere in the kit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from slpnb import catalog
from slpnb.ecs import placement
from slpnb.ecs.resources import TaskNeeds
from slpnb.ecs.scheduler.state import Breaker, Outcome
from slpnb.fleet import Fleet, replay
from slpnb.fleet.replay import Replay

TYPE, SERVICE = "c6i.large", "slp-saas-test-service"
WRITTEN, REMEMBERED, TUNED = 8192, 3584, 2560
SEEN = 2560  # "there is only 2.5GiB available after the OS (Amazon Linux 2) + Docker services are up"
CPU_UNITS = 2048
BESIDE = 256  # a usual reserve, and a usual agent for logs or metrics
MOST_INSTANCES = 5  # the service was to scale to 5 tasks
NEAR_PERCENT = 10  # how close to what was seen a type would have to register
EXITS = Outcome(exits_after=1, exit_code=1)  # exec format error: an image for another architecture


def needs(memory_mib: int, gpus: int = 0) -> TaskNeeds:
    """A task of the story: 2 vCPU, one dynamic host port."""
    return TaskNeeds(memory_mib, CPU_UNITS, dynamic_ports=1, gpus=gpus)


def registered(types: Sequence[str]) -> pd.DataFrame:
    """What each type is sold with and what it registers (one row per type), in MiB."""
    rows = []
    for name in types:
        sold, found = catalog.instance_type(name).nominal_mib, catalog.registered_memory(name)
        least = found.at_least_mib
        rows.append({"sold": sold, "registers": found.value_mib, "at_least": least, "gone": sold - least})
    return pd.DataFrame(rows, index=pd.Index(list(types), name="type"))


def remaining(sizes: Sequence[int] = (WRITTEN, REMEMBERED, TUNED)) -> pd.DataFrame:
    """MiB left for a task of each size in each situation, negative where it is short (one row per size)."""
    empty = catalog.registered_memory(TYPE).at_least_mib
    rows = [
        {"alone": empty - size, f"next to {BESIDE} MiB": empty - BESIDE - size, "next to a copy": empty - 2 * size}
        for size in sizes
    ]
    return pd.DataFrame(rows, index=pd.Index(list(sizes), name="task_mib"))


def outcomes(sizes: Sequence[int] = (WRITTEN, REMEMBERED, TUNED)) -> pd.DataFrame:
    """What happens to a service with one task of each size, by the scheduler model (one row per size).

    ``alone`` and ``beside`` start it on one instance, ``update`` replaces its task there, and
    ``update, group of two`` lets the group start a second instance.
    """
    rows = []
    for size in sizes:
        alone, two = start(size), start(size, most=2)
        rows.append(
            {
                "alone": short_words(alone),
                f"next to {BESIDE} MiB": short_words(start(size, beside=BESIDE)),
                "update": short_words(replay.update(alone)) if alone.steady else "nothing to update",
                "update, group of two": short_words(replay.update(two)) if two.steady else "nothing to update",
            }
        )
    return pd.DataFrame(rows, index=pd.Index(list(sizes), name="task_mib"))


def short_words(played: Replay) -> str:
    """How a replay ended, in two or three words."""
    return f"steady after {played.seconds} s" if played.steady else "hangs"


def start(
    memory_mib: int,
    *,
    gpus: int = 0,
    type_name: str = TYPE,
    most: int = 1,
    beside: int = 0,
    outcome: Outcome | None = None,
    breaker: bool = False,
) -> Replay:
    """Create the service with one task on one instance, in a group of at most ``most``.

    ``beside`` is the memory of another task that runs there already; ``outcome`` says how the
    task fares once it is placed, by default healthily.
    """
    state = replay.cluster(Fleet(type_name, 1, most))
    if beside:
        state = replay.beside(state, TaskNeeds(beside))
    first = replay.definition(needs(memory_mib, gpus), family="slp-saas-test")
    first = replace(first, outcome=outcome) if outcome else first
    return replay.start(state, replay.service(first, SERVICE, breaker=Breaker(breaker, breaker)))


# "2.5 GiB available"


def accounts() -> pd.DataFrame:
    """The two accounts of one instance's memory, the scheduler's and the host's, in MiB (one row per line)."""
    total = catalog.registered_memory(TYPE).at_least_mib
    rows = [
        ("registered by the agent, once", total, total),
        ("taken", 0, total - SEEN),
        ("left", total, SEEN),
    ]
    table = pd.DataFrame(rows, columns=["line", "the scheduler counts", "the host shows"])
    return table.set_index("line")


@dataclass(frozen=True)
class Hypothesis:
    """One explanation: what the task asked, and what else had a claim on the scheduler's account.

    ``needs`` is what would also have to be true, beyond the research notebook; ``against`` what rules it out
    although the arithmetic would allow it.
    """

    words: str
    asked_mib: int
    claimed_mib: int = 0
    needs: str = ""
    against: str = ""

    def judged(self, total: int) -> dict[str, object]:
        """The arithmetic, and whether it is possible: the first task must be short, the tuned one must fit."""
        free = total - self.claimed_mib
        first, tuned = free - self.asked_mib, free - TUNED
        return {
            "asked": self.asked_mib,
            "free": free,
            "first task": _spare(first),
            "tuned task": _spare(tuned),
            "possible": self._verdict(first, tuned),
        }

    def _verdict(self, first: int, tuned: int) -> str:
        if first >= 0:
            return "no: the task would have started"
        if self.against:
            return f"no: {self.against}"
        if tuned < 0:
            return "no: the tuned task would not have started either"
        return f"only if {self.needs}" if self.needs else "yes"


def _spare(mib: int) -> str:
    return f"{mib} to spare" if mib >= 0 else f"short by {-mib}"


def hypotheses() -> pd.DataFrame:
    """The explanations for a task that fitted nowhere, each with its arithmetic (one row each), in MiB."""
    total = catalog.registered_memory(TYPE).at_least_mib
    every = list(_hypotheses(total))
    rows = [one.judged(total) for one in every]
    return pd.DataFrame(rows, index=pd.Index([one.words for one in every], name="explanation"))


def _hypotheses(total: int) -> Iterator[Hypothesis]:
    yield Hypothesis("8 GiB asked, as the definition says", WRITTEN)
    yield Hypothesis("3.5 GiB asked, on an empty instance", REMEMBERED)
    host = "the scheduler never looks at the host"
    yield Hypothesis("3.5 GiB, and only the 2.5 GiB of `free` to place it in", REMEMBERED, total - SEEN, against=host)
    reserve = "someone had set it; the default is 0"
    yield Hypothesis(f"3.5 GiB, and ECS_RESERVED_MEMORY={BESIDE}", REMEMBERED, BESIDE, reserve)
    unused = "a reserve is a claim, not usage: `free` does not show it"
    yield Hypothesis(f"3.5 GiB, and ECS_RESERVED_MEMORY={total - SEEN}", REMEMBERED, total - SEEN, against=unused)
    agent = "one ran; none is mentioned"
    yield Hypothesis(f"3.5 GiB, next to a daemon task of {BESIDE} MiB", REMEMBERED, BESIDE, agent)
    none = "0/1 tasks ran, so none was held"
    yield Hypothesis("3.5 GiB, next to an earlier 3.5 GiB task not yet gone", REMEMBERED, REMEMBERED, against=none)
    yield Hypothesis("3.5 GiB, on a type that registers 2.5 GiB", REMEMBERED, total - SEEN, against=_no_such_type())


def near(mib: int = SEEN) -> pd.DataFrame:
    """The types that register within NEAR_PERCENT of an amount (one row per type)."""
    table = catalog.table()
    return table[(table["at_least_mib"] - mib).abs() <= mib * NEAR_PERCENT / 100]


def _no_such_type() -> str:
    """Why the instance was not a smaller one; empty if some type would do."""
    if len(near()):
        return ""
    return f"none of {len(catalog.table())} types registers within {NEAR_PERCENT} % of {SEEN}"


# What was tried


@dataclass(frozen=True)
class Attempt:
    """One attempt of the research notebook, with an image built on an M1, which is for arm64."""

    words: str
    type_name: str
    memory_mib: int
    gpus: int = 0

    @property
    def architecture(self) -> str:
        """The instance's."""
        return catalog.instance_type(self.type_name).architecture

    def played(self) -> Replay:
        """The start of its service, with the circuit breaker that the console offers."""
        outcome = None if self.architecture == "arm64" else EXITS
        return start(
            self.memory_mib,
            gpus=self.gpus,
            type_name=self.type_name,
            most=MOST_INSTANCES,
            outcome=outcome,
            breaker=True,
        )

    def reason(self, played: Replay) -> str:
        """Why it came out as it did, in numbers."""
        short = placement.fit(needs(self.memory_mib, self.gpus), self.type_name).short
        if short:
            return "; ".join(map(str, short))
        return "arm64 image on x86_64: exec format error, exit code 1" if not played.steady else "it fits and runs"


ATTEMPTS = (
    Attempt("first: 8 GiB", TYPE, WRITTEN),
    Attempt("tuned: 2.5 GiB and 1 GPU", TYPE, TUNED, gpus=1),
    Attempt("second: without the GPU", TYPE, TUNED),
    Attempt("on Graviton", "c6g.large", TUNED),
    Attempt("the successful one", "c6g.xlarge", TUNED),
)


def attempts() -> pd.DataFrame:
    """What the research notebook tried, each attempt simulated (one row each).

    ``start`` is how the service's start ended, ``update`` how a rolling update on the one instance
    would, ``reason`` the numbers behind the start.
    """
    rows = []
    for one in ATTEMPTS:
        played = one.played()
        alone = start(one.memory_mib, gpus=one.gpus, type_name=one.type_name) if played.steady else None
        rows.append(
            {
                "type": one.type_name,
                "start": "fails" if played.failed else short_words(played),
                "reason": one.reason(played),
                "update in place": short_words(replay.update(alone)) if alone else "nothing to update",
            }
        )
    return pd.DataFrame(rows, index=pd.Index([one.words for one in ATTEMPTS], name="attempt"))


def verdict() -> str:
    """The answer to the story in one line."""
    found = placement.fit(needs(WRITTEN), TYPE)
    return (
        f"first attempt: {WRITTEN} MiB asked, {found.left_mib} MiB registered on a {TYPE}: "
        f"short by {found.short_mib} MiB on every instance that the group could start"
    )
