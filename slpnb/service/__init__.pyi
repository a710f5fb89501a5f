"""80_service: the service behind its load balancer, its scaling, its alarms and its name."""

from . import stability as stability
from .step import (
    STEP as STEP,
    desired as desired,
    observe as observe,
    part as part,
    plan as plan,
    verify as verify,
)
