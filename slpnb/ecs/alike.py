"""Placing many tasks of one kind, one after another: the same choices as `placement.place`, computed once.

`placement.place` looks at every instance for every task, so that a thousand tasks on a thousand
instances take a million checks. A placed task changes one instance only. Here the others keep what
was found about them, and the best of them is at the top of a heap. Pure.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from slpnb.ecs import placement
from slpnb.ecs.placement import Failure, Rule
from slpnb.ecs.resources import Instance, TaskNeeds

Key = tuple[int, ...]  # what the strategies order by, the first of them first
ALONE = ("instanceId", "host")  # spread over instances: a count of the instance's own


def suits(needs: TaskNeeds, strategy: Sequence[Rule], constraints: Sequence[Rule]) -> bool:
    """Whether `Alike` can choose: no random choice, and no query of what else runs on an instance."""
    queries = (*needs.member_of, *(rule.get("expression", "") for rule in constraints))
    changing = any("task:group" in text or "runningTasksCount" in text for text in queries)
    return not changing and all(rule["type"] != "random" for rule in strategy)


class Alike:
    """The instances for tasks of one kind. The arguments are those of `placement.place`; see `suits`.

    Instances that agree in what is spread over (their zone, say) stay in one heap: the count of
    that zone is the same for all of them, so their order among themselves does not change with it.
    """

    def __init__(
        self,
        needs: TaskNeeds,
        instances: Iterable[Instance],
        *,
        strategy: Sequence[Rule] = (),
        constraints: Sequence[Rule] = (),
        running: Mapping[str, int] | None = None,
    ) -> None:
        self._needs, self._strategy, self._constraints = needs, strategy, constraints
        self._instances = {one.id: one for one in instances}
        self._running = Counter(dict(running or {}))
        self._shared = [rule.get("field", "") for rule in strategy if _is_shared(rule)]
        self._counts = [Counter[str]() for _ in self._shared]
        self._heaps: dict[tuple[str, ...], list[tuple[Key, str]]] = {}
        self._failure: Failure | None = None
        for one in self._instances.values():
            self._count(one, self._running[one.id])
            self._offer(one)

    def place(self) -> Instance | Failure:
        """Take one more task; returns the instance as it was before taking it, or why there is none."""
        tops = [(self._key(values, heap[0][0]), heap[0][1], values) for values, heap in self._heaps.items() if heap]
        if not tops:
            self._failure = self._failure or self._refused()
            return self._failure
        _, id, values = min(tops)
        heapq.heappop(self._heaps[values])
        return self._take(self._instances[id])

    def _take(self, before: Instance) -> Instance:
        self._instances[before.id] = after = before.take(self._needs)
        self._running[before.id] += 1
        self._count(before, 1)
        self._offer(after)
        return before

    def _count(self, one: Instance, tasks: int) -> None:
        for counts, value in zip(self._counts, self._values(one), strict=True):
            counts[value] += tasks

    def _offer(self, one: Instance) -> None:
        """Put an instance into its heap if it takes one more task, as decided by `placement.place`."""
        found = placement.place(self._needs, (one,), constraints=self._constraints, running=self._running)
        if isinstance(found, Instance):
            heapq.heappush(self._heaps.setdefault(self._values(one), []), (self._own(one), one.id))

    def _values(self, one: Instance) -> tuple[str, ...]:
        return tuple(placement.value_of(one, name) for name in self._shared)

    def _own(self, one: Instance) -> Key:
        """The instance's own part of the order; 0 where the count of its values will go."""
        return tuple(self._part(rule, one) for rule in self._strategy)

    def _part(self, rule: Rule, one: Instance) -> int:
        if rule["type"] == "spread":
            return 0 if _is_shared(rule) else self._running[one.id]
        return placement.packed_by(one, rule.get("field", ""))

    def _key(self, values: tuple[str, ...], own: Key) -> Key:
        counts = iter([one[value] for one, value in zip(self._counts, values, strict=True)])
        return tuple(next(counts) if _is_shared(rule) else part for rule, part in zip(self._strategy, own, strict=True))

    def _refused(self) -> Failure:
        found = placement.place(
            self._needs, self._instances.values(), constraints=self._constraints, running=self._running
        )
        assert isinstance(found, Failure)  # noqa: S101 - no heap offers an instance
        return found


def _is_shared(rule: Rule) -> bool:
    """Whether the rule counts the tasks of several instances together."""
    return rule["type"] == "spread" and rule.get("field", "") not in ALONE
