"""moto's other services, as far as ECS reaches into them: EC2, Auto Scaling, ECR and Elastic Load Balancing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from moto.autoscaling.models import AutoScalingBackend
from moto.backends import get_backend
from moto.ec2.models import EC2Backend
from moto.ecr.models import ECRBackend
from moto.elbv2.models import ELBv2Backend


class BalancedGroup(Protocol):
    """A target group of the embedded AWS (`slpnb.local.corrections.elbv2.CorrectedTargetGroup`).

    ``targets`` are named "id:port"; ``health`` says (state, reason code, words) of those that are not healthy.
    """

    arn: str
    attributes: dict[str, Any]
    health: dict[tuple[str, int], tuple[str, str, str]]
    health_check_interval_seconds: int
    health_check_path: str | None
    health_check_protocol: str | None
    health_check_timeout_seconds: int
    healthy_threshold_count: str
    load_balancer_arns: list[str]
    matcher: dict[str, Any]
    protocol: str | None
    target_type: str
    targets: dict[str, dict[str, Any]]
    unhealthy_threshold_count: str

    def register(self, targets: list[dict[str, Any]]) -> None:
        """Begin to send requests to these targets."""

    def deregister(self, targets: list[dict[str, Any]]) -> None:
        """Send no new requests to these targets."""


@dataclass(frozen=True)
class Neighbours:
    """The services beside ECS in one account and Region. Looked up each time: a reset makes them anew."""

    account_id: str
    region_name: str

    @property
    def ec2(self) -> EC2Backend:
        """Instances, subnets and network interfaces."""
        return self._backend("ec2")  # type: ignore[no-any-return]

    @property
    def autoscaling(self) -> AutoScalingBackend:
        """The groups behind capacity providers."""
        return self._backend("autoscaling")  # type: ignore[no-any-return]

    @property
    def ecr(self) -> ECRBackend:
        """The account's own registry."""
        return self._backend("ecr")  # type: ignore[no-any-return]

    @property
    def elbv2(self) -> ELBv2Backend:
        """Load balancers and their listeners."""
        return self._backend("elbv2")  # type: ignore[no-any-return]

    @property
    def target_groups(self) -> Mapping[str, BalancedGroup]:
        """Target groups by ARN."""
        return self.elbv2.target_groups  # type: ignore[return-value]  # the corrected ones, which have health

    def _backend(self, service: str) -> Any:
        backends: Any = get_backend(service)  # type: ignore[call-overload]
        return backends[self.account_id][self.region_name]
