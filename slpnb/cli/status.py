"""What exists of each step, and what the parameters are: the tables of ``slpnb status`` and ``slpnb params``."""

from __future__ import annotations

import pandas as pd

from slpnb.aws import Aws
from slpnb.config import Config
from slpnb.config.parameters import Section
from slpnb.errors import ParameterError, Refusal
from slpnb.runbook.steps import STEPS, step


def table(aws: Aws) -> pd.DataFrame:
    """One row per step: how many resources the kit made, what the plan would do, and their names."""
    return pd.DataFrame([_row(name, aws) for name in STEPS], columns=["step", "exists", "plan", "resources"])


def _row(name: str, aws: Aws) -> tuple[str, str, str, str]:
    module = step(name)
    have = module.observe(aws)
    ours = [found for found in have.values() if found.step == module.STEP]
    try:
        planned = module.plan(module.desired(aws.config), have).summary()
    except Refusal as refusal:
        planned = str(refusal)
    kinds = ", ".join(sorted(f"{found.kind} {found.name}" for found in ours))
    return name, f"{len(ours)}" if ours else "-", planned, kinds or "-"


def parameters(config: Config, section: str | None = None) -> pd.DataFrame:
    """Every parameter: name, value, meaning and where it comes from. Raises `ParameterError`."""
    sections = [name for name in type(config).model_fields if isinstance(getattr(config, name), Section)]
    if section is not None and section not in sections:
        raise ParameterError(f"--section {section}: the sections are {', '.join(sections)}")
    tables = [config.table(name) for name in ([section] if section else sections)]
    return pd.concat(tables).reset_index()
