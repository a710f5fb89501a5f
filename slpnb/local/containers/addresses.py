"""Where a running container is reached."""

from __future__ import annotations

from typing import Any


def address(container: Any) -> str:
    """A container's address on the run's network; empty where it shares another's."""
    networks = container.attrs["NetworkSettings"].get("Networks") or {}
    return next((str(one["IPAddress"]) for one in networks.values() if one["IPAddress"]), "")


def published(container: Any) -> dict[int, int]:
    """Container port to the loopback's."""
    ports = container.attrs["NetworkSettings"].get("Ports") or {}
    return {int(inner.partition("/")[0]): int(outer[0]["HostPort"]) for inner, outer in ports.items() if outer}
