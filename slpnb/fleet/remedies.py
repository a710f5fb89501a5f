"""Ways to make a task work that does not fit or cannot be updated in place, by price."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import pandas as pd

from slpnb import catalog
from slpnb.ecs.placement import Fit, how_many
from slpnb.ecs.resources import ARCHITECTURE, TaskNeeds
from slpnb.fleet import packing
from slpnb.fleet.group import fit, monthly
from slpnb.fleet.rollout import Setting, played, setting

if TYPE_CHECKING:
    from slpnb.config import Config


def cheapest(
    needs: TaskNeeds,
    *,
    reserved_mib: int = 0,
    zones: Sequence[str] = (),
    tasks: int = 1,
    rows: int = 3,
    trunking: bool = False,
) -> pd.DataFrame:
    """The cheapest types of the catalogue of which one instance takes ``tasks`` of a task, by price.

    Of `packing.candidates`: current types with a price, offered in all ``zones`` of us-east-1. Ties go to the name.
    """
    empty = packing.empties(packing.candidates(zones), reserved_mib, trunking)
    names = [one.type_name for one in empty if how_many(needs, one)[0] >= tasks]
    columns = ["architecture", "vcpus", "nominal_mib", "at_least_mib", "usd_per_hour"]
    table = catalog.table().loc[names, columns]
    return table.reset_index().sort_values(["usd_per_hour", "name"]).set_index("name").head(rows)


Way = tuple[str, Setting]  # in words, and with everything else as it is


def ways_out(config: Config) -> pd.DataFrame:
    """What would make the parameters' task fit and its update finish, by price a month (a row each).

    Ways that leave the update stuck are shown too, below those that work.

    ``holds`` counts the tasks of one instance; ``instances`` run during an update, and
    ``usd_month`` is what those cost. Each way keeps everything else as the parameters have it.
    """
    ways = pd.DataFrame([_row(*way) for way in _ways(config)]).sort_values(["usd_month", "way"])
    return ways.sort_values("update", key=lambda update: update == "stuck", kind="stable").set_index("way")


def known_zones(config: Config) -> list[str]:
    """The zones in use, as far as the catalogue knows offers (us-east-1 only)."""
    return config.zones if config.aws.region == "us-east-1" else []


def _row(words: str, way: Setting) -> dict[str, object]:
    update = played(way)
    return {
        "way": words,
        "type": way.fleet.type_name,
        "task_mib": way.needs.memory_mib,
        "reserve_mib": way.fleet.reserved_mib,
        "holds": way.fleet.per_instance(way.needs),
        "update": "stuck" if update.stuck else "finishes" if update.lowest else "finishes, with downtime",
        "instances": update.instances,
        "usd_month": monthly(way.fleet.type_name, update.instances),
    }


def _ways(config: Config) -> Iterator[Way]:
    now, found = setting(config), fit(config)
    group = now.fleet
    yield "as in the parameters", now
    yield from _smaller(now, found) if found.short else _same_type(now)
    for tasks, words in ((1, "the cheapest type that takes it"), (2, "the cheapest type that takes two")):
        types = cheapest(
            found.needs,
            reserved_mib=group.reserved_mib,
            zones=known_zones(config),
            tasks=tasks,
            rows=1,
            trunking=group.trunking,
        )
        for name in types.index:
            if name != group.type_name:
                yield words, replace(now, fleet=replace(group, type_name=str(name)))


def _smaller(now: Setting, found: Fit) -> Iterator[Way]:
    """The task cut down to what the instance has, and where that would do, a smaller reserve."""
    words, needs = [], found.needs
    for item in found.short:
        if item.resource == "memory":
            words.append(f"{found.left_mib} MiB")
            needs = replace(needs, memory_mib=found.left_mib)
        elif item.resource == "cpu":
            words.append(f"{item.free} CPU units")
            needs = replace(needs, cpu_units=item.free)
        elif item.resource == "gpus":
            words.append(f"{item.free or 'no'} GPU")
            needs = replace(needs, gpus=item.free)
        elif item.what.startswith(ARCHITECTURE):
            have = catalog.instance_type(found.type_name).architecture
            words.append(f"an {have} image")
            needs = replace(needs, attributes=((ARCHITECTURE, have),))
    yield f"a task of {', '.join(words)}", replace(now, needs=needs)
    reserve = found.registered.at_least_mib - found.needs.memory_mib
    if found.short_mib and reserve >= 0 and len(found.short) == 1:
        yield f"a reserve of {reserve} MiB", replace(now, fleet=replace(now.fleet, reserved_mib=reserve))


def _same_type(now: Setting) -> Iterator[Way]:
    """What lets a stuck update finish on the same type: other percentages, or one more instance."""
    update = played(now)
    if not update.stuck:
        return
    if update.failure is None:
        yield "minimum 100 %, maximum 200 %", replace(now, minimum_healthy_percent=100, maximum_percent=200)
    else:
        limit = now.fleet.max_instances + 1
        words = f"one more instance: max_instances {limit}"
        yield words, replace(now, fleet=replace(now.fleet, max_instances=limit))
    words = "stop before start: minimum 0 %, maximum 100 %"
    yield words, replace(now, minimum_healthy_percent=0, maximum_percent=100)
