"""Which task fits which instances, how many times, what is left, and whether an update works."""

from . import busy_day as busy_day, charts as charts, headroom as headroom, measure as measure, prose as prose
from .checks import refusals as refusals, verdict as verdict
from .measurements import latest as latest
from .tables import (
    Fleet as Fleet,
    TaskNeeds as TaskNeeds,
    budget as budget,
    capacity as capacity,
    cases as cases,
    compare as compare,
    deployment as deployment,
    fit as fit,
    inputs as inputs,
    losing_a_zone as losing_a_zone,
    memory_budget as memory_budget,
    placement as placement,
    prices as prices,
    rollout as rollout,
    ways_out as ways_out,
)
from .widgets import Trial as Trial
