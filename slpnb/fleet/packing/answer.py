"""The answer of ``slpnb size --service``: several services on shared instances, or which of them fits nowhere.

Pure: services and type names in, sentences and plain values out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor
from typing import Any

from slpnb.errors import ParameterError
from slpnb.fleet.packing.services import Batch, Demand, Objective, Packing, candidates, empties, misfits, pack
from slpnb.words import counted

CAVEAT = (
    "ECS places tasks one at a time and may need more instances; what an update or a lost zone takes is not included."
)
SUPERLATIVES: Mapping[Objective, str] = {"cost": "cheapest", "instances": "fewest"}


@dataclass(frozen=True)
class Shared:
    """Services on shared instances of some of the ``types`` considered.

    ``misfits`` has a sentence for each service that none of the types takes; ``packing`` is None
    when there is one.
    """

    demands: tuple[Demand, ...]
    types: int
    misfits: tuple[str, ...]
    packing: Packing | None

    @property
    def tasks(self) -> int:
        """The tasks of all services."""
        return sum(one.tasks for one in self.demands)

    def record(self) -> dict[str, Any]:
        """The answer as plain values for JSON: MiB, CPU units, US dollars; None where it has no meaning."""
        found = self.packing
        return {
            "ok": found is not None,
            "services": [
                {"name": one.name, "memory_mib": one.needs.memory_mib, "cpu_units": one.needs.cpu_units}
                | {"tasks": one.tasks}
                for one in self.demands
            ],
            "misfits": list(self.misfits),
            "types_considered": self.types,
            "minimise": found and found.objective,
            "instances": found and found.instances,
            "usd_month": found and found.usd_month,
            "least_possible": found and found.bound,
            "at_most_percent_above": found and percent_above(found),
            "batches": [] if found is None else [self.row(one) for one in found.batches],
        }

    def row(self, batch: Batch) -> dict[str, Any]:
        """A batch as plain values, flat, for JSON and CSV: ``tasks_NAME`` are a service's tasks on each instance."""
        return {
            "type": batch.type_name,
            "instances": batch.instances,
            **{f"tasks_{one.name}": batch.tasks.get(one.name, 0) for one in self.demands},
            "left_mib": batch.left_mib,
            "left_cpu_units": batch.left_cpu_units,
            "usd_month": batch.usd_month,
        }


def share(
    demands: Sequence[Demand],
    types: Sequence[str] = (),
    *,
    minimise: Objective = "cost",
    reserved_mib: int = 0,
    trunking: bool = False,
) -> Shared:
    """Pack services onto instances of the named types, or of any current one that is neither burstable nor unpriced.

    ``reserved_mib`` is ECS_RESERVED_MEMORY, ``trunking`` whether ENI trunking is on. Raises
    `ParameterError` for services of the same name, an unknown type, one without a price where the
    cost counts, and for the fewest instances of unnamed types, which would be the largest there is.
    """
    (name, times), *_ = Counter(one.name for one in demands).most_common(1)
    if times > 1:
        raise ParameterError(f"service {name} is given {times} times: each service must have a name of its own")
    if minimise == "instances" and not types:
        raise ParameterError(
            "minimise instances: name the types, such as --type c6i.large; otherwise the largest type always wins"
        )
    empty = empties(types or candidates(), reserved_mib, trunking)
    lacking = misfits(demands, empty)
    return Shared(tuple(demands), len(empty), tuple(lacking), None if lacking else pack(demands, empty, minimise))


def percent_above(found: Packing) -> float:
    """By how many percent a packing is at most above the least possible, rounded up to hundredths."""
    return ceil(100 * found.gap_percent) / 100 if found.value > found.bound else 0.0


def sentences(shared: Shared, found: Packing) -> list[str]:
    """What the packing takes, and how far from the least possible that is at most."""
    many = counted(found.instances, "instance")
    price = "no price is known" if found.usd_month is None else f"{found.usd_month:,.2f} US dollars per month"
    where = f"the {shared.types} types considered" if shared.types > 1 else "the type considered"
    if found.value <= found.bound:
        return [f"{many}, {price}: the {SUPERLATIVES[found.objective]} possible on {where}."]
    return [
        f"{many}, {price}: at most {percent_above(found):.2f} % above the least possible.",
        f"No packing on {where} {_least(found)}.",
    ]


def _least(found: Packing) -> str:
    if found.objective == "instances":
        return f"needs fewer than {found.bound:.0f} instances"
    return f"costs less than {floor(100 * found.bound) / 100:,.2f} US dollars per month"
