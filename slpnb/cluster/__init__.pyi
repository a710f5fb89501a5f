"""50_cluster: the instances: launch template, Auto Scaling group, capacity provider, and the ECS cluster."""

from . import instances as instances
from .step import (
    STEP as STEP,
    agent as agent,
    desired as desired,
    find_cluster as find_cluster,
    observe as observe,
    plan as plan,
    preflight as preflight,
    provider_name as provider_name,
    registered as registered,
    verify as verify,
)
