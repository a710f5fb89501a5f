"""The service as a visitor meets it, once its tasks are real containers: installed, asked, and looked at.

Nothing here is for a real account: there, visitors look for themselves, and `slpnb.installation`
is run on purpose.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from slpnb import engine, installation, measure, measuring, visit
from slpnb.aws import Aws
from slpnb.errors import Refusal, SlpnbError
from slpnb.measure import Measured
from slpnb.verdict import Verdict, Verdicts, ng, ok, skip

PICTURE = "wordpress.png"
LOAD_SECONDS = 2.0
Tasks = Mapping[str, Mapping[str, Any]]  # id of a running task to its "ports" and "containers"


@dataclass(frozen=True)
class Look:
    """What a visitor met, and what the container took and gave meanwhile; nothing without a front door."""

    verdicts: Verdicts = field(default_factory=Verdicts)
    measured: Measured | None = None


def look(aws: Aws, folder: Path, tasks: Tasks) -> Look:
    """Install WordPress, ask for its front page over HTTPS, save a picture in ``folder``, and measure one of ``tasks``.

    Raises `AwsError` when the installation does not end.
    """
    door = aws.front_door()
    if not door:
        return Look()
    address = f"https://{aws.config.service.host_name}/"
    met = installation.run(aws), _front_page(address, door), _picture(address, door, folder / PICTURE)
    try:
        measured = measure_one(aws.config.service.host_name, tasks)
    except SlpnbError as error:
        return Look(Verdicts((*met, ng("measured", str(error)))))
    return Look(Verdicts((*met, ok("measured", measure.sentence(measured)))), measured)


def measure_one(host: str, tasks: Tasks) -> Measured:
    """Measure the container of one task. Raises `Refusal` when none can be."""
    reached = [one for _, one in sorted(tasks.items()) if one["ports"] and one["containers"]]
    found = engine.find() if reached else None
    if found is None:
        raise Refusal("no container of a task can be reached on the loopback")
    port = next(iter(reached[0]["ports"].values())).rpartition(":")[2]
    with found:
        container = found.client.containers.get(next(iter(reached[0]["containers"].values())))
        return measuring.measure(found, container, measuring.Target(int(port), host), seconds=LOAD_SECONDS)


def _front_page(address: str, door: str) -> Verdict:
    try:
        answer = visit.get(address, door)
    except OSError as error:
        return ng("front page", f"{address} at {door} does not answer: {error}")
    seen = f"{address} at {door} answers {answer.status}"
    if answer.status == 200 and "wp-content" in answer.text:
        return ok("front page", f"{seen}, a page of WordPress")
    return ng(
        "front page", f"{seen}{f', and leads to {answer.location}' if answer.location else ''}: no WordPress page"
    )


def _picture(address: str, door: str, file: Path) -> Verdict:
    if not visit.browser():
        return skip("picture", f"no browser of {', '.join(visit.BROWSERS)} on this machine: nothing was looked at")
    if visit.picture(address, door, file):
        return ok("picture", f"{file.name}: the front page, as a browser shows it")
    return ng("picture", f"{visit.browser()} showed nothing of {address} within {visit.PATIENCE_SECONDS} s")
