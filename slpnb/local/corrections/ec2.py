"""EC2: what is in use is not deleted, and a launch template version can be based on another.

moto deletes security groups and subnets whatever uses them, ignores SourceVersion, so that user data is
lost, leaves the interfaces of terminated instances behind, and takes two rules that differ in nothing but the
description of a group for two. Messages as EC2's own (Amazon EC2 API
reference, "Error codes").
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.exceptions import DependencyViolationError
from moto.ec2.models import EC2Backend, security_groups
from moto.ec2.models.instances import Reservation
from moto.ec2.models.security_groups import SecurityGroup, SecurityGroupRule
from moto.ec2.models.subnets import Subnet
from moto.ec2.responses import EC2Response
from moto.ec2.utils import parse_user_data

from slpnb.local.base.inprocess import backend
from slpnb.local.base.refusal import Refusal
from slpnb.local.base.replace import Corrected


class Compute(Corrected, EC2Backend):
    """moto's EC2, which refuses a deletion out of order."""

    def run_instances(self, *args: Any, **kwargs: Any) -> Reservation:
        """As moto; the interfaces made at launch go with their instance, as they do unless asked to stay."""
        reservation = super().run_instances(*args, **kwargs)
        stay = any(nic.get("DeleteOnTermination") is False for nic in kwargs.get("nics") or ())
        for interface in (nic for instance in reservation.instances for nic in instance.nics.values()):
            interface.delete_on_termination = not stay
        return reservation

    def delete_security_group(self, name: str | None = None, group_id: str | None = None) -> None:
        """As moto; refused for the default, and while an interface, a database or a rule of another group uses it."""
        group = self.get_security_group_by_name_or_id(group_id or name or "")
        if group and group.is_default:
            message = f'the specified group: "{group.id}" name: "{group.name}" cannot be deleted by a user'
            raise Refusal("CannotDelete", message)
        if group and (self._interfaces(group) or _databases(group.id) or self._rules(group)):
            raise DependencyViolationError(f"resource {group.id} has a dependent object")
        super().delete_security_group(name, group_id)

    def delete_subnet(self, subnet_id: str) -> Subnet:
        """As moto; refused while an interface is in the subnet."""
        if any(eni.subnet.id == subnet_id for eni in self.enis.values()):
            raise DependencyViolationError(f"The subnet '{subnet_id}' has dependencies and cannot be deleted.")
        return super().delete_subnet(subnet_id)

    def _interfaces(self, group: SecurityGroup) -> bool:
        """Instances, mount targets and load balancers all use a group through their network interfaces."""
        return any(group.id in {used.id for used in eni.group_set} for eni in self.enis.values())

    def _rules(self, group: SecurityGroup) -> bool:
        return any(
            (rule.source_group or {}).get("GroupId") == group.id
            for other in self.describe_security_groups()
            if other.id != group.id
            for rule in (*other.ingress_rules, *other.egress_rules)
        )


class ComputeResponse(Corrected, EC2Response):
    """moto's answers, with SourceVersion."""

    def create_launch_template_version(self) -> ActionResult:
        """A version that begins from ``SourceVersion``: what the request does not name stays."""
        data: dict[str, Any] = self._get_param("LaunchTemplateData", {})
        if "UserData" in data:
            data["UserData"] = parse_user_data(self._get_param("LaunchTemplateData.UserData"))
        source = self._get_param("SourceVersion")
        if source:
            self.params["LaunchTemplateData"] = {**deepcopy(self._template().get_version(source).data), **data}
        return super().create_launch_template_version()

    def _template(self) -> Any:
        name = self._get_param("LaunchTemplateName")
        if name:
            return self.ec2_backend.get_launch_template_by_name(name)
        return self.ec2_backend.get_launch_template(self._get_param("LaunchTemplateId"))


def _databases(group: str) -> bool:
    """moto gives its RDS instances no network interface, so they are asked themselves."""
    return any(group in database.vpc_security_group_ids for database in backend("rds").databases.values())


class Rule(SecurityGroupRule):
    """moto's rule of a security group; its description is shown for every source, and tells no rules apart."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SecurityGroupRule) and _admitted(self) == _admitted(other)

    __hash__ = None  # type: ignore[assignment]  # as moto's, which is compared and never looked up

    @property
    def description(self) -> str | None:
        """Of the address range or of the group; moto keeps none of a prefix list."""
        return self.ip_range.get("Description") or self.source_group.get("Description")


def _admitted(rule: SecurityGroupRule) -> tuple[object, ...]:
    source = rule.cidr_ipv4, rule.cidr_ipv6, rule.prefix_list_id, rule.source_group.get("GroupId")
    return (rule.ip_protocol, rule.from_port, rule.to_port, *source)


security_groups.SecurityGroupRule = Rule  # type: ignore[misc]
