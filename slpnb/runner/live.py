"""The service as a visitor sees it, once its tasks are real containers: installed, requested, and photographed.

Nothing here is for a real account: there, visitors look for themselves, and `slpnb.service.installation`
is run deliberately.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from slpnb import engine
from slpnb.aws import Aws
from slpnb.errors import Refusal, SlpnbError
from slpnb.plan import Call, Change, Plan
from slpnb.runner import measuring
from slpnb.service import STEP, installation, stability, visit
from slpnb.sizing import measure
from slpnb.sizing.measure import Measured
from slpnb.verdict import Verdict, Verdicts, ng, ok, skip

PICTURE = "wordpress.png"
COPIES = 2  # what one task is given, the other must have
UNREACHED = "no task's container can be reached on the loopback"
Tasks = Mapping[str, Mapping[str, Any]]  # id of a running task to its "ports" and "containers"
Reached = Mapping[str, measuring.Target]  # id of a container in the engine to where it is reached


@dataclass(frozen=True)
class Visit:
    """What a visitor saw, and what the container used and served meanwhile; empty without a front door."""

    verdicts: Verdicts = field(default_factory=Verdicts)
    measured: Measured | None = None


def look(aws: Aws, folder: Path, tasks: Callable[[], Tasks]) -> Visit:
    """Install WordPress, request its front page over HTTPS, save a picture in ``folder``, and measure a container.

    Where the service has one task it gets another first, within what its auto scaling may do. ``tasks`` says
    which containers run now. Raises `AwsError` when the installation does not end, `VerificationError` when the
    second task does not come.
    """
    door = aws.front_door()
    if not door:
        return Visit()
    host = aws.config.service.host_name
    address = f"https://{host}/"
    installed = installation.run(aws)
    grow(aws)
    reached = _reached(host, tasks())
    met = installed, _front_page(address, door), _each(reached), _picture(address, door, folder / PICTURE)
    try:
        measured = measure_one(reached)
    except SlpnbError as error:
        return Visit(Verdicts((*met, ng("measured", str(error)))))
    return Visit(Verdicts((*met, ok("measured", measure.sentence(measured)))), measured)


def grow(aws: Aws) -> None:
    """Ask for `COPIES` tasks where there are fewer, as auto scaling would under load, and wait for them.

    Raises `VerificationError` when they do not come.
    """
    service = stability.describe(aws)
    if service["desiredCount"] < COPIES <= aws.config.service.max_tasks and growth(service).apply(aws).written:
        stability.watch(aws, service["taskDefinition"].rpartition("/")[2])


def growth(service: Mapping[str, Any]) -> Plan:
    """One change: the desired count of a service, as DescribeServices has it, to `COPIES`. Pure."""
    name, count = service["serviceName"], service["desiredCount"]
    params = {"cluster": service["clusterArn"], "service": name, "desiredCount": COPIES}
    change = Change(
        "~",
        "service",
        "ECS service",
        name,
        "each task is asked by itself",
        (("desiredCount", str(count), str(COPIES)),),
        (Call("ecs", "update_service", params),),
    )
    return Plan(STEP, (change,))


def measure_one(reached: Reached) -> Measured:
    """Measure the container of one task. Raises `Refusal` when none can be."""
    found = engine.find() if reached else None
    if found is None:
        raise Refusal(UNREACHED)
    id, target = next(iter(reached.items()))
    with found:
        return measuring.measure(found, found.client.containers.get(id), target)


def _reached(host: str, tasks: Tasks) -> Reached:
    """Where each task's container is reached; those without a port are left out."""
    reached = {}
    for _, one in sorted(tasks.items()):
        if one["ports"] and one["containers"]:
            id, address = next(iter(one["containers"].values())), next(iter(one["ports"].values()))
            reached[id] = measuring.Target(int(address.rpartition(":")[2]), host)
    return reached


def _each(reached: Reached) -> Verdict:
    """Whether each task's container answers on its own: behind the front door one could hide another's failure."""
    if not reached:
        return skip("each task", UNREACHED)
    for id, target in reached.items():
        try:
            measuring.demand_page(target)
        except Refusal as error:
            return ng("each task", f"container {id[:12]}: {error}")
    return ok("each task", f"{len(reached)} containers, each answers the front page with 200")


def _front_page(address: str, door: str) -> Verdict:
    try:
        answer = visit.get(address, door)
    except OSError as error:
        return ng("front page", f"{address} at {door} does not answer: {error}")
    seen = f"{address} at {door} answers {answer.status}"
    if answer.status == 200 and "wp-content" in answer.text:
        return ok("front page", f"{seen}, a WordPress page")
    return ng(
        "front page", f"{seen}{f', redirecting to {answer.location}' if answer.location else ''}: no WordPress page"
    )


def _picture(address: str, door: str, file: Path) -> Verdict:
    if not visit.browser():
        return skip("picture", f"no browser on this machine ({', '.join(visit.BROWSERS)}): no picture was taken")
    if visit.picture(address, door, file):
        return ok("picture", f"{file.name}: the front page, as a browser shows it")
    return ng("picture", f"{visit.browser()} rendered nothing of {address} within {visit.PATIENCE_SECONDS} s")
