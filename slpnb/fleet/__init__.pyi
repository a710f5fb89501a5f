"""A fleet of container instances under one service, and how many tasks it holds."""

from . import remedies as remedies, replay as replay
from .group import (
    HOURS_A_MONTH as HOURS_A_MONTH,
    Fleet as Fleet,
    fit as fit,
    fleet as fleet,
    monthly as monthly,
)
from .rollout import running as running
