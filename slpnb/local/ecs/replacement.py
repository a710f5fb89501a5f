"""Puts the embedded ECS in moto's place."""

from slpnb.local.base.replace import replace_backend, replace_responses
from slpnb.local.ecs.backend import Backend
from slpnb.local.ecs.responses import Responses


def install() -> None:
    """Replace moto's backend and responses wherever moto looks for them; again changes nothing."""
    replace_backend("ecs", Backend)
    replace_responses("ecs", Responses)
