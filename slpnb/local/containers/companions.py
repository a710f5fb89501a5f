"""What stands beside the tasks: the run's network, the database, the front door."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from slpnb.engine import Engine
from slpnb.local.containers import translate


class Companions:
    """Database and front door of a run; made when the first task needs them."""

    def __init__(self, engine: Engine, run: str, folder: Path, port: int) -> None:
        self.engine, self.run, self.folder, self.port = engine, run, folder, port
        self.network = f"slpnb-{run}"
        self._lock = threading.Lock()
        engine.client.networks.create(self.network, driver="bridge", labels=translate.labels(run, "network"))

    def hosts(self, database: Any) -> Mapping[str, str]:
        """The addresses of what stands in for other services."""
        return {}

    def is_busy(self, task: str) -> bool:
        """Whether the front door still has requests under way to a task."""
        return False

    def balance(self, ecs: Any, tasks: Mapping[str, Any]) -> None:
        """Forward to what is healthy."""

    def reset(self) -> None:
        """As at the start."""

    def facts(self) -> dict[str, Any]:
        """Where they are."""
        return {}
