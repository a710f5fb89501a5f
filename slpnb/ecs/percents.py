"""How many tasks a deployment's percentages allow."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """How many tasks a deployment must keep healthy (``lower``) and may run at once (``upper``)."""

    lower: int
    upper: int

    @property
    def forbid(self) -> bool:
        """Whether no deployment of any task can move: none may stop, and none may start."""
        return self.lower >= self.upper


def limits(desired: int, minimum_healthy_percent: int, maximum_percent: int) -> Limits:
    """The minimum rounds UP and the maximum DOWN (docs/ecs-facts.md#deployments)."""
    return Limits(-(-desired * minimum_healthy_percent // 100), desired * maximum_percent // 100)
