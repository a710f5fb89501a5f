"""The cheapest fleets that can hold a service, and what each guarantee costs.

How many instances of a type a guarantee takes follows from how many tasks one instance takes. Those numbers
only propose: what is recommended has been simulated by `slpnb.fleet.rollout` first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from slpnb import catalog
from slpnb.ecs import placement
from slpnb.ecs.percents import limits
from slpnb.ecs.placement import Instance, TaskNeeds
from slpnb.errors import ParameterError, Refusal
from slpnb.fleet import shapes
from slpnb.fleet.group import HOURS_A_MONTH, Fleet
from slpnb.fleet.packing import services as packing
from slpnb.fleet.rollout import Setting, begun, lost, played
from slpnb.words import counted

if TYPE_CHECKING:
    from slpnb.config import Config

Numbers = NDArray[np.int64]
KINDS: Mapping[str, str] = {
    "run": "that many tasks run",
    "update": "a rolling update of them finishes, within the deployment's percentages, on existing instances",
    "zone": "any one zone fails, and all of them run on what is left, without waiting for a new instance",
}
FRONTIER_STEPS = 20


@dataclass(frozen=True)
class Constraints:
    """What a fleet must do, and what it may be.

    ``guarantees`` are of KINDS, each at ``minimum_tasks`` and at ``maximum_tasks``. ``types`` are
    those to choose from (empty: `packing.candidates`); ``most_instances`` and ``most_usd_month``
    limit the fleet; ``reserved_mib`` is ECS_RESERVED_MEMORY, ``trunking`` whether ENI trunking is
    on, ``template`` the placement template, ``daemons`` the tasks that run on every instance.
    """

    minimum_tasks: int = 1
    maximum_tasks: int = 1
    minimum_healthy_percent: int = 100
    maximum_percent: int = 200
    zones: tuple[str, ...] = ("us-east-1a", "us-east-1b", "us-east-1c")
    guarantees: tuple[str, ...] = tuple(KINDS)
    types: tuple[str, ...] = ()
    most_instances: int | None = None
    most_usd_month: float | None = None
    reserved_mib: int = 0
    trunking: bool = False
    template: str = "az_balanced_spread"
    daemons: tuple[TaskNeeds, ...] = ()

    def __post_init__(self) -> None:
        for wrong, sentence in self._mistakes():
            if wrong:
                raise ParameterError(sentence)

    def _mistakes(self) -> Iterator[tuple[bool, str]]:
        low, high = self.minimum_tasks, self.maximum_tasks
        yield (
            not 1 <= low <= high,
            f"from {low} to {high} tasks: must be at least 1, the minimum no more than the maximum",
        )
        percents = self.minimum_healthy_percent, self.maximum_percent
        yield (
            not 0 <= percents[0] <= 100 <= percents[1],
            f"minimum {percents[0]} % and maximum {percents[1]} %: must be 0 to 100 and 100 or more",
        )
        yield (
            not self.zones or len(set(self.zones)) < len(self.zones),
            f"zones {list(self.zones)}: one or more, each once",
        )
        unknown = [name for name in self.guarantees if name not in KINDS]
        yield (
            bool(unknown) or not self.guarantees,
            f"guarantees {list(self.guarantees)}: must be among {', '.join(KINDS)}",
        )
        yield (
            self.template not in placement.TEMPLATES,
            (f"placement template {self.template!r}: must be among {', '.join(placement.TEMPLATES)}"),
        )
        yield (
            self.most_instances is not None and self.most_instances < 1,
            f"most_instances {self.most_instances}: at least 1",
        )
        yield (
            self.most_usd_month is not None and self.most_usd_month <= 0,
            f"most_usd_month {self.most_usd_month}: must be above 0",
        )

    @property
    def levels(self) -> Mapping[str, int]:
        """Tasks at the minimum and at the maximum."""
        return {"minimum": self.minimum_tasks, "maximum": self.maximum_tasks}

    def fleet(self, type_name: str, instances: int) -> Fleet:
        """That many instances of a type, with no room to grow: what a guarantee may count on."""
        own = self.reserved_mib, self.trunking, self.template, self.daemons
        return Fleet(type_name, instances, instances, self.zones, *own)


@dataclass(frozen=True, repr=False)
class Recommendation:
    """The cheapest fleet for everything asked, and the tables behind it.

    ``guarantees``: one row for each level and guarantee (index: tasks, guarantee) and a last one
    for all of them together: ``type``, ``instances``, ``usd_month`` of the cheapest fleet, and
    ``extra_usd_month`` over merely running the tasks of that level.

    ``fleets``: one row per type (index), the cheapest first, for all guarantees together:
    ``architecture``, ``each`` (tasks an instance takes), ``binds`` (what stops one more),
    ``instances``, ``holds`` (tasks in all), ``usd_month``.

    ``frontier``: by headroom (index ``spare_tasks``: more than the maximum that all guarantees
    would still cover) the cheapest fleet; a row is there only if no fleet covers more for less.
    """

    constraints: Constraints
    guarantees: pd.DataFrame
    fleets: pd.DataFrame
    frontier: pd.DataFrame

    @property
    def fleet(self) -> Fleet:
        """The cheapest fleet that keeps every guarantee."""
        return self.constraints.fleet(str(self.fleets.index[0]), int(self.fleets["instances"].iloc[0]))

    def __repr__(self) -> str:
        best, (low, high) = self.fleet, self.constraints.levels.values()
        through = {"update": "through an update", "zone": "after the loss of a zone"}
        kept = [through[name] for name in KINDS if name in self.constraints.guarantees and name in through]
        return " ".join(
            [
                f"{best.instances} x {best.type_name} at {self.fleets['usd_month'].iloc[0]:,.2f} USD per month",
                f"hold {'' if low == high else f'{low} to '}{counted(high, 'task')}",
                " and ".join(kept),
            ]
        ).rstrip()


def recommend(needs: TaskNeeds, constraints: Constraints, *, rows: int = 20) -> Recommendation:
    """The cheapest fleets of one type for a service, at most ``rows`` of them.

    Raises `Refusal` when no fleet will do, saying why, and `ParameterError` for unknown types.
    """
    choice = _Choice(needs, constraints)
    fleets = choice.fleets(choice.asked(), rows)
    return Recommendation(constraints, _guarantees(choice), fleets, _frontier(choice))


def constraints(config: Config) -> Constraints:
    """Those of the parameters: the service's tasks and percentages, the cluster's zones and placement.

    A service that may scale to zero is kept at one task.
    """
    service, cluster = config.service, config.cluster
    return Constraints(
        minimum_tasks=max(1, service.min_tasks),
        maximum_tasks=service.max_tasks,
        minimum_healthy_percent=service.minimum_healthy_percent,
        maximum_percent=service.maximum_percent,
        zones=tuple(config.zones),
        guarantees=tuple(name for name in KINDS if name != "zone" or len(config.zones) > 1),
        reserved_mib=cluster.reserved_memory_mib,
        trunking=cluster.awsvpc_trunking,
        template=service.placement,
    )


def keeps(needs: TaskNeeds, fleet: Fleet, guarantee: str, tasks: int, constraints: Constraints) -> bool:
    """Whether a fleet keeps a guarantee of KINDS, as simulated by `slpnb.fleet.rollout`."""
    setting = Setting(needs, fleet, tasks, constraints.minimum_healthy_percent, constraints.maximum_percent)
    if guarantee == "run":
        return begun(setting).steady
    return bool(played(setting)) if guarantee == "update" else not lost(setting)["wait"].any()


Asked = tuple[tuple[str, int], ...]  # guarantees, each with its number of tasks


class _Choice:
    """The types that take the task, and the fleets of them that keep what is asked."""

    def __init__(self, needs: TaskNeeds, constraints: Constraints) -> None:
        self.needs, self.constraints = needs, constraints
        _possible(constraints)
        self.types = _types(needs, constraints)
        self.played: dict[tuple[str, int, int, str, int], bool] = {}

    def asked(self, spare: int = 0) -> Asked:
        """Every guarantee at both levels, with room for some more tasks than the maximum."""
        levels = sorted({self.constraints.minimum_tasks, self.constraints.maximum_tasks + spare})
        return tuple((name, tasks) for tasks in levels for name in self.constraints.guarantees)

    def fleets(self, asked: Asked, rows: int) -> pd.DataFrame:
        """The cheapest fleets that keep what is asked; see `Recommendation.fleets`."""
        table = self.types.copy()
        each = table["each"].to_numpy(np.int64)
        table["instances"] = np.max([instances(each, name, tasks, self.constraints) for name, tasks in asked], axis=0)
        table["holds"] = each * table["instances"]
        table["usd_month"] = table.pop("usd_hour") * HOURS_A_MONTH * table["instances"]
        table = table.sort_values(["usd_month", "instances", "type"])
        found = list(islice(self._kept(self._affordable(table, asked), asked), rows))
        if not found:
            raise Refusal(
                f"no fleet of the {len(table)} types that take the task can {_words(asked, self.constraints)}"
            )
        return table.loc[found]

    def _affordable(self, table: pd.DataFrame, asked: Asked) -> pd.DataFrame:
        """Those within the limits. Raises `Refusal` with the nearest when there are none."""
        few, cheap = self.constraints.most_instances, self.constraints.most_usd_month
        within = table if few is None else table[table["instances"] <= few]
        if within.empty:
            least = table.sort_values(["instances", "usd_month", "type"]).iloc[0]
            raise Refusal(
                f"no fleet of at most {counted(few or 0, 'instance')} can {_words(asked, self.constraints)}: "
                f"the smallest that can is {least['instances']} x {least.name}"
            )
        affordable = within if cheap is None else within[within["usd_month"] <= cheap]
        if affordable.empty:
            least = within.iloc[0]
            raise Refusal(
                f"no fleet at {cheap:,.2f} USD per month or less can {_words(asked, self.constraints)}: "
                f"the cheapest that can is {least['instances']} x {least.name} at {least['usd_month']:,.2f} USD"
            )
        return affordable

    def _kept(self, table: pd.DataFrame, asked: Asked) -> Iterator[str]:
        for name, each, count in zip(table.index, table["each"], table["instances"], strict=True):
            if all(self._plays(str(name), int(each), int(count), *one) for one in asked):
                yield str(name)

    def _plays(self, name: str, each: int, count: int, guarantee: str, tasks: int) -> bool:
        """`keeps`, once for all types alike: only constraints of the task tell types of one count apart."""
        key = (name if self.needs.member_of else "", each, count, guarantee, tasks)
        if key not in self.played:
            fleet = self.constraints.fleet(name, count)
            self.played[key] = keeps(self.needs, fleet, guarantee, tasks, self.constraints)
        return self.played[key]


def instances(each: Numbers, guarantee: str, tasks: int, constraints: Constraints) -> Numbers:
    """The fewest instances that take ``each`` tasks and keep a guarantee.

    An update needs room for one more task, unless the percentages let one stop first. When a zone
    of z fails, m instances must be left of m + m / (z - 1), rounded up, spread evenly.
    """
    least = limits(tasks, constraints.minimum_healthy_percent, constraints.maximum_percent).lower
    room: Numbers = -(-(tasks + (guarantee == "update" and least == tasks)) // each)
    return room + -(-room // (len(constraints.zones) - 1)) if guarantee == "zone" else room


def _possible(constraints: Constraints) -> None:
    """Refuse what no fleet of any size can do."""
    for level, tasks in constraints.levels.items():
        allowed = limits(tasks, constraints.minimum_healthy_percent, constraints.maximum_percent)
        if "update" in constraints.guarantees and allowed.forbid:
            raise Refusal(
                f"no fleet can update the {level} of {counted(tasks, 'task')} at minimum "
                f"{constraints.minimum_healthy_percent} % and maximum {constraints.maximum_percent} %: "
                f"at least {allowed.lower} and at most {allowed.upper} may run, so none may stop and none may start"
            )
    if "zone" in constraints.guarantees and len(constraints.zones) == 1:
        raise Refusal(f"no fleet keeps its tasks when {constraints.zones[0]} fails: it is the only zone")


def _types(needs: TaskNeeds, constraints: Constraints) -> pd.DataFrame:
    """The types that take the task, with how many an instance takes, what stops one more and the hourly price."""
    empty = packing.priced(
        packing.empties(_offered(constraints), constraints.reserved_mib, constraints.trunking, constraints.daemons)
    )
    count, binds = shapes.how_many([needs], empty)
    rule = {"type": "distinctInstance"} in placement.TEMPLATES[constraints.template][1]
    table = pd.DataFrame(
        {
            "architecture": [catalog.instance_type(one.type_name).architecture for one in empty],
            "each": np.minimum(count.ravel(), 1 if rule else count.max()),
            "binds": shapes.words(binds),
            "usd_hour": [catalog.instance_type(one.type_name).usd_per_hour for one in empty],
        },
        index=pd.Index([one.type_name for one in empty], name="type"),
    )
    takes = [isinstance(placement.place(needs, _in_zones(one, constraints)), Instance) for one in empty]
    if not any(takes):
        raise Refusal(f"none of the {len(empty)} types takes the task: {packing.nearest(needs, empty)}")
    return table[takes]


def _in_zones(one: Instance, constraints: Constraints) -> list[Instance]:
    """The instance in each zone: a constraint of the task may ask for one."""
    return [
        replace(one, id=zone, zone=zone, attributes={**one.attributes, "ecs.availability-zone": zone})
        for zone in constraints.zones
    ]


def _offered(constraints: Constraints) -> list[str]:
    """The types to choose from that every zone offers, as far as the catalogue knows (us-east-1)."""
    zones = {zone for zone in constraints.zones if zone.startswith("us-east-1")}
    if not constraints.types:
        names = packing.candidates(sorted(zones))
    else:
        names = [name for name in constraints.types if zones.issubset(catalog.instance_type(name).zones)]
    if not names:
        what = " or ".join(constraints.types) or "no type"
        raise Refusal(f"{what} is not offered in all of {', '.join(constraints.zones)}")
    return names


def _guarantees(choice: _Choice) -> pd.DataFrame:
    """One row per guarantee and level, and one for all together; see `Recommendation.guarantees`."""
    levels = choice.constraints.levels
    rows, running = [], {tasks: choice.fleets((("run", tasks),), 1) for tasks in levels.values()}
    singles = [(tasks, name, ((name, tasks),)) for tasks in sorted(running) for name in choice.constraints.guarantees]
    for tasks, name, asked in [*singles, (max(running), "all together", choice.asked())]:
        best = choice.fleets(asked, 1).reset_index().iloc[0]
        extra = best["usd_month"] - running[tasks]["usd_month"].iloc[0]
        rows.append(
            {"tasks": tasks, "guarantee": name, **best[["type", "instances", "usd_month"]], "extra_usd_month": extra}
        )
    return pd.DataFrame(rows).set_index(["tasks", "guarantee"])


def _frontier(choice: _Choice) -> pd.DataFrame:
    """See `Recommendation.frontier`."""
    most = choice.constraints.maximum_tasks
    rows = []
    for spare in range(0, most + 1, -(-most // FRONTIER_STEPS)):
        try:
            best = choice.fleets(choice.asked(spare), 1).reset_index().iloc[0]
        except Refusal:  # beyond the limits on the fleet
            break
        rows.append({"spare_tasks": spare, **best[["type", "instances", "holds", "usd_month"]]})
    table = pd.DataFrame(rows).set_index("spare_tasks")
    cheaper_later = table["usd_month"][::-1].cummin()[::-1].shift(-1)
    return table[~(cheaper_later <= table["usd_month"])]


def _words(asked: Asked, constraints: Constraints) -> str:
    """What is asked, for a sentence."""
    most = max(tasks for _, tasks in asked)
    verbs = {"run": "run", "update": "update", "zone": "keep through the loss of a zone"}
    names = [verbs[name] for name in KINDS if (name, most) in asked]
    what = f"{', '.join(names[:-1])} and {names[-1]}" if names[1:] else names[0]
    return f"{what} {counted(most, 'task')} in {counted(len(constraints.zones), 'zone')}"
