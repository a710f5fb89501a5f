"""The best load of one instance at given prices, and a figure that no load exceeds, in whole numbers.

The question that column generation asks (Gilmore and Gomory, "A linear programming approach to
the cutting stock problem", 1961): which whole numbers of each shape fit one instance and are
worth the most? Answered level by level, one shape per level, over all partial loads at once. Partial
loads with the same rest are merged (as in dynamic programming), and those that cannot beat the
best load found are dropped (as in branch and bound). When too many are left, the least promising
are dropped too, and the figure then says what they might still have reached: it is true however
early the search ends.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

TRIES = 12  # levels at which partial loads are filled up greedily
CLOSE = 10_000  # a load within 1 / 10,000 of what is possible is good enough to stop at


@dataclass(frozen=True)
class Filling:
    """The copies of each shape on one instance, what they are worth, and what no load exceeds."""

    counts: Ints
    worth: int
    at_most: int


@dataclass(frozen=True)
class Knapsack:
    """One instance: what each shape takes of each resource, what there is, and the most copies of each."""

    takes: Ints  # shapes by resources
    gives: Ints  # resources
    most: Ints  # shapes

    @property
    def fine(self) -> int:
        """The resource that comes in the smallest steps, mostly memory."""
        steps = np.maximum(np.gcd.reduce(self.takes, axis=0), 1)
        return int(np.argmax(self.gives // steps))

    def best(self, worths: Ints, multipliers: Ints, beam: int, enough: int = 0) -> Filling:
        """The load worth most, keeping at most ``beam`` partial loads at a time.

        Loads worth no more than ``enough`` are not looked for. ``multipliers`` price a unit of each
        resource and may be any whole numbers from 0 up: the dual prices of the same question in
        fractions make ``at_most`` tight.
        """
        order = self._order(worths, multipliers)
        return _Search(self, worths, multipliers, order, beam, enough).run()

    def relaxed(self, worths: Ints, multipliers: Ints) -> int:
        """What no load exceeds, by the multipliers alone (Lagrange's bound)."""
        gain = worths - self.takes @ multipliers
        return int(self.gives @ multipliers + (np.maximum(gain, 0) * self.most).sum())

    def _order(self, worths: Ints, multipliers: Ints) -> Ints:
        """Shapes worth something, the largest share of an instance first: small ones fill what is left."""
        share = (self.takes / np.maximum(self.gives, 1)).max(axis=1)
        useful = np.flatnonzero((worths > 0) & (self.most > 0))
        return useful[np.lexsort((useful, worths[useful] - self.takes[useful] @ multipliers, -share[useful]))]


@dataclass
class _Labels:
    """Partial loads: what each leaves of every resource, its worth and its copies of each shape."""

    rest: Ints
    worth: Ints
    counts: Ints

    def only(self, which: NDArray[np.int64] | NDArray[np.bool_]) -> _Labels:
        return _Labels(self.rest[which], self.worth[which], self.counts[which])

    def __len__(self) -> int:
        return len(self.worth)


class _Search:
    def __init__(self, sack: Knapsack, worths: Ints, multipliers: Ints, order: Ints, beam: int, interest: int) -> None:
        self.sack, self.worths, self.multipliers, self.order, self.beam = sack, worths, multipliers, order, beam
        self.interest, self.most = interest, sack.most
        self.best = Filling(np.zeros(len(worths), np.int64), 0, 0)
        self.uses = [[(at, takes) for at, takes in enumerate(row) if takes] for row in sack.takes.tolist()]
        self.dropped = 0  # the most that a partial load left out could have reached

    @property
    def enough(self) -> int:
        """Loads worth no more than this are left out."""
        return max(self.interest, self.best.worth + self.best.worth // CLOSE)

    def run(self) -> Filling:
        labels = _Labels(self.sack.gives[None, :], np.zeros(1, np.int64), self.best.counts[None, :])
        self._complete(labels, 0)
        self._fix()
        for level in range(len(self.order)):
            labels = self._expand(labels, int(self.order[level]), last=level == len(self.order) - 1)
            useful = (self.sack.takes * self.most[:, None])[self.order[level + 1 :]].sum(axis=0)
            np.minimum(labels.rest, useful, out=labels.rest)  # what is left over anyway makes no difference
            labels = self._prune(_merge(labels, self.sack.fine), level + 1)
            if not len(labels):
                break
        return Filling(self.best.counts, self.best.worth, max(self.best.worth, self.dropped))

    def _fix(self) -> None:
        """Allow no more copies of a shape that costs more than it is worth than a load of interest could bear."""
        loss = np.maximum(self.sack.takes @ self.multipliers - self.worths, 0)
        reach = self.sack.relaxed(self.worths, self.multipliers)
        if reach <= self.enough:
            self.dropped, self.order = reach, self.order[:0]
            return
        bearable = np.minimum(self.most, (reach - self.enough - 1) // np.maximum(loss, 1))
        self.most = np.where(loss > 0, bearable, self.most)
        less = self.most < self.sack.most
        self.dropped = int((reach - loss * (self.most + 1))[less].max(initial=0))
        self.order = self.order[self.most[self.order] > 0]

    def _room(self, rest: Ints, shape: int) -> Ints:
        room = np.full(len(rest), self.most[shape])
        for resource, takes in self.uses[shape]:
            np.minimum(room, rest[:, resource] // takes, out=room)
        return room

    def _expand(self, labels: _Labels, shape: int, *, last: bool) -> _Labels:
        """Every partial load with every possible number of copies of one more shape."""
        room = self._room(labels.rest, shape)
        if last:
            parents, copies = np.arange(len(labels)), room
        else:
            parents = np.repeat(np.arange(len(labels)), room + 1)
            copies = np.arange(len(parents)) - np.repeat(np.cumsum(room + 1) - room - 1, room + 1)
        counts = labels.counts[parents]
        counts[:, shape] = copies
        rest = labels.rest[parents] - copies[:, None] * self.sack.takes[shape]
        return _Labels(rest, labels.worth[parents] + copies * self.worths[shape], counts)

    def _prune(self, labels: _Labels, level: int) -> _Labels:
        after = self.order[level:]
        gain = np.maximum(self.worths[after] - self.sack.takes[after] @ self.multipliers, 0)
        reach = labels.worth + labels.rest @ self.multipliers + int((gain * self.most[after]).sum())
        if len(after) % (1 + len(self.order) // TRIES) == 0:
            promising = np.argsort(-(reach if len(after) else labels.worth), kind="stable")[:64]
            self._complete(labels.only(promising), level)
        keep = reach > self.enough
        if keep.sum() > self.beam:
            keep &= reach > np.partition(reach, len(reach) - self.beam)[len(reach) - self.beam]
        if len(after):  # else nothing could be added to them
            self.dropped = max(self.dropped, int(reach[~keep].max(initial=0)))
        return labels.only(keep)

    def _complete(self, labels: _Labels, level: int) -> None:
        """Fill partial loads up greedily, the best worth for its resources first; remember the best."""
        after = self.order[level:]
        price = np.maximum(self.sack.takes[after] @ self.multipliers, 1)
        rest, worth, counts = labels.rest.copy(), labels.worth.copy(), labels.counts.copy()
        for shape in after[np.argsort(-self.worths[after] / price, kind="stable")]:
            room = self._room(rest, shape)
            counts[:, shape] += room
            rest -= room[:, None] * self.sack.takes[shape]
            worth += room * self.worths[shape]
        if len(worth) and worth.max() > self.best.worth:
            found = int(worth.argmax())
            self.best = Filling(counts[found], int(worth[found]), 0)


def _merge(labels: _Labels, fine: int) -> _Labels:
    """Without the partial loads that another beats: worth no less, no less left of ``fine``, as much of the others."""
    others = np.delete(labels.rest, fine, axis=1)
    span = others.max(axis=0) + 1
    if np.prod(span.astype(float)) >= 2**62:
        return labels
    group = np.ravel_multi_index(tuple(others.T), tuple(span)) if len(span) else np.zeros(len(labels), np.int64)
    order = np.lexsort((-labels.worth, -labels.rest[:, fine], group))
    begins = np.diff(group[order], prepend=-1) > 0
    rank = np.unique(labels.worth, return_inverse=True)[1][order]  # instead of the worth: sums of it might overflow
    raised = rank + np.cumsum(begins) * len(order)  # each group above the one before
    keep = begins.copy()
    keep[1:] |= raised[1:] > np.maximum.accumulate(raised)[:-1]
    return labels.only(order[keep])
