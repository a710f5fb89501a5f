"""The sizing notebook's sentences about the reader's own service, computed from the same values as its tables.

Prose about values that parameters change must change with them, so it is computed; each sentence
here says only what the table or chart above it shows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from slpnb.fleet import fit, fleet
from slpnb.fleet.rollout import deployment
from slpnb.words import counted

if TYPE_CHECKING:
    import pandas as pd

    from slpnb.config import Config
    from slpnb.fleet.replay import Replay


class Prose(str):
    """Text that a notebook shows as Markdown."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)

    def _repr_markdown_(self) -> str:
        return str(self)


def fits(config: Config) -> Prose:
    """Whether one task fits, and how many do."""
    found = fit(config)
    name, asked, left = found.type_name, found.needs.memory_mib, found.left_mib
    if not found.short:
        each = fleet(config).per_instance(found.needs)
        most = f"{counted(each, 'task')} of {asked} MiB {'fit' if each > 1 else 'fits'} on one {name}"
        rest = found.left_mib - each * asked
        stops = (
            f"{found.limited_by} would be short" if each == found.count else "the placement is one task per instance"
        )
        return Prose(f"{most}. One more does not: {stops}, with {rest} MiB of memory left.")
    others = [str(item) for item in found.short if item.resource != "memory"]
    memory = [f"{asked} MiB are asked and {left} are left, short by {found.short_mib} MiB"] if found.short_mib else []
    return Prose(f"Not one task can be placed on a {name}: {'; '.join([*memory, *others])}.")


def updates(config: Config) -> Prose:
    """Whether a rolling update finishes, and on what."""
    update = deployment(config)
    if not update.stages:
        return Prose("The desired count is 0, so there is nothing to replace.")
    if update.incomplete:
        return Prose(f"There is nothing to update: the tasks never start ({update.stuck}).")
    if update.stuck:
        return Prose(f"The update hangs at stage {update.stages[-1].number}: {update.stuck}.")
    on = counted(update.instances, "instance")
    grown = update.instances - update.started_with
    why = "which managed scaling has to start first" if update.waits else "which no task has to wait for"
    extra = f", {grown} more than run otherwise, {why}" if grown else ""
    return Prose(f"The update finishes on {on}{extra}, and {_fewest(update.played, 'is', 'are')}.")


def replayed(played: Replay) -> Prose:
    """How a replayed deployment came out, and when."""
    if not played.lives:
        return Prose("The desired count is 0, so nothing happens.")
    if not played.steady:
        what = "The service never starts" if played.first else "The update does not finish"
        ends = "ECS has given up" if played.failed else "it has got no further"
        return Prose(f"{what}; after {played.seconds // 60} minutes {ends}: {played.why.rstrip('.')}.")
    grown = f" {counted(played.waited, 'task')} had to wait for a new instance." if played.waited else ""
    return Prose(f"Steady after {played.seconds} seconds; {_fewest(played, 'was', 'were')}.{grown}")


def _fewest(played: Replay, one: str, many: str) -> str:
    """The fewest healthy tasks, with the verb for one and for many."""
    low = played.lowest
    words = f"never fewer than {counted(low, 'task')} {one if low == 1 else many} healthy"
    return words if low else f"at times none {one} healthy"


def loses(table: pd.DataFrame) -> Prose:
    """What the table of a lost zone says in one sentence."""
    worst = table.sort_values(["survive", "placed"], kind="stable").iloc[0]
    tasks, survive, placed, wait = (int(worst[column]) for column in ("tasks", "survive", "placed", "wait"))
    if not tasks:
        return Prose("No task is running, so losing a zone stops none.")
    if tasks == 1 and not survive:
        where = (
            "is placed at once in another zone" if placed else "waits until the group has started an instance elsewhere"
        )
        return Prose(f"The one task stops with its zone and {where}. Until it runs again, nothing answers.")
    more = f"{placed} more {'is' if placed == 1 else 'are'} placed at once on the other zones' instances"
    late = f"{wait} {'waits' if wait == 1 else 'wait'} until the group has started an instance elsewhere"
    rest = [words for words, number in ((more, placed), (late, wait)) if number]
    said = f"In the worst case {survive} of {counted(tasks, 'task')} keep{'s' if survive == 1 else ''} running"
    return Prose(", ".join([said, *rest]) + ("." if survive else ". Until then nothing answers."))


def choice(config: Config, table: pd.DataFrame) -> Prose:
    """Which row of `sizing.prices` the parameters choose, against the cheapest."""
    name = config.cluster.instance_type
    if name not in table.index:
        return Prose(f"The parameters choose {name}, which does not take the task.")
    prices = table["usd_task_month"]
    own, least = float(prices.to_dict()[name]), float(prices.min())
    price = f"{own:.2f} US dollars per task per month"
    if own == least:
        return Prose(f"The parameters choose {name}: at {price} no candidate is cheaper.")
    return Prose(
        f"The parameters choose {name} at {price}: {own - least:.2f} more than {table.index[0]}, the cheapest."
    )
