"""70_task: the task definition, registered whole from the parameters, and the log that its container writes."""

from .smoke import build_and_start as build_and_start
from .step import (
    STEP as STEP,
    checks as checks,
    desired as desired,
    find_definitions as find_definitions,
    fits as fits,
    observe as observe,
    plan as plan,
    verify as verify,
)
from .task_definition import definition as definition, network_modes as network_modes, variables as variables
