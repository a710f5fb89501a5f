"""The steps in order, and the module behind each notebook."""

from __future__ import annotations

import importlib
from typing import Any, Protocol

from slpnb.aws import Aws
from slpnb.config import Config
from slpnb.plan import Observed, Plan, Wanted
from slpnb.verdict import Verdicts

NOTEBOOKS = (
    "00_start",
    "10_image",
    "20_network",
    "30_efs",
    "40_secrets",
    "50_cluster",
    "60_sizing",
    "70_task",
    "80_service",
    "99_destroy",
)
STEPS = ("10_image", "20_network", "30_efs", "40_secrets", "50_cluster", "70_task", "80_service")
WRITING = (*STEPS, "99_destroy")  # the other notebooks read at most


class StepModule(Protocol):
    """The verbs of a step module. Destroying means planning with nothing wanted."""

    STEP: str

    def desired(self, config: Config) -> Wanted:
        """What the parameters ask for."""

    def observe(self, aws: Aws) -> Observed:
        """What AWS holds."""

    def plan(self, want: Wanted, have: Observed) -> Plan:
        """The difference."""

    def verify(self, aws: Aws, want: Wanted) -> Verdicts:
        """Read back."""


def step(notebook: str) -> StepModule:
    """The module behind a notebook: 30_efs -> slpnb.efs."""
    module: Any = importlib.import_module(f"slpnb.{notebook.partition('_')[2]}")
    return module  # type: ignore[no-any-return]
