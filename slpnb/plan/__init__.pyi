"""The one engine of every step: compare what is wanted with what AWS holds, show it, apply it."""

from .model import (
    Call as Call,
    Change as Change,
    Found as Found,
    Id as Id,
    Kind as Kind,
    Observed as Observed,
    Plan as Plan,
    Resource as Resource,
    Script as Script,
    Wait as Wait,
    Wanted as Wanted,
    plan as plan,
    resolve as resolve,
    verify as verify,
)
