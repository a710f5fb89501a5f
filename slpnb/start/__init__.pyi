"""00_start: who is calling, what exists, and every refusal that follows, before anything is created."""

from . import contradictions as contradictions
from .preflight import (
    caller as caller,
    compute_choices as compute_choices,
    demand as demand,
    existing as existing,
    made as made,
    predictable as predictable,
    quota_verdicts as quota_verdicts,
    refusals as refusals,
    survey as survey,
    what_if as what_if,
)
