"""The cheapest fleets that can hold a service, and what each guarantee costs.

How many instances of a type a guarantee takes follows from how many tasks one instance takes. That is a closed form
of `slpnb.fleet.rollout`, which would take minutes for an update of a thousand tasks: a rule that changes there
changes here too. tests/fleet/test_recommendation.py compares them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from slpnb import catalog
from slpnb.ecs import placement
from slpnb.ecs.percents import Limits, limits
from slpnb.ecs.resources import TaskNeeds
from slpnb.errors import Refusal
from slpnb.fleet import packing
from slpnb.fleet.group import HOURS_A_MONTH, Fleet
from slpnb.words import counted

if TYPE_CHECKING:
    from slpnb.config import Config

Numbers = NDArray[np.int64]
Asked = Iterable[tuple[str, int]]  # guarantees, each with its number of tasks
GUARANTEES: Mapping[str, str] = {
    "run": "that many tasks run",
    "update": "a rolling update of them finishes, within the deployment's percentages, on existing instances",
    "zone": "any one zone fails, and all of them run on what is left, without waiting for a new instance",
}
FRONTIER_ROWS = 20


@dataclass(frozen=True)
class Constraints:
    """What a fleet must do, and what it may be.

    ``guarantees`` are of GUARANTEES, each at ``minimum_tasks`` and at ``maximum_tasks``. ``types`` are those to
    choose from (empty: `packing.candidates`), ``reserved_mib`` is ECS_RESERVED_MEMORY, ``trunking`` whether ENI
    trunking is on, ``template`` the placement template.
    """

    minimum_tasks: int = 1
    maximum_tasks: int = 1
    minimum_healthy_percent: int = 100
    maximum_percent: int = 200
    zones: tuple[str, ...] = ("us-east-1a", "us-east-1b", "us-east-1c")
    guarantees: tuple[str, ...] = tuple(GUARANTEES)
    types: tuple[str, ...] = ()
    reserved_mib: int = 0
    trunking: bool = False
    template: str = "az_balanced_spread"

    def limits(self, tasks: int) -> Limits:
        """How many of that many tasks must and may run during an update."""
        return limits(tasks, self.minimum_healthy_percent, self.maximum_percent)

    def asked(self, spare: int = 0) -> Asked:
        """Every guarantee at both numbers of tasks, the larger by ``spare`` more than the maximum."""
        levels = sorted({self.minimum_tasks, self.maximum_tasks + spare})
        return [(name, tasks) for tasks in levels for name in self.guarantees]

    def fleet(self, type_name: str, instances: int) -> Fleet:
        """That many instances of a type, and never more: what a guarantee may count on."""
        own = self.reserved_mib, self.trunking, self.template
        return Fleet(type_name, instances, instances, self.zones, *own)


@dataclass(frozen=True)
class Recommendation:
    """The cheapest fleets of one type each for everything asked, and what that costs.

    ``guarantees``: one row for each number of tasks and guarantee (index: tasks, guarantee) and a last one
    for all of them together: ``type``, ``instances``, ``usd_month`` of the cheapest fleet, and
    ``extra_usd_month`` over merely running those tasks.

    ``fleets``: one row per type (index), the cheapest first, for all guarantees together:
    ``architecture``, ``each`` (tasks an instance takes), ``limited_by`` (what stops one more),
    ``instances``, ``holds`` (tasks in all), ``usd_month``.

    ``frontier``: by headroom (index ``spare_tasks``: more than the maximum that all guarantees
    would still cover) the cheapest fleet; a row is there only if no fleet covers more for less.
    """

    guarantees: pd.DataFrame
    fleets: pd.DataFrame
    frontier: pd.DataFrame


def recommend(needs: TaskNeeds, constraints: Constraints, *, rows: int = 20) -> Recommendation:
    """The cheapest fleets for a service, at most ``rows`` of them.

    Raises `Refusal` when no fleet will do, saying why, and `ParameterError` for unknown types.
    """
    _possible(constraints)
    types = _types(needs, constraints)
    fleets = _fleets(types, constraints.asked(), constraints).head(rows)
    return Recommendation(_guarantees(types, constraints), fleets, _frontier(types, constraints))


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
        guarantees=tuple(name for name in GUARANTEES if name != "zone" or len(config.zones) > 1),
        reserved_mib=cluster.reserved_memory_mib,
        trunking=cluster.awsvpc_trunking,
        template=service.placement,
    )


def instances(each: Numbers, guarantee: str, tasks: int, constraints: Constraints) -> Numbers:
    """The fewest instances that take ``each`` tasks and keep a guarantee that the percentages do not forbid.

    An update runs one more task, unless the percentages let one stop first. When a zone
    of z fails, m instances must be left of m + m / (z - 1), rounded up, spread evenly.
    """
    one_more = guarantee == "update" and constraints.limits(tasks).lower == tasks
    left: Numbers = -(-(tasks + one_more) // each)
    return left + -(-left // (len(constraints.zones) - 1)) if guarantee == "zone" else left


def covered(needs: TaskNeeds, type_name: str, count: int, constraints: Constraints) -> int:
    """The most tasks for which that many instances of a type keep every guarantee: the inverse of `instances`."""
    each = constraints.fleet(type_name, count).per_instance(needs)

    def too_many(tasks: int) -> bool:
        return any(instances(np.array([each]), name, tasks, constraints) > count for name in constraints.guarantees)

    tasks = bisect_left(range(1, each * count + 1), True, key=too_many)
    return 0 if "update" in constraints.guarantees and constraints.limits(tasks).forbid else tasks


def _possible(constraints: Constraints) -> None:
    """Refuse what no fleet of any size can do."""
    for level, tasks in (("minimum", constraints.minimum_tasks), ("maximum", constraints.maximum_tasks)):
        allowed = constraints.limits(tasks)
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
    empty = packing.priced(packing.empties(_offered(constraints), constraints.reserved_mib, constraints.trunking))
    counts = [placement.how_many(needs, one) for one in empty]
    if not any(count for count, _ in counts):
        raise Refusal(f"none of the {len(empty)} types takes the task: {packing.nearest(needs, empty)}")
    distinct = {"type": "distinctInstance"} in placement.TEMPLATES[constraints.template][1]
    facts = [catalog.instance_type(one.type_name) for one in empty]
    table = pd.DataFrame(
        {
            "architecture": [one.architecture for one in facts],
            "each": [min(count, 1) if distinct else count for count, _ in counts],
            "limited_by": [placement.in_words(limiting) for _, limiting in counts],
            "usd_hour": [one.usd_per_hour for one in facts],
        },
        index=pd.Index([one.name for one in facts], name="type"),
    )
    return table[table["each"] > 0]


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


def _fleets(types: pd.DataFrame, asked: Asked, constraints: Constraints) -> pd.DataFrame:
    """The fewest instances of each type that keep what is asked, the cheapest first; see `Recommendation.fleets`."""
    each = types["each"].to_numpy(np.int64)
    count = np.max([instances(each, *one, constraints) for one in asked], axis=0)
    price = types["usd_hour"] * HOURS_A_MONTH * count
    table = types.drop(columns="usd_hour").assign(instances=count, holds=each * count, usd_month=price)
    return table.sort_values(["usd_month", "instances", "type"])


def _guarantees(types: pd.DataFrame, constraints: Constraints) -> pd.DataFrame:
    """One row per guarantee and number of tasks, and one for all together; see `Recommendation.guarantees`."""
    singles = [(tasks, name, [(name, tasks)]) for name, tasks in constraints.asked()]
    rows = []
    for tasks, name, asked in [*singles, (constraints.maximum_tasks, "all together", constraints.asked())]:
        best, running = (_fleets(types, one, constraints).reset_index().iloc[0] for one in (asked, [("run", tasks)]))
        extra = best["usd_month"] - running["usd_month"]
        rows.append(
            {"tasks": tasks, "guarantee": name, **best[["type", "instances", "usd_month"]], "extra_usd_month": extra}
        )
    return pd.DataFrame(rows).set_index(["tasks", "guarantee"])


def _frontier(types: pd.DataFrame, constraints: Constraints) -> pd.DataFrame:
    """See `Recommendation.frontier`."""
    most = constraints.maximum_tasks
    rows = []
    for spare in range(0, most + 1, -(-most // FRONTIER_ROWS)):
        best = _fleets(types, constraints.asked(spare), constraints).reset_index().iloc[0]
        rows.append({"spare_tasks": spare, **best[["type", "instances", "holds", "usd_month"]]})
    table = pd.DataFrame(rows).set_index("spare_tasks")
    cheaper_later = table["usd_month"][::-1].cummin()[::-1].shift(-1)
    return table[~(cheaper_later <= table["usd_month"])]
