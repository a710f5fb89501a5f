"""Elastic Load Balancing: names are unique, interfaces are real, and targets are an address and a port.

moto makes a second load balancer of the same name, refuses an identical target group, keeps one target
an instance (two tasks with dynamic host ports need two), has load balancers active at once, and their
deletion frees the security groups at once. Source: Elastic Load Balancing API reference; Application
Load Balancers user guide, "Target health status".
"""

from __future__ import annotations

from functools import partial
from typing import Any

from moto.elbv2.exceptions import (
    DuplicateListenerError,
    DuplicateLoadBalancerName,
    DuplicateTargetGroupName,
    InvalidTargetError,
)
from moto.elbv2.models import ELBv2Backend, FakeHealthStatus, FakeLoadBalancer, FakeTargetGroup

from slpnb.local.base import clock
from slpnb.local.base.inprocess import backend
from slpnb.local.base.refusal import Refusal
from slpnb.local.base.replace import Corrected

PROVISIONING_SECONDS = 90.0
INTERFACE_SECONDS = 45.0  # after deletion its interfaces linger, and with them the use of its security groups
HOSTED_ZONE = "Z35SXDOTRQ7X7K"  # of every Application Load Balancer in us-east-1: what a DNS alias names
DEFAULTS = {  # Application Load Balancers user guide, "Edit attributes"; moto leaves most of them out
    "access_logs.s3.enabled": "false",
    "client_keep_alive.seconds": "3600",
    "connection_logs.s3.enabled": "false",
    "idle_timeout.timeout_seconds": "60",
    "routing.http.desync_mitigation_mode": "defensive",
    "routing.http.drop_invalid_header_fields.enabled": "false",
    "routing.http.preserve_host_header.enabled": "false",
    "routing.http.x_amzn_tls_version_and_cipher_suite.enabled": "false",
    "routing.http.xff_client_port.enabled": "false",
    "routing.http.xff_header_processing.mode": "append",
    "routing.http2.enabled": "true",
    "waf.fail_open.enabled": "false",
    "zonal_shift.config.enabled": "false",
}
Target = tuple[str, int]


class LoadBalancer(Corrected, FakeLoadBalancer):
    """A load balancer that becomes active after its delay, not when it is looked at."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.canonical_hosted_zone_id = HOSTED_ZONE
        self.attrs = {**DEFAULTS, **self.attrs, "load_balancing.cross_zone.enabled": "true"}
        clock.later(PROVISIONING_SECONDS, lambda: setattr(self, "state", "active"))

    def activate(self) -> None:
        """moto calls this whenever it is described."""


class TargetGroup(Corrected, FakeTargetGroup):
    """A target group whose targets are an instance, or an address, and a port.

    ``health`` holds what is not healthy: (state, reason, description) by target, set by whoever
    simulates the targets.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.health: dict[Target, tuple[str, str, str]] = {}
        self.draining: dict[Target, dict[str, Any]] = {}

    @property
    def load_balancer_arns(self) -> list[str]:
        """The load balancers with a listener that forwards here; moto keeps those that are gone."""
        return backend("elbv2").load_balancers_of(self.arn)  # type: ignore[no-any-return]

    @load_balancer_arns.setter
    def load_balancer_arns(self, arns: list[str]) -> None:
        """moto keeps a list of its own, which nothing reads."""

    @property
    def delay_seconds(self) -> float:
        """How long a deregistered target is drained."""
        return float(str(self.attributes["deregistration_delay.timeout_seconds"]))

    def key(self, target: dict[str, Any]) -> Target:
        """The target that a request names; the group's own port unless it says another."""
        return str(target["Id"]), int(target.get("Port") or self.port)

    def register(self, targets: list[dict[str, Any]]) -> None:
        """Registered at once."""
        for identifier, port in map(self.key, targets):
            self.draining.pop((identifier, port), None)
            self.targets[f"{identifier}:{port}"] = {"Id": identifier, "Port": port}

    def deregister(self, targets: list[dict[str, Any]]) -> None:
        """Draining first, for as long as the group's deregistration delay."""
        for key in map(self.key, targets):
            known = self.targets.pop(f"{key[0]}:{key[1]}", None)
            if known is None:
                raise InvalidTargetError()
            self.health.pop(key, None)
            self.draining[key] = known
            clock.later(self.delay_seconds, partial(self.draining.pop, key, None))

    def deregister_terminated_instances(self, instance_ids: list[str]) -> None:
        """Terminated instances are drained like any other target."""
        self.deregister([target for target in list(self.targets.values()) if target["Id"] in instance_ids])

    def health_for(self, target: dict[str, Any], ec2_backend: Any) -> FakeHealthStatus:  # noqa: ARG002
        """What DescribeTargetHealth answers for one target."""
        identifier, port = key = self.key(target)
        checked = str(port) if self.health_check_port == "traffic-port" else self.health_check_port
        state, *why = self._health(key)
        return FakeHealthStatus(identifier, port, checked, state, *(said or None for said in why))  # type: ignore[arg-type]

    def _health(self, key: Target) -> tuple[str, str, str]:
        if key in self.draining:
            return "draining", "Target.DeregistrationInProgress", "Target deregistration is in progress"
        if f"{key[0]}:{key[1]}" not in self.targets:
            return "unused", "Target.NotRegistered", "Target is not registered to the target group"
        if not self.load_balancer_arns:
            unused = "Target group is not configured to receive traffic from the load balancer"
            return "unused", "Target.NotInUse", unused
        return self.health.get(key, ("healthy", "", ""))


class Balancing(Corrected, ELBv2Backend):
    """moto's load balancing, with its interfaces and its refusals."""

    target_groups: dict[str, TargetGroup]  # type: ignore[assignment]

    def create_load_balancer(
        self, name: str, security_groups: list[str], subnet_ids: list[str], *args: Any, **kwargs: Any
    ) -> FakeLoadBalancer:
        """As moto, in two zones at least; the same again if it is there with the same settings."""
        for known in self.load_balancers.values():
            if known.name == name:
                same = set(known.security_groups) == set(security_groups)
                if same and {subnet.id for subnet in known.subnets} == set(subnet_ids):
                    return known
                raise DuplicateLoadBalancerName()
        subnets = [self.ec2_backend.get_subnet(subnet) for subnet in subnet_ids]
        if subnets and len({subnet.availability_zone for subnet in subnets}) < 2:
            message = "At least two subnets in two different Availability Zones must be specified"
            raise Refusal("ValidationError", message)
        made = super().create_load_balancer(name, security_groups, subnet_ids, *args, **kwargs)
        self._attach(made)
        return made

    def delete_load_balancer(self, arn: str) -> None:
        """As moto; refused under deletion protection. Its interfaces are released later."""
        known = self.load_balancers.get(arn)
        if known is None:
            return  # deleting what is absent succeeds (API reference, DeleteLoadBalancer)
        if str(known.attrs.get("deletion_protection.enabled")).lower() == "true":
            message = f"Load balancer '{arn}' cannot be deleted because deletion protection is enabled"
            raise Refusal("OperationNotPermitted", message)
        super().delete_load_balancer(arn)
        clock.later(INTERFACE_SECONDS, lambda: self._detach(arn))

    def set_security_groups(self, arn: str, sec_groups: list[str]) -> None:
        """As moto, on the interfaces too."""
        super().set_security_groups(arn, sec_groups)
        for interface in self._interfaces(arn):
            self.ec2_backend.modify_network_interface_attribute(interface, sec_groups)

    def set_subnets(self, arn: str, *args: Any, **kwargs: Any) -> Any:
        """As moto, with interfaces in the new subnets."""
        zones = super().set_subnets(arn, *args, **kwargs)
        self._detach(arn)
        self._attach(self.load_balancers[arn])
        return zones

    def create_target_group(self, name: str, **kwargs: Any) -> FakeTargetGroup:
        """As moto; the same again if it is there with the same settings."""
        known = next((group for group in self.target_groups.values() if group.name == name), None)
        if known is None:
            return super().create_target_group(name, **kwargs)
        pairs = (("protocol", known.protocol), ("port", known.port), ("vpc_id", known.vpc_id))
        if any(str(kwargs.get(key)) != str(value) for key, value in (*pairs, ("target_type", known.target_type))):
            raise DuplicateTargetGroupName()
        return known

    def create_listener(self, load_balancer_arn: str, protocol: str, port: str, *args: Any, **kwargs: Any) -> Any:
        """As moto; a port has one listener, and one in clear has no TLS policy."""
        balancer = self.load_balancers.get(load_balancer_arn)
        if balancer and any(str(known.port) == str(port) for known in balancer.listeners.values()):
            raise DuplicateListenerError()
        listener = super().create_listener(load_balancer_arn, protocol, port, *args, **kwargs)
        if listener.protocol == "HTTP":
            listener.ssl_policy = None  # type: ignore[assignment]
        return listener

    def describe_target_health(self, target_group_arn: str, targets: list[dict[str, Any]]) -> list[FakeHealthStatus]:
        """As moto, those that are draining included."""
        registered = super().describe_target_health(target_group_arn, targets)
        group = self.target_groups[target_group_arn]
        draining = [] if targets else group.draining.values()
        return registered + [group.health_for(target, self.ec2_backend) for target in draining]

    def load_balancers_of(self, target_group_arn: str) -> list[str]:
        """ARNs of the load balancers that forward to a target group."""
        return [
            balancer.arn
            for balancer in self.load_balancers.values()
            if any(
                target_group_arn in self._get_target_group_arns_from(action_data=action.data)
                for listener in balancer.listeners.values()
                for rule in listener.rules.values()
                for action in rule.actions
            )
        ]

    def _attach(self, balancer: FakeLoadBalancer) -> None:
        for subnet in balancer.subnets:
            self.ec2_backend.create_network_interface(
                subnet, "", group_ids=balancer.security_groups, description=_description(balancer.arn)
            )

    def _interfaces(self, arn: str) -> list[str]:
        return [one.id for one in self.ec2_backend.enis.values() if one.description == _description(arn)]

    def _detach(self, arn: str) -> None:
        for interface in self._interfaces(arn):
            self.ec2_backend.delete_network_interface(interface)


def _description(arn: str) -> str:
    """How a load balancer marks the interfaces that are its own."""
    return f"ELB {arn.partition(':loadbalancer/')[2]}"
