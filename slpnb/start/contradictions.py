"""Settings that are each allowed but cannot work together, each as a refusal or a warning with its numbers.

The research notebook contradicts itself in these ways, and AWS accepts each of them: the result
is a service that waits, restarts or answers 503. Pure: parameters and the catalogue in, verdicts
out. Each check is a small function; `CHECKS` says where its rule comes from. What follows from
the sizes alone, task by task, is `slpnb.sizing`'s.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pandas as pd

from slpnb.catalog import instance_type
from slpnb.config import Config
from slpnb.ecs.percents import limits
from slpnb.ecs.resources import RESERVED_TCP_PORTS
from slpnb.fleet import fit, fleet
from slpnb.fleet.rollout import deployment
from slpnb.verdict import Verdict, Verdicts, ng, ok, skip, warn
from slpnb.words import counted

ASKED = re.compile(r"\bhttp(s?)://(?:127\.0\.0\.1|localhost)(?::(\d+))?")
STATIC_FILE = re.compile(r"\.(txt|html?|ico|png|svg|css|js)$")
LONG_DRAIN_SECONDS = 300  # AWS's default deregistration delay, longer than any request of this service

Rule = Callable[[Config], Verdict]


@dataclass(frozen=True)
class Check:
    """One contradiction: the rule, and the document that it comes from."""

    rule: Rule
    source: str


def check(config: Config) -> Verdicts:
    """Every check of `CHECKS`, in that order. Pure."""
    return Verdicts.of(one.rule(config) for one in CHECKS)


def biting(config: Config, tried: Mapping[str, Config]) -> pd.DataFrame:
    """What each of these parameters adds to the verdicts on ``config``: setting (index), check, verdict, seen."""
    known = set(check(config))
    rows = [
        (setting, verdict.subject, verdict.status, verdict.seen)
        for setting, other in tried.items()
        for verdict in check(other)
        if verdict.status in ("NG", "WARN") and verdict not in known
    ]
    return pd.DataFrame(rows, columns=["setting", "check", "verdict", "seen"]).set_index("setting")


def _tasks(count: int) -> str:
    return counted(count, "task")


def _instances(count: int) -> str:
    return counted(count, "instance")


# --- where it runs ------------------------------------------------------------------------------------------


def _compute(config: Config) -> Verdict:
    chosen = config.start.compute
    if chosen != "ec2":
        return ng("compute", f"start.compute is {chosen}: the kit builds ECS on EC2 instances and nothing else")
    return ok("compute", "ECS on EC2 instances")


def _architecture(config: Config) -> Verdict:
    facts = instance_type(config.cluster.instance_type)
    task = config.task.architecture
    if task != facts.architecture:
        return ng(
            "architecture",
            f"the task is {task}, {facts.name} is {facts.architecture}: exec format error, if it were ever placed",
        )
    return ok("architecture", f"task and {facts.name} are {task}")


def _ami(config: Config) -> Verdict:
    parameter, task = config.cluster.ami_parameter, config.task.architecture
    if not parameter:
        return ok("AMI", f"looked up for the task's architecture, {task}")
    if not parameter.startswith("/aws/service/ecs/"):
        return skip("AMI", f"{parameter} does not name an architecture; 10_image reads it")
    named = "arm64" if "/arm64/" in parameter else "x86_64"
    if named != task:
        return ng("AMI", f"cluster.ami_parameter {parameter} is for {named}, the task is {task}")
    return ok("AMI", f"cluster.ami_parameter is for {task}")


def _gpus(config: Config) -> Verdict:
    facts = instance_type(config.cluster.instance_type)
    asked = config.task.gpus
    if asked > facts.gpus:
        return ng("GPU", f"{asked} asked, {facts.name} has {facts.gpus}: ECS can never place the task")
    return ok("GPU", f"{asked} asked, {facts.name} has {facts.gpus}")


def _memory(config: Config) -> Verdict:
    """The research notebook's three figures: 8 GiB defined, 3.5 GiB remembered, 4 GiB in the instance."""
    task, found = config.task, fit(config)
    seen = (
        f"the task claims {task.memory_mib} MiB, its container may use {task.container_memory_mib} MiB, "
        f"{config.cluster.instance_type} has {found.left_mib} MiB for tasks"
    )
    if found.short_mib:
        return ng("memory", f"{seen}: short by {found.short_mib} MiB")
    unused = task.memory_mib - task.container_memory_mib
    if unused > task.container_memory_mib:
        return warn("memory", f"{seen}: {unused} MiB of each task are claimed and can never be used")
    return ok("memory", seen)


def _second_task(config: Config) -> Verdict:
    """A task as large as the instance leaves too little for another."""
    facts = instance_type(config.cluster.instance_type)
    group, needs, most = fleet(config), fit(config).needs, config.service.max_tasks
    each = group.per_instance(needs)
    if not each:
        return skip("tasks per instance", f"{facts.name} takes none: see the sizing checks")
    wanted = -(-most // each)
    seen = f"{needs.cpu_units} of {facts.cpu_units} CPU units and {needs.memory_mib} MiB: {each} on one {facts.name}"
    if each == 1:
        return warn(
            "tasks per instance",
            f"{seen}: {_tasks(most)} need {_instances(wanted)} (cluster.max_instances is {group.max_instances}), "
            "and a rolling update needs a spare one",
        )
    return ok("tasks per instance", f"{seen}, {_tasks(most)} on {_instances(wanted)}")


# --- network ------------------------------------------------------------------------------------------------


def _one_vpc(config: Config) -> Verdict:
    own = config.network.vpc_name
    others = {"efs.vpc_name": config.efs.vpc_name or own, "service.vpc_name": config.service.vpc_name or own}
    apart = [f"{key} is {value}" for key, value in others.items() if value != own]
    if apart:
        return ng(
            "one VPC",
            f"{' and '.join(apart)}, network.vpc_name is {own}: EFS is mounted through mount targets within one VPC, "
            "so the mount would time out",
        )
    return ok("one VPC", f"file system, instances and load balancer are in {own}")


def _zones(config: Config) -> Verdict:
    zones = config.zones
    if len(zones) < 2:
        return ng("zones", f"{len(zones)} zone ({', '.join(zones)}): an Application Load Balancer needs 2 subnets")
    return ok("zones", f"{len(zones)} zones, an Application Load Balancer needs 2")


def _ports_open(config: Config) -> Verdict:
    opened = sorted(config.network.ports_open)
    seen = f"network.ports_open is {', '.join(map(str, opened)) or 'empty'}"
    if 443 not in opened:
        return ng("ports open", f"{seen}: port 443, which the service listens on, is closed to everyone")
    if 80 not in opened:
        return warn("ports open", f"{seen}: port 80 is closed, so no one reaches the redirect to HTTPS")
    return ok("ports open", f"{seen}: HTTPS, and HTTP for the redirect")


def _nfs(config: Config) -> Verdict:
    said, mounts, mode = config.network.nfs_from, config.mounts_from, config.task.network_mode
    if config.task.uploads_volume != "efs":
        return skip("port 2049", f"task.uploads_volume is {config.task.uploads_volume}: nothing mounts EFS")
    if said not in ("auto", mounts):
        return ng(
            "port 2049",
            f"open to {said}, closed to the {mounts}, which mount in {mode} mode: the mount would time out",
        )
    return ok("port 2049", f"open to the {mounts}, which mount in {mode} mode")


def _network_mode(config: Config) -> Verdict:
    mode, port = config.task.network_mode, config.task.container_port
    if mode == "none":
        return ng("network mode", f"none: the load balancer could not reach port {port} of any task")
    if mode == "awsvpc" and config.cluster.public_ip:
        return warn(
            "network mode",
            "awsvpc: on EC2 a task's interface gets no public address, so from these public subnets WordPress "
            "reaches nothing outside the VPC without a NAT gateway",
        )
    return ok("network mode", f"{mode}: the load balancer reaches port {port}")


def _trunking(config: Config) -> Verdict:
    facts = instance_type(config.cluster.instance_type)
    found = fit(config)
    if config.task.network_mode != "awsvpc":
        return ok("network interfaces", f"not counted in {config.task.network_mode} mode")
    seen = f"{found.empty.enis} tasks on a {facts.name} can have one"
    if config.cluster.awsvpc_trunking and not facts.trunking_compatible:
        return warn("network interfaces", f"{seen}: the type has no trunking, whatever cluster.awsvpc_trunking says")
    return ok("network interfaces", seen)


def _host_port(config: Config) -> Verdict:
    task, group = config.task, fleet(config)
    port = task.container_port if task.network_mode == "host" else task.host_port
    if task.network_mode not in ("bridge", "host") or not port:
        return ok("host port", "chosen per task" if task.network_mode == "bridge" else "none")
    if port in RESERVED_TCP_PORTS:
        return ng("host port", f"{port} is reserved for the ECS agent, Docker or SSH on every instance")
    service = config.service
    least = limits(service.desired_tasks, service.minimum_healthy_percent, service.maximum_percent).lower
    seen = f"{port} is static: one task per instance, {_tasks(service.max_tasks)} need {_instances(service.max_tasks)}"
    if least == service.desired_tasks and group.max_instances <= service.desired_tasks:
        return ng(
            "host port",
            f"{seen}, and next to {_tasks(least)} on at most {_instances(group.max_instances)} no update can start",
        )
    return warn("host port", f"{seen} (cluster.max_instances is {group.max_instances}); port 0 lets them share one")


# --- load balancer ------------------------------------------------------------------------------------------


def _protocol(config: Config) -> Verdict:
    to, speaks, port = config.service.target_protocol, config.task.container_protocol, config.task.container_port
    if to != speaks:
        return ng(
            "protocol",
            f"load balancer and health check speak {to}, the container {speaks} on port {port}: "
            f"every target is unhealthy; set service.target_protocol {speaks}",
        )
    ends = "at the load balancer" if to == "HTTP" else "at the container"
    return ok("protocol", f"load balancer and container speak {to} on port {port}: TLS ends {ends}")


def _own_check(config: Config) -> Verdict:
    port, command = config.task.container_port, " ".join(config.task.health_check.command)
    asked = [int(given or (443 if secure else 80)) for secure, given in ASKED.findall(command)]
    if asked and port not in asked:
        return ng(
            "container health check",
            f"task.health_check.command asks port {asked[0]}, nginx listens on {port} (task.container_port): "
            "every task would be UNHEALTHY and be replaced endlessly",
        )
    return ok("container health check", f"asks port {port}" if asked else "names no port of the container")


def _health_path(config: Config) -> Verdict:
    path = config.service.health_check.path
    if not STATIC_FILE.search(path):
        return warn(
            "health check path",
            f"{path} is answered by WordPress: a subdomain multisite answers 302 to the address of a target, "
            "and only 200 is healthy",
        )
    return ok("health check path", f"{path} is a file that nginx serves whatever the Host header")


def _grace(config: Config) -> Verdict:
    service, start = config.service, config.task.health_check.start_period_seconds
    grace, every = service.health_check_grace_seconds, service.health_check
    dies = every.interval_seconds * every.unhealthy_count
    seen = f"{grace} s; {every.unhealthy_count} failed checks, one every {every.interval_seconds} s, take {dies} s"
    if grace == 0:
        return warn("health check grace", f"{seen}: a task that is slow to start is stopped after {dies} s, every time")
    if grace < start:
        return warn("health check grace", f"{seen}, but the container may take {start} s to start")
    return ok("health check grace", seen)


def _drain(config: Config) -> Verdict:
    delay, stop = config.service.deregistration_delay_seconds, config.task.stop_timeout_seconds
    seen = f"{delay} s draining and up to {stop} s stopping: an old task keeps its memory for {delay + stop} s"
    if delay >= LONG_DRAIN_SECONDS:
        return warn("deregistration delay", f"{seen} in every batch of an update")
    return ok("deregistration delay", seen)


# --- deployments --------------------------------------------------------------------------------------------


def _rounding(config: Config) -> Verdict:
    """The minimum healthy count rounds up and the maximum rounds down."""
    service = config.service
    desired, low, high = service.desired_tasks, service.minimum_healthy_percent, service.maximum_percent
    allowed = limits(desired, low, high)
    least, most = allowed.lower, allowed.upper
    seen = f"{low} % of {_tasks(desired)} is at least {least}, {high} % at most {most}"
    if desired and allowed.forbid:
        return ng("deployment limits", f"{seen}: no task may be stopped and none started, so no update makes progress")
    if desired and least == 0:
        return warn("deployment limits", f"{seen}: the service is down during every update")
    return ok("deployment limits", seen)


def _second_copy(config: Config) -> Verdict:
    """One desired task with the default percentages runs a second one beside it."""
    if not fit(config) or not config.service.desired_tasks:
        return skip("capacity for an update", "no task is placed at all")
    update, group = deployment(config), fleet(config)
    seen = f"{_tasks(config.service.desired_tasks)}, {update.most} during an update"
    if update.stuck:
        return ng("capacity for an update", f"{seen}, on at most {_instances(group.max_instances)}: {update.stuck}")
    if update.waits:
        return warn(
            "capacity for an update",
            f"{seen}: it does not fit on {_instances(update.started_with)}, so every update waits for instance "
            f"{update.instances} to start",
        )
    return ok("capacity for an update", f"{seen}, on {update.instances} of at most {_instances(group.max_instances)}")


def _placement(config: Config) -> Verdict:
    template, most, group = config.service.placement, config.service.max_tasks, fleet(config)
    if template == "binpack":
        return warn(
            "placement",
            "binpack fills one instance first: ECS does not rebalance such a service across zones, "
            f"and {_tasks(config.service.min_tasks)} may all be in one",
        )
    if template == "one_per_instance" and most > group.max_instances:
        return ng(
            "placement", f"one_per_instance: {_tasks(most)} need {_instances(most)}, at most {group.max_instances}"
        )
    if config.service.maximum_percent <= 100:
        return warn("placement", f"{template}, but ECS rebalances zones only with a maximum above 100 %")
    return ok("placement", f"{template}: ECS rebalances the tasks across {len(config.zones)} zones")


def _uploads(config: Config) -> Verdict:
    """EBS volumes and host folders are not shared among instances, whatever the research notebook says."""
    kind, service = config.task.uploads_volume, config.service
    during = limits(service.desired_tasks, service.minimum_healthy_percent, service.maximum_percent).upper
    most = max(service.max_tasks, during)
    if kind == "efs":
        return ok("uploads", f"on EFS, shared by up to {_tasks(most)} on every instance")
    what = "an EBS volume" if kind == "ebs" else "a folder of the instance"
    if most > 1:
        return ng("uploads", f"{what} is not shared among instances, and up to {_tasks(most)} run: use efs")
    return warn("uploads", f"{what} is lost with its instance; only one task runs at a time")


def _alarms(config: Config) -> Verdict:
    service, insights = config.service, config.cluster.container_insights
    if not service.alarms:
        return ok("alarms", f"none in {config.environment}")
    if insights == "disabled":
        return warn("alarms", "Container Insights is disabled, so no alarm reports missing tasks")
    if not service.alarm_topic:
        return warn("alarms", "service.alarm_topic is empty: alarms go off, and no one is notified")
    return ok("alarms", f"they notify {service.alarm_topic}")


NOTES = "docs/ecs-facts.md, The research notebook's contradictions"
ELB = "Elastic Load Balancing User Guide for Application Load Balancers"
ECS = "Amazon ECS Developer Guide"
CHECKS: tuple[Check, ...] = (
    Check(_compute, "research notebook, ECS Types of Deployment"),
    Check(_protocol, NOTES),
    Check(_gpus, NOTES),
    Check(_second_task, NOTES),
    Check(_one_vpc, NOTES),
    Check(_ports_open, NOTES),
    Check(_nfs, NOTES),
    Check(_memory, NOTES),
    Check(_architecture, NOTES),
    Check(_uploads, NOTES),
    Check(_second_copy, NOTES),
    Check(_rounding, "docs/ecs-facts.md, Deployments"),
    Check(_ami, f"{ECS}, Amazon ECS-optimized Linux AMIs"),
    Check(_zones, f"{ELB}, Subnets for your load balancer"),
    Check(_network_mode, f"{ECS}, Allocate a network interface for an Amazon ECS task"),
    Check(_trunking, f"{ECS}, Increasing Amazon ECS Linux container instance network interfaces"),
    Check(_host_port, f"{ECS}, Task definition parameters, hostPort"),
    Check(_own_check, f"{ECS}, Determine Amazon ECS task health using container health checks"),
    Check(_health_path, "docs/ecs-facts.md, WordPress behind a load balancer"),
    Check(_grace, "docs/ecs-facts.md, Health checks and draining"),
    Check(_drain, f"{ELB}, Deregistration delay"),
    Check(_placement, f"{ECS}, Balancing an Amazon ECS service across Availability Zones"),
    Check(_alarms, f"{ECS}, Amazon ECS Container Insights metrics"),
)
