"""EC2 instance types as ECS sees them: what a container instance registers, and what it costs.

Sources, licences and the rules of the memory estimate: data/README.md. Everything is read from
the shipped files; nothing here talks to AWS. Where a live answer is at hand, it wins.
"""

from __future__ import annotations

import csv
import difflib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from slpnb.errors import ParameterError

if TYPE_CHECKING:  # pandas is imported where a table is made: the embedded AWS starts a second faster without it
    import pandas as pd

CPU_UNITS_PER_VCPU = 1024
DATA = Path(__file__).parent / "data"
COLUMNS = (
    "instance_type",
    "architecture",
    "vcpus",
    "nominal_mib",
    "interfaces",
    "branch_interfaces",
    "trunking_compatible",
    "gpus",
    "accelerated",
    "hypervisor",
    "current_generation",
    "burstable",
    "zones",
    "usd_per_hour",
)

Source = Literal["live", "measured", "sibling", "formula"]


@dataclass(frozen=True)
class InstanceType:
    """One EC2 instance type.

    ``nominal_mib`` is what it is sold with, ``cpu_units`` what the ECS agent registers (1024 per
    logical CPU), ``interfaces`` the network interfaces without and ``branch_interfaces`` those
    that ENI trunking adds, ``gpus`` the NVIDIA GPUs (ECS counts no others), ``burstable`` that its
    CPU above a baseline is paid for with credits, ``zones`` the availability zones of us-east-1
    that offer it, ``usd_per_hour`` the on-demand price of Linux in us-east-1 (None where it is not
    sold on demand).
    """

    name: str
    architecture: Literal["arm64", "x86_64"]
    vcpus: int
    nominal_mib: int
    interfaces: int
    branch_interfaces: int
    trunking_compatible: bool
    gpus: int
    accelerated: bool
    hypervisor: Literal["nitro", "xen", "metal"]
    current_generation: bool
    burstable: bool
    zones: tuple[str, ...]
    usd_per_hour: float | None

    @property
    def cpu_units(self) -> int:
        """What the ECS agent registers: 1024 units per logical CPU."""
        return self.vcpus * CPU_UNITS_PER_VCPU

    @property
    def family(self) -> str:
        """The name before the dot, such as c6i."""
        return self.name.partition(".")[0]


@dataclass(frozen=True, repr=False)
class RegisteredMemory:
    """The MiB that an instance type registers with ECS, and how that is known.

    ``value_mib`` is the best figure, ``at_least_mib`` the safe one: what a plan may count on.
    ``boots`` says how many boots were measured, ``nominal_mib`` what the type is sold with.
    """

    value_mib: int
    at_least_mib: int
    source: Source
    boots: int
    nominal_mib: int

    def __repr__(self) -> str:
        how = {
            "live": "as ECS reports it",
            "measured": f"measured, {self.boots} boot{'s' if self.boots > 1 else ''}",
            "sibling": "derived from measured sizes of its family",
            "formula": "estimated; no size of its family was measured",
        }[self.source]
        share = 100 * self.value_mib / self.nominal_mib
        return f"{self.value_mib} MiB   {how}   at least {self.at_least_mib}   ({share:.1f} % of {self.nominal_mib})"


def instance_type(name: str) -> InstanceType:
    """One type by name. Raises `ParameterError` with the nearest names when it is unknown."""
    found = types().get(name)
    if found is None:
        near = _nearest(name)
        raise ParameterError(
            f"instance type {name!r} is not in the catalogue of {len(types())} types"
            + (f"; did you mean {' or '.join(near)}?" if near else "")
        )
    return found


def registered_memory(name: str, live_mib: int | None = None) -> RegisteredMemory:
    """What instances of a type register, by the best source there is (data/README.md).

    ``live_mib`` is what DescribeContainerInstances said of one, with its ECS_RESERVED_MEMORY
    added back: it wins over the user's own file, and that over the shipped data.
    """
    facts = instance_type(name)
    if live_mib is not None:
        return RegisteredMemory(live_mib, live_mib, "live", 1, facts.nominal_mib)
    own = _own().get(name, {}).get("registered_mib")
    if own:
        return registered_memory(name, int(own))
    if name in _measured():
        return _from_boots(facts, _measured()[name])
    siblings = _siblings(facts.family, facts.hypervisor)
    return _from_siblings(facts, siblings) if siblings else _from_formula(facts)


@cache
def types() -> Mapping[str, InstanceType]:
    """Every type of the catalogue by name, sorted; the user's own file wins, value by value."""
    shipped, own = _rows(DATA / "instance_types.csv"), _own()
    # the ENI limits of trunking are in no API: a type that only the own file knows has none
    blank = {"branch_interfaces": "0", "trunking_compatible": "false"}
    merged = {name: {**shipped.get(name, blank), **own.get(name, {})} for name in sorted(shipped.keys() | own.keys())}
    try:
        return {name: _type(row) for name, row in merged.items()}
    except (KeyError, ValueError) as error:
        raise ParameterError(f"{own_file()}: a row lacks a column or a number: {error}") from error


def own_file() -> Path:
    """The user's own figures, as ``slpnb catalog refresh`` writes them: ``SLPNB_CATALOG``, or a file in ~/.config."""
    home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return Path(os.environ.get("SLPNB_CATALOG") or home / "slpnb" / "catalog.csv")


def reload() -> None:
    """Read the files again, after the user's own one has changed."""
    for cached in (types, table, measured, _siblings, _measured, _own):
        cached.cache_clear()


@cache
def table() -> pd.DataFrame:
    """Every type as a row (index: name), with registered memory, its safe bound and its source.

    MiB, CPU units and US dollars per hour; shared among callers, so copy it before changing it.
    """
    import pandas as pd

    rows = []
    for name, facts in types().items():
        memory = registered_memory(name)
        rows.append(
            {**asdict(facts), "family": facts.family, "cpu_units": facts.cpu_units}
            | {"registered_mib": memory.value_mib, "at_least_mib": memory.at_least_mib, "source": memory.source}
        )
    return pd.DataFrame(rows).set_index("name")


@cache
def measured() -> pd.DataFrame:
    """registered_memory.csv as a table: lowest and highest MiB of the boots measured of each type."""
    import pandas as pd

    rows = [{"name": name, **asdict(boots)} for name, boots in _measured().items()]
    return pd.DataFrame(rows).set_index("name")


@dataclass(frozen=True)
class Boots:
    """What the measured boots of one type reported, in MiB."""

    lowest_mib: int
    highest_mib: int
    boots: int


def errors() -> pd.DataFrame:
    """How the estimates do on measured types that they have not seen.

    One row per rule: "sibling" estimates each type from the rest of its family, "formula" each
    type as if nothing of its family had been measured (leave one family out). ``holds_percent``
    is the share whose bound is not above the lowest boot; the other columns are the MiB that the
    bound leaves unused at the median, and by how many the worst one is too high.
    """
    import pandas as pd

    everything = _measured()
    cases = {"sibling": _leave_type_out(everything), "formula": _leave_family_out(everything)}
    rows = {rule: _error_row(list(pairs)) for rule, pairs in cases.items()}
    return pd.DataFrame.from_dict(rows, orient="index")


Pair = tuple[int, int]  # bound, lowest boot


def _leave_type_out(everything: Mapping[str, Boots]) -> Iterator[Pair]:
    for name, boots in everything.items():
        facts = types()[name]
        rest = {other: value for other, value in _siblings(facts.family, facts.hypervisor).items() if other != name}
        if rest:
            yield _from_siblings(facts, rest).at_least_mib, boots.lowest_mib


def _leave_family_out(everything: Mapping[str, Boots]) -> Iterator[Pair]:
    for name, boots in everything.items():
        yield _from_formula(types()[name]).at_least_mib, boots.lowest_mib


def _error_row(pairs: Sequence[Pair]) -> dict[str, float]:
    spare = np.array([lowest - bound for bound, lowest in pairs])
    return {
        "types": len(pairs),
        "holds": int((spare >= 0).sum()),
        "holds_percent": round(100 * float((spare >= 0).mean()), 2),
        "median_unused_mib": float(np.median(spare)),
        "worst_excess_mib": float(max(0, -spare.min())),
    }


# The rules of data/README.md: what a bound gives away, measured over the boots of all types.
BOOT_SPREAD_MIB = 4
SMALL_MIB, SMALL_SPREAD_MIB = 2048, 12
UNSTEADY_FAMILIES, UNSTEADY_SHARE = ("c5", "c5d", "m5", "m5d"), 0.025
SIBLING_SHARE = 0.01
FORMULA_MIB, FORMULA_SHARE = 200, 0.039
ACCELERATED_SHARE = 0.08  # the worst measured, g4dn and p4d among them, loses 7.6 % beyond the 200 MiB


def _from_boots(facts: InstanceType, boots: Boots) -> RegisteredMemory:
    lowest = boots.lowest_mib
    unsteady = facts.family in UNSTEADY_FAMILIES
    bound = int(lowest * (1 - UNSTEADY_SHARE)) if unsteady else lowest - _boot_spread(facts)
    return RegisteredMemory(lowest, bound, "measured", boots.boots, facts.nominal_mib)


def _from_siblings(facts: InstanceType, siblings: Mapping[str, Boots]) -> RegisteredMemory:
    """Interpolate what the kernel keeps over the nominal sizes; beyond the largest, in proportion."""
    known = sorted((types()[name].nominal_mib, boots.lowest_mib) for name, boots in siblings.items())
    sizes = [float(nominal) for nominal, _ in known]
    kept = [float(nominal - lowest) for nominal, lowest in known]
    overhead = float(np.interp(facts.nominal_mib, sizes, kept)) * max(1.0, facts.nominal_mib / sizes[-1])
    value = int(facts.nominal_mib - overhead)
    bound = int(value * (1 - SIBLING_SHARE)) - _boot_spread(facts)
    return RegisteredMemory(value, bound, "sibling", 0, facts.nominal_mib)


def _from_formula(facts: InstanceType) -> RegisteredMemory:
    share = ACCELERATED_SHARE if facts.accelerated else FORMULA_SHARE
    bound = int(facts.nominal_mib * (1 - share)) - FORMULA_MIB
    return RegisteredMemory(bound, bound, "formula", 0, facts.nominal_mib)


def _boot_spread(facts: InstanceType) -> int:
    return SMALL_SPREAD_MIB if facts.nominal_mib <= SMALL_MIB else BOOT_SPREAD_MIB


@cache
def _siblings(family: str, hypervisor: str) -> Mapping[str, Boots]:
    """The measured sizes of a family; bare metal apart, since no hypervisor takes its share there."""
    alike = (name for name, facts in types().items() if (facts.family, facts.hypervisor) == (family, hypervisor))
    return {name: _measured()[name] for name in alike if name in _measured()}


@cache
def _measured() -> Mapping[str, Boots]:
    return {
        name: Boots(int(row["registered_mib_min"]), int(row["registered_mib_max"]), int(row["boots"]))
        for name, row in _rows(DATA / "sources" / "registered_memory.csv").items()
    }


@cache
def _own() -> Mapping[str, Mapping[str, str]]:
    """The user's own file, without the values that it leaves empty; nothing where there is no file."""
    path = own_file()
    rows = _rows(path) if path.exists() else {}
    return {name: {column: value for column, value in row.items() if value} for name, row in rows.items()}


def _rows(path: Path) -> dict[str, dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return {row["instance_type"]: row for row in csv.DictReader(file)}


def _type(row: Mapping[str, str]) -> InstanceType:
    return InstanceType(
        name=row["instance_type"],
        architecture="arm64" if row["architecture"] == "arm64" else "x86_64",
        vcpus=int(row["vcpus"]),
        nominal_mib=int(row["nominal_mib"]),
        interfaces=int(row["interfaces"]),
        branch_interfaces=int(row["branch_interfaces"]),
        trunking_compatible=row["trunking_compatible"] == "true",
        gpus=int(row["gpus"]),
        accelerated=row["accelerated"] == "true",
        hypervisor="nitro" if row["hypervisor"] == "nitro" else "xen" if row["hypervisor"] == "xen" else "metal",
        current_generation=row["current_generation"] == "true",
        burstable=row["burstable"] == "true",
        zones=tuple(row["zones"].split()),
        usd_per_hour=float(row["usd_per_hour"]) if row.get("usd_per_hour") else None,
    )


def _nearest(name: str) -> list[str]:
    """Names a reader may have meant: the same family or size first, in order of similarity."""
    squeezed = re.sub(r"[^a-z0-9.-]", "", name.lower())
    return difflib.get_close_matches(squeezed, types(), n=3, cutoff=0.6)
