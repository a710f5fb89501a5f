"""What the company already has when the runbook starts."""

from __future__ import annotations

from typing import Any

ENDPOINT = ""


def sow(variant: str = "") -> None:
    """Seed."""


def blob(digest: str) -> bytes:
    """Blob."""
    return b""


def foreign() -> dict[str, Any]:
    """Foreign."""
    return {}
