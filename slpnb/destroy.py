"""99_destroy: everything of this environment that the kit made, in dependency order, and nothing else.

What the kit made carries its tags; each step's own ``observe`` finds it, and its own kinds know
how to delete it. This module only reverses the steps and refuses to delete what must stay.
"""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from slpnb.aws import Aws, observation, same_observation
from slpnb.config import Config
from slpnb.plan import Change, Found, Observed, Plan
from slpnb.steps import STEPS, step
from slpnb.verdict import Verdict, Verdicts, ng, ok

STEP = "99_destroy"
CONFIRMATION = "destroy production"
# EFS meters 6 KiB for an empty file system and as much again for the access point's directory
# (EFS User Guide, "How Amazon EFS reports file system and object sizes").
EMPTY_FILE_SYSTEM_BYTES = 12_288


@observation
def observe(aws: Aws) -> Observed:
    """What the kit made for this environment, over all steps, in the order in which it was made."""
    found = {key: item for name in STEPS for key, item in step(name).observe(aws).items() if item.step == name}
    return dict(sorted(found.items(), key=lambda item: STEPS.index(item[1].step)))


def count(have: Observed) -> pd.DataFrame:
    """What there is to destroy: step (index), number of resources, their names. Pure."""
    rows = [(name, *_made_in(name, have)) for name in reversed(STEPS)]
    return pd.DataFrame(rows, columns=["step", "resources", "names"]).set_index("step")


def _made_in(name: str, have: Observed) -> tuple[int, str]:
    made = [found for found in have.values() if found.step == name]
    return len(made), ", ".join(dict.fromkeys(f"{found.kind} {found.name}" for found in made)) or "-"


@observation
def plan(aws: Aws) -> Plan:
    """One plan that deletes everything, the last step's resources first."""
    observed: dict[str, Found] = {}
    changes: list[Change] = []
    for name in reversed(STEPS):
        have = step(name).observe(aws)
        changes += step(name).plan((), have).changes
        observed |= have
    return Plan(STEP, tuple(changes), observed)


def refusals(config: Config, have: Observed) -> Verdicts:
    """What must not be deleted: production without its own confirmation, a file system that holds data. Pure."""
    return Verdicts.of([_confirmed(config), *_data(config, have)])


def _confirmed(config: Config) -> Verdict:
    if config.environment != "production":
        return ok("confirmation", f"{config.environment} needs none")
    if config.destroy.confirm == CONFIRMATION:
        return ok("confirmation", f'destroy.confirm is "{CONFIRMATION}"')
    return ng("confirmation", f'production is destroyed only with destroy.confirm "{CONFIRMATION}"')


def _data(config: Config, have: Observed) -> Iterator[Verdict]:
    for found in (found for found in have.values() if found.kind == "file system"):
        size = found.facts["bytes"]
        held = f"{found.name} holds {size:,} bytes"
        if size <= EMPTY_FILE_SYSTEM_BYTES:
            yield ok("uploads", f"{found.name} is empty")
        elif config.destroy.delete_data:
            yield ok("uploads", f"{held}, and destroy.delete_data is true")
        else:
            yield ng("uploads", f"{held}: deleted only with destroy.delete_data true")


@same_observation
def absent(aws: Aws) -> Verdicts:
    """Read back, step by step: nothing that the kit made is left."""
    have = observe(aws)
    return Verdicts.of(_absent(name, have) for name in reversed(STEPS))


def _absent(name: str, have: Observed) -> Verdict:
    number, names = _made_in(name, have)
    return ng(name, f"{number} left: {names}") if number else ok(name, "nothing left")
