"""70_task: the task definition, registered whole from the parameters, and the log that its container writes."""

from .smoke import build_and_start as build_and_start
from .step import (
    STEP as STEP,
    checks as checks,
    definition as definition,
    desired as desired,
    find_definitions as find_definitions,
    fits as fits,
    network_modes as network_modes,
    observe as observe,
    plan as plan,
    variables as variables,
    verify as verify,
)
