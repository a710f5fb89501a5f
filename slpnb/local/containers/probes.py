"""The two kinds of health check: a request to a target, a command in a container."""

from __future__ import annotations

import http.client
import ssl
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from slpnb.engine.container_arguments import LOOPBACK
from slpnb.engine.leftovers import engine_errors
from slpnb.local.containers import checks
from slpnb.local.containers.checks import Result, Rule

EAGER_SECONDS = 0.2  # between two tries for the first success


@dataclass(frozen=True)
class Probe:
    """A check and its thresholds."""

    rule: Rule

    def make(self, task: Any) -> Result:
        """Check once."""
        raise NotImplementedError


@dataclass(frozen=True)
class TargetProbe(Probe):
    """A target group's check of one target: the container's port, by way of the loopback."""

    group: str
    port: int
    path: str
    matcher: str
    tls: bool = False

    def make(self, task: Any) -> Result:
        """One request, as the load balancer makes it: with the target's address as host."""
        if self.port not in task.ports:
            return Result(False, *checks.REFUSED)
        try:
            return checks.answered(self._ask(task.ports[self.port], f"{task.address}:{self.port}"), self.matcher)
        except TimeoutError:
            return Result(False, *checks.TIMED_OUT)
        except (OSError, http.client.HTTPException):
            return Result(False, *checks.REFUSED)

    def _ask(self, port: int, host: str) -> int:
        kind: Callable[..., http.client.HTTPConnection] = http.client.HTTPConnection
        if self.tls:  # a load balancer does not check its targets' certificates
            kind = partial(http.client.HTTPSConnection, context=ssl._create_unverified_context())  # noqa: S323
        with closing(kind(LOOPBACK, port, timeout=self.rule.timeout)) as made:
            made.request("GET", self.path, headers={"Host": host, "User-Agent": "ELB-HealthChecker/2.0"})
            return made.getresponse().status


@dataclass(frozen=True)
class CommandProbe(Probe):
    """A container's health check: its exit code."""

    container: str
    command: tuple[str, ...]

    def make(self, task: Any) -> Result:
        """Run the command once."""
        codes: list[int] = []
        asked = threading.Thread(target=self._run, args=(task.containers[self.container], codes), daemon=True)
        asked.start()
        asked.join(self.rule.timeout)
        return Result(codes == [0], reason="" if codes == [0] else "container health checks")

    def _run(self, container: Any, codes: list[int]) -> None:
        with suppress(*engine_errors()):  # a missing container is a failed check
            codes.append(container.exec_run(list(self.command)).exit_code)
