"""The network interface of a task in awsvpc mode: in the subnet of its instance's zone, for as long as it runs."""

from __future__ import annotations

import ipaddress
from itertools import islice
from typing import Any

from moto.core.exceptions import ServiceException
from moto.ec2.models import EC2Backend
from moto.ec2.models.elastic_network_interfaces import NetworkInterface
from moto.ec2.models.subnets import Subnet

from slpnb.local.ecs.refusals import invalid

RESERVED_BY_AWS = 3  # of a subnet's first hosts (VPC user guide, "Subnet CIDR blocks"), besides its own address


def attach(ec2: EC2Backend, network: dict[str, Any], zone: str) -> NetworkInterface:
    """A network interface in the subnet of ``network`` (awsvpcConfiguration) that lies in a zone."""
    subnets = [ec2.get_subnet(id) for id in network["subnets"]]
    subnet = next((one for one in subnets if one.availability_zone == zone), subnets[0])
    made = ec2.create_network_interface(
        subnet,
        _free_address(ec2, subnet),
        group_ids=network.get("securityGroups") or None,
        description="arn:aws:ecs attachment",
    )
    made.status = "in-use"
    return made


def detach(ec2: EC2Backend, interface: NetworkInterface) -> None:
    """Delete it, as ECS does with the task."""
    try:
        ec2.delete_network_interface(interface.id)
    except ServiceException:
        return  # somebody deleted it already


def _free_address(ec2: EC2Backend, subnet: Subnet) -> str:
    used = {one.private_ip_address for one in ec2.enis.values() if one.subnet.id == subnet.id}
    hosts = ipaddress.ip_network(subnet.cidr_block).hosts()
    for host in islice(hosts, RESERVED_BY_AWS, None):
        if str(host) not in used:
            return str(host)
    raise invalid(f"The subnet {subnet.id} has no free address.")
