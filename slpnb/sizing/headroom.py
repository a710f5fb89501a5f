"""What a fleet costs per month, against the number of tasks that it could hold beyond those that it must.

A fleet's headroom is counted under every guarantee of `slpnb.fleet.recommendation` at once: that many tasks
beyond the maximum could still be updated, and could still lose a zone. It is negative where
not even the maximum is covered.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from slpnb.ecs import resources
from slpnb.ecs.resources import TaskNeeds
from slpnb.errors import Refusal
from slpnb.fleet import fleet, monthly, recommendation
from slpnb.fleet.recommendation import Constraints, Recommendation
from slpnb.sizing.prose import Prose
from slpnb.words import counted

if TYPE_CHECKING:
    from slpnb.config import Config

FRONTIER, OWN, OTHER = "frontier", "the parameters", "another type"
ROWS = 7  # other types that are listed


@dataclass(frozen=True)
class Offers:
    """Fleets to choose from, by price, and why there are none.

    ``guarantees`` as in `recommendation.Recommendation`. ``fleets`` has one row per fleet (index: its
    words): ``what`` (FRONTIER, OWN or OTHER), ``type``, ``instances``, ``headroom`` (tasks beyond
    the maximum), ``usd_month``. ``refused`` is the sentence that says why no fleet will do.
    """

    guarantees: pd.DataFrame
    fleets: pd.DataFrame
    tasks: int
    refused: str = ""


def offers(config: Config) -> Offers:
    """The frontier of price against headroom, the cheapest other types, and the parameters' own group."""
    asked, needs = recommendation.constraints(config), resources.needs(config)
    own = _own(config, asked)
    try:
        found = recommendation.recommend(needs, asked, rows=ROWS)
    except Refusal as refused:
        return Offers(pd.DataFrame(), _table(own), asked.maximum_tasks, str(refused))
    return Offers(found.guarantees, _table([*_found(needs, found, asked), *own]), asked.maximum_tasks)


Row = tuple[str, str, int, int]  # what it is, type, instances, headroom


def _found(needs: TaskNeeds, found: Recommendation, asked: Constraints) -> list[Row]:
    rows = [
        (FRONTIER, str(one["type"]), int(one["instances"]), int(str(spare))) for spare, one in found.frontier.iterrows()
    ]
    known = {row[1:3] for row in rows}
    others = ((str(name), int(count)) for name, count in found.fleets["instances"].items())
    return [*rows, *((OTHER, *one, _spare(needs, *one, asked)) for one in others if one not in known)]


def _own(config: Config, asked: Constraints) -> list[Row]:
    """The group in the parameters at its largest, if an instance takes the task at all."""
    group, needs = fleet(config), resources.needs(config)
    own = group.type_name, group.max_instances
    return [(OWN, *own, _spare(needs, *own, asked))] if group.per_instance(needs) else []


def _spare(needs: TaskNeeds, type_name: str, instances: int, asked: Constraints) -> int:
    return recommendation.covered(needs, type_name, instances, asked) - asked.maximum_tasks


def _table(rows: list[Row]) -> pd.DataFrame:
    """Rows with their prices, the cheapest first; those without a price are left out."""
    table = pd.DataFrame(rows, columns=["what", "type", "instances", "headroom"])
    table["usd_month"] = [monthly(name, number) for _, name, number, _ in rows]
    table.index = pd.Index([f"{number} x {name}" for _, name, number, _ in rows], name="fleet")
    return table.dropna().sort_values(["usd_month", "what", "type"])


def words(found: Offers) -> Prose:
    """What the table of offers says about the group in the parameters, in one or two sentences."""
    if found.refused:
        return Prose(f"There is nothing to choose from: {found.refused}.")
    best = found.fleets[found.fleets["what"] == FRONTIER].iloc[0]
    cheapest = f"{best.name} at {best['usd_month']:,.2f} US dollars per month"
    own = found.fleets[found.fleets["what"] == OWN]
    asked = counted(found.tasks, "task")
    if own.empty:
        return Prose(f"The type in the parameters fits no task. The cheapest that covers {asked} is {cheapest}.")
    mine, spare = own.iloc[0], int(own["headroom"].iloc[0])
    price = f"{mine.name}, its largest size, at {mine['usd_month']:,.2f} US dollars per month"
    if spare < 0:
        kept = f"The group in the parameters ({price}) keeps every guarantee for {found.tasks + spare} of {asked}."
        return Prose(f"{kept} The cheapest that keeps them for all is {cheapest}.")
    return Prose(
        f"The group in the parameters ({price}) keeps every guarantee for {asked} and {spare} more. "
        f"The cheapest that does so for {asked} is {cheapest}."
    )
