"""Column generation: a few loads out of the millions that fit, and a bound that no packing can beat.

A packing is how many instances of which type carry which load. Allowing fractions of an instance
makes that a linear program, whose optimum no packing can beat (Gilmore and Gomory, 1961); HiGHS
solves it over the loads known so far, and `slpnb.fleet.packing.knapsack` finds loads that would improve it.
The bound does not rest on HiGHS's floating point: its dual prices are rounded to whole numbers,
and the bound follows from those by whole-number arithmetic alone (Farley, "A note on bounding a
class of linear programming problems", 1990).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from math import ceil, gcd
from operator import mul

import highspy
import numpy as np
from numpy.typing import NDArray

from slpnb.fleet.packing.knapsack import Ints, Knapsack

Loads = dict[tuple[int, tuple[int, ...]], int]  # type and copies of each shape: number of instances

SCALE = 10_000  # dual prices in ten-thousandths of a unit of cost
QUICK_BEAM, THOROUGH_BEAM = 300, 3_000
ROUNDS = 200
CLOSE = 4_000  # loads are generated until the bound is within 1 / 4,000 of the fractional packing
GOOD = 1_000  # within 1 / 1,000 of the bound no better packing is looked for
NODES = 100  # of HiGHS's branch and bound: a count, not a time, so that every machine gives the same packing


@dataclass(frozen=True)
class Problem:
    """Shapes to place on instances of several types, in whole numbers.

    ``takes`` is shapes by resources, ``wanted`` copies of each shape, ``gives`` types by
    resources, ``most`` types by shapes (0 where a shape may not go), ``cost`` of an instance of
    each type.
    """

    takes: Ints
    wanted: Ints
    gives: Ints
    most: Ints
    cost: Ints

    def knapsack(self, kind: int) -> Knapsack:
        """One instance of a type, with the resources of it that can run out."""
        gives, most = self.gives[kind], self.most[kind]
        limiting = [at for at in range(len(gives)) if not self._plenty(at, gives, most > 0)]
        return Knapsack(self.takes[:, limiting], gives[limiting], most)

    def _plenty(self, resource: int, gives: Ints, fits: NDArray[np.bool_]) -> bool:
        """Whether another resource always runs out first (ports seldom do: memory does)."""
        takes = self.takes[fits & (self.takes[:, resource] > 0)]
        others = [at for at in range(len(gives)) if at != resource and (takes[:, at] > 0).all()]
        sooner = {at: takes[:, at] * gives[resource] - takes[:, resource] * gives[at] for at in others}
        return any((ahead >= 0).all() and (ahead.any() or at < resource) for at, ahead in sooner.items())

    @property
    def unit(self) -> int:
        """Every packing costs a whole multiple of this."""
        return gcd(*(int(cost) for cost in self.cost))


@dataclass
class Columns:
    """The loads known so far: their type and their copies of each shape."""

    kinds: list[int] = field(default_factory=list)
    counts: list[Ints] = field(default_factory=list)
    known: set[tuple[int, bytes]] = field(default_factory=set)

    def add(self, kind: int, counts: Ints) -> bool:
        """Whether the load was new."""
        key = (kind, counts.tobytes())
        if key in self.known or not counts.any():
            return False
        self.known.add(key)
        self.kinds.append(kind)
        self.counts.append(counts)
        return True


@dataclass(frozen=True)
class Relaxed:
    """The linear program at its end: the loads, how many instances of each in fractions, and the bound."""

    columns: Columns
    amounts: NDArray[np.float64]
    bound: int


@dataclass(frozen=True)
class Packed:
    """Whole instances: how many of each load, what they cost together, and what no packing can cost less than."""

    loads: Loads
    cost: int
    bound: int


def solve(problem: Problem) -> Packed:
    """A packing that places every task exactly once, and what no packing can cost less than."""
    relaxed = relax(problem)
    best: Loads = {}
    for find in (_rounded, _whole, _dive):
        found = _tidy(problem, find(problem, relaxed))
        best = min(best or found, found, key=lambda loads: _cost(problem, loads))
        if _cost(problem, best) * GOOD <= relaxed.bound * (GOOD + 1):
            break
    return Packed(best, _cost(problem, best), relaxed.bound)


def relax(problem: Problem, columns: Columns | None = None, last_beam: int = THOROUGH_BEAM) -> Relaxed:
    """Generate loads until none would improve the fractional packing, from ``columns`` on."""
    master, pricer = _Master(problem), _Pricer(problem)
    for kind, counts in _first(problem, columns):
        master.add(kind, counts)
    bound, beam = Fraction(0), QUICK_BEAM
    for _ in range(ROUNDS):
        value, duals = master.solve()
        loads, ratio = pricer.loads(duals, beam)
        bound = max(bound, sum(map(mul, duals.tolist(), problem.wanted.tolist())) / ratio)  # Python's: no overflow
        new = [load for load in loads if master.add(*load)]
        if bound * (CLOSE + 1) >= Fraction(value) * CLOSE or (not new and beam == last_beam):
            break
        beam = QUICK_BEAM if new else last_beam
    master.solve()
    return Relaxed(master.columns, master.amounts, ceil(bound / problem.unit) * problem.unit)


def _first(problem: Problem, columns: Columns | None) -> Iterator[tuple[int, Ints]]:
    """As many of one shape as an instance takes, for each type and shape; then the loads known, cut to what is left."""
    for kind, shape in zip(*np.nonzero(problem.most), strict=True):
        counts = np.zeros(len(problem.wanted), np.int64)
        counts[shape] = problem.most[kind, shape]
        yield int(kind), counts
    for kind, load in zip(columns.kinds, columns.counts, strict=True) if columns else ():
        yield kind, np.minimum(load, problem.most[kind])


class _Master:
    """The linear program over the loads known so far, kept warm in HiGHS."""

    def __init__(self, problem: Problem) -> None:
        self.problem, self.columns, self.highs = problem, Columns(), _silent()
        for wanted in problem.wanted:
            self.highs.addRow(float(wanted), highspy.kHighsInf, 0, np.array([], np.int32), np.array([], np.float64))

    def add(self, kind: int, counts: Ints) -> bool:
        """Whether the load was new."""
        if not self.columns.add(kind, counts):
            return False
        _add_column(self.highs, float(self.problem.cost[kind]), highspy.kHighsInf, counts)
        return True

    def solve(self) -> tuple[float, Ints]:
        """The optimum, and the dual price of each shape in whole numbers of 1 / SCALE."""
        self.highs.run()
        duals = np.array(self.highs.getSolution().row_dual)
        return self.highs.getInfo().objective_function_value, _floor(duals * SCALE)

    @property
    def amounts(self) -> NDArray[np.float64]:
        return np.array(self.highs.getSolution().col_value)


class _Pricer:
    """For each type the load that would improve the linear program most."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.sacks = [problem.knapsack(kind) for kind in range(len(problem.cost))]
        self.fractions = [_Fractional(sack) for sack in self.sacks]

    def loads(self, duals: Ints, beam: int) -> tuple[list[tuple[int, Ints]], Fraction]:
        """Improving loads by type, and the highest worth of any load per unit of its type's cost.

        A type whose loads cannot be worth more than the best ratio found already is not searched.
        """
        found, ratio = [], Fraction(SCALE)
        multipliers = [one.multipliers(duals) for one in self.fractions]
        at_most = [
            Fraction(sack.relaxed(duals, multiplier), int(cost))
            for sack, multiplier, cost in zip(self.sacks, multipliers, self.problem.cost, strict=True)
        ]
        for kind in sorted(range(len(at_most)), key=lambda one: (-at_most[one], one)):
            if at_most[kind] <= ratio:
                continue
            cost = int(self.problem.cost[kind])
            load = self.sacks[kind].best(duals, multipliers[kind], beam, cost * SCALE)
            ratio = max(ratio, Fraction(load.at_most, cost))
            if load.worth > cost * SCALE:
                found.append((kind, load.counts))
        return found, ratio


class _Fractional:
    """The knapsack in fractions, for its dual prices."""

    def __init__(self, sack: Knapsack) -> None:
        self.highs = _silent()
        for gives in sack.gives:
            self.highs.addRow(-highspy.kHighsInf, float(gives), 0, np.array([], np.int32), np.array([], np.float64))
        for takes, most in zip(sack.takes, sack.most, strict=True):
            _add_column(self.highs, 0.0, float(most), takes)
        self.shapes = np.arange(len(sack.most), dtype=np.int32)

    def multipliers(self, worths: Ints) -> Ints:
        self.highs.changeColsCost(len(worths), self.shapes, -worths.astype(float))
        self.highs.run()
        return _floor(-np.array(self.highs.getSolution().row_dual))


def _rounded(problem: Problem, relaxed: Relaxed) -> Loads:
    """The fractional packing rounded down, and what is left covered by known loads."""
    kinds, counts, amounts = _down(relaxed)
    amounts += _cover(problem, kinds, counts, problem.wanted - amounts @ counts)
    return _loads(kinds, counts, amounts)


def _whole(problem: Problem, relaxed: Relaxed) -> Loads:
    """Whole numbers of the known loads alone: the better one for few tasks, of which rounding would leave little."""
    kinds, counts, _ = _down(relaxed)
    return _loads(kinds, counts, _cover(problem, kinds, counts, problem.wanted))


def _dive(problem: Problem, relaxed: Relaxed) -> Loads:
    """The fractional packing rounded down, then the same again for what is left, with loads made for it."""
    loads: Loads = {}
    rest = problem.wanted
    while True:
        kinds, counts, amounts = _down(relaxed)
        if not amounts.any():
            amounts[np.argmax(relaxed.amounts)] = 1
        loads = _add(loads, _loads(kinds, counts, amounts))
        rest = np.maximum(rest - amounts @ counts, 0)
        if not rest.any():
            return loads
        left = replace(problem, wanted=rest, most=np.minimum(problem.most, rest))
        relaxed = relax(left, relaxed.columns, QUICK_BEAM)


def _down(relaxed: Relaxed) -> tuple[Ints, Ints, Ints]:
    kinds, counts = np.array(relaxed.columns.kinds), np.array(relaxed.columns.counts)
    return kinds, counts, _floor(relaxed.amounts + 1e-6)


def _cover(problem: Problem, kinds: Ints, counts: Ints, rest: Ints) -> Ints:
    """The cheapest whole numbers of known loads that cover what is left, by HiGHS's branch and bound."""
    highs = _silent()
    highs.setOptionValue("mip_max_nodes", NODES)
    for left in rest:
        highs.addRow(float(max(0, left)), highspy.kHighsInf, 0, np.array([], np.int32), np.array([], np.float64))
    for kind, load in zip(kinds, counts, strict=True):
        _add_column(highs, float(problem.cost[kind]), highspy.kHighsInf, load)
    every = np.arange(len(kinds), dtype=np.int32)
    highs.changeColsIntegrality(len(every), every, np.array([highspy.HighsVarType.kInteger] * len(every)))
    highs.run()
    return _floor(np.array(highs.getSolution().col_value) + 0.5)


def _loads(kinds: Ints, counts: Ints, amounts: Ints) -> Loads:
    used = np.flatnonzero(amounts)
    return {(int(kinds[at]), tuple(counts[at].tolist())): int(amounts[at]) for at in used}


def _add(loads: Loads, more: Loads) -> Loads:
    return {key: loads.get(key, 0) + more.get(key, 0) for key in [*loads, *(key for key in more if key not in loads)]}


def _cost(problem: Problem, loads: Loads) -> int:
    return sum(amount * int(problem.cost[kind]) for (kind, _), amount in loads.items())


def _tidy(problem: Problem, loads: Loads) -> Loads:
    """Take off what is placed more often than wanted, then move each load to the cheapest type that takes it."""
    for shape, wanted in enumerate(problem.wanted.tolist()):
        placed = sum(amount * counts[shape] for (_, counts), amount in loads.items())
        loads = _take_off(loads, shape, placed - wanted)
    tidied: Loads = {}
    for (kind, counts), amount in sorted(loads.items()):
        if any(counts):
            tidied = _add(tidied, {(_cheapest(problem, kind, np.array(counts)), counts): amount})
    return tidied


def _take_off(loads: Loads, shape: int, excess: int) -> Loads:
    """Fewer copies of a shape, from the smallest loads first: those may then do without their instance."""
    for (kind, counts), amount in sorted(loads.items(), key=lambda item: (sum(item[0][1]), item[0])):
        copies = counts[shape]
        if not copies or excess <= 0:
            continue
        whole, part = min(amount, excess // copies), 0
        if whole < amount:
            part = excess - whole * copies
        loads = {key: number for key, number in loads.items() if key != (kind, counts)}
        for number, left in ((amount - whole - bool(part), copies), (whole, 0), (int(bool(part)), copies - part)):
            if number:
                loads = _add(loads, {(kind, (*counts[:shape], left, *counts[shape + 1 :])): number})
        excess -= whole * copies + part
    return loads


def _cheapest(problem: Problem, kind: int, counts: Ints) -> int:
    takes = counts @ problem.takes
    fits = (takes <= problem.gives).all(axis=1) & (counts <= problem.most).all(axis=1)
    cheaper = np.flatnonzero(fits & (problem.cost < problem.cost[kind]))
    return int(cheaper[np.argmin(problem.cost[cheaper])]) if len(cheaper) else kind


def _floor(values: NDArray[np.float64]) -> Ints:
    """Whole numbers from 0 up."""
    whole: Ints = np.floor(np.maximum(values, 0)).astype(np.int64)
    return whole


def _silent() -> highspy.Highs:
    highs = highspy.Highs()  # type: ignore[no-untyped-call]
    highs.silent()
    highs.setOptionValue("threads", 1)
    return highs


def _add_column(highs: highspy.Highs, cost: float, most: float, entries: Ints) -> None:
    rows = np.flatnonzero(entries).astype(np.int32)
    highs.addCol(cost, 0.0, most, len(rows), rows, entries[rows].astype(float))
