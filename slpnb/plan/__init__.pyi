"""The one way in which every step compares what is wanted with what AWS holds, shows it and applies it."""

from . import fields as fields
from .account import arn as arn, find_account as find_account
from .apply import Applied as Applied
from .changes import Plan as Plan, Script as Script
from .comparison import compare as compare, read_back as read_back, resolve as resolve
from .model import (
    Call as Call,
    Change as Change,
    Found as Found,
    Id as Id,
    Kind as Kind,
    Observed as Observed,
    Resource as Resource,
    Wait as Wait,
    Wanted as Wanted,
)
