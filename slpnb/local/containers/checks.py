"""Health checks: a target's and a container's, each with its thresholds. Pure.

Sources: Application Load Balancers user guide, "Health checks for your target groups" and "Target
health reason codes" (one passed check makes a new target healthy); Amazon ECS API reference,
HealthCheck (a failure within the start period does not count).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final, Literal

HEALTHY: Final = "HEALTHY"
UNHEALTHY: Final = "UNHEALTHY"
UNKNOWN: Final = "UNKNOWN"
State = Literal["HEALTHY", "UNHEALTHY", "UNKNOWN"]
TIMED_OUT = ("Target.Timeout", "Request timed out")
REFUSED = ("Target.FailedHealthChecks", "Health checks failed")


@dataclass(frozen=True)
class Rule:
    """When a check is made, in seconds, and how many results in a row change its verdict."""

    interval: float
    timeout: float
    rise: int
    fall: int
    start_period: float = 0


@dataclass(frozen=True)
class Result:
    """One check: passed or not, and ELB's reason code and words for it."""

    passed: bool
    code: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Health:
    """The verdict so far, and how many results in a row contradict it."""

    state: State = UNKNOWN
    against: int = 0
    code: str = ""
    reason: str = ""


def judge(rule: Rule, health: Health, result: Result, running_seconds: float) -> Health:
    """The verdict after one more result."""
    if result.passed:
        return _passed(rule, health)
    if health.state == UNKNOWN and running_seconds < rule.start_period:
        return health
    failed = replace(health, against=health.against + 1 if health.state != UNHEALTHY else 0)
    if health.state != UNHEALTHY and failed.against >= rule.fall:
        return Health(UNHEALTHY, 0, result.code, result.reason)
    return failed


def _passed(rule: Rule, health: Health) -> Health:
    """The first success makes a new one healthy; one that was unhealthy needs ``rise`` of them."""
    if health.state == UNHEALTHY and health.against + 1 < rule.rise:
        return replace(health, against=health.against + 1)
    return Health(HEALTHY)


def together(checks: list[Health]) -> Health:
    """A task's health: unhealthy where one check says so, healthy when all do."""
    bad = next((one for one in checks if one.state == UNHEALTHY), None)
    if bad:
        return bad
    return Health(HEALTHY) if all(one.state == HEALTHY for one in checks) else Health()


def container_rule(check: dict[str, Any]) -> Rule:
    """A container's health check, with ECS's defaults."""
    interval, timeout = float(check.get("interval") or 30), float(check.get("timeout") or 5)
    return Rule(interval, timeout, 1, int(check.get("retries") or 3), float(check.get("startPeriod") or 0))


def answered(status: int, matcher: str) -> Result:
    """An HTTP answer compared with a target group's matcher ("200", "200,302", "200-299")."""
    if any(_matches(status, part) for part in matcher.split(",")):
        return Result(True)
    return Result(False, "Target.ResponseCodeMismatch", f"Health checks failed with these codes: [{status}]")


def _matches(status: int, part: str) -> bool:
    low, _, high = part.strip().partition("-")
    return int(low) <= status <= int(high or low)


def test_command(command: list[str]) -> list[str]:
    """What a container health check runs: CMD is an argument list, CMD-SHELL a line for the shell."""
    if command[0] == "CMD-SHELL":
        return ["/bin/sh", "-c", command[1]]
    return command[1:] if command[0] == "CMD" else list(command)
