"""How a container ended, as ECS shows it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Ended:
    """A container's exit code, None if it never ran, and the reason that ECS gives for its end."""

    exit_code: int | None
    reason: str = ""
