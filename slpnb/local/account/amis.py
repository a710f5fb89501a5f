"""The ECS-optimized AMIs of Amazon Linux 2023, and the public SSM parameters that name them.

Parameter names and the fields of ``recommended``: Amazon ECS developer guide, "Retrieving Amazon
ECS-optimized Linux AMI metadata". moto's ``recommended`` is not JSON (docs/ecs-facts.md, "moto").
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from moto.core.utils import utcnow
from moto.ec2.models.amis import Ami
from moto.ssm.models import Parameter

from slpnb.local.base.inprocess import ACCOUNT, backend

ROOT = "/aws/service/ecs/optimized-ami/amazon-linux-2023"
VERSION = "2023.0.20260223"
AGENT = "1.101.2"
OWNER = "591542846629"  # Amazon's account for ECS-optimized AMIs
ROOT_VOLUME_GIB = 30


@dataclass(frozen=True)
class Recommended:
    """One recommended AMI: its place below `ROOT`, its architecture and name."""

    path: str
    architecture: str
    name: str

    @property
    def image_id(self) -> str:
        """An id of AWS's form that is the same each time."""
        return "ami-0" + hashlib.sha256(self.name.encode()).hexdigest()[:16]

    def facts(self) -> dict[str, Any]:
        """The JSON document of the parameter ``recommended``."""
        return {
            "ecs_agent_version": AGENT,
            "ecs_runtime_version": "Docker version 25.0.14",
            "image_id": self.image_id,
            "image_name": self.name,
            "image_version": VERSION,
            "os": "Amazon Linux 2023",
            "schema_version": 1,
            "source_image_name": f"al2023-ami-minimal-{VERSION}-kernel-6.1-{self.architecture}",
        }


RECOMMENDED = (
    Recommended("recommended", "x86_64", f"al2023-ami-ecs-hvm-{VERSION}-kernel-6.1-x86_64"),
    Recommended("arm64/recommended", "arm64", f"al2023-ami-ecs-hvm-{VERSION}-kernel-6.1-arm64"),
    Recommended("gpu/recommended", "x86_64", f"al2023-ami-ecs-gpu-hvm-{VERSION}-kernel-6.1-x86_64-ebs"),
)


class EcsOptimized(Ami):
    """An AMI whose snapshot needs 30 GiB, as the real ones do; moto says 15 of every AMI."""

    @property
    def block_device_mappings(self) -> list[dict[str, Any]]:
        """The one root device."""
        ebs = {
            "SnapshotId": self.ebs_snapshot.id,
            "VolumeSize": ROOT_VOLUME_GIB,
            "DeleteOnTermination": True,
            "VolumeType": "gp3",
            "Encrypted": False,
        }
        return [{"DeviceName": self.root_device_name, "Ebs": ebs}]


def image_id(architecture: str) -> str:
    """The recommended AMI of an architecture, without a GPU."""
    return next(ami.image_id for ami in RECOMMENDED if ami.architecture == architecture)


def register() -> None:
    """Put the AMIs into EC2, and the parameters that name them into Systems Manager."""
    ec2, ssm = backend("ec2"), backend("ssm")
    ssm._parameters.latest_ecs_amis_loaded = True  # moto's own list names AMIs that do not exist
    for ami in RECOMMENDED:
        ec2.amis[ami.image_id] = _ami(ec2, ami)
        facts = ami.facts()
        _parameter(ssm, f"{ROOT}/{ami.path}", json.dumps(facts))
        for key, value in facts.items():
            _parameter(ssm, f"{ROOT}/{ami.path}/{key}", str(value))


def _ami(ec2: Any, ami: Recommended) -> EcsOptimized:
    return EcsOptimized(
        ec2,
        ami.image_id,
        name=ami.name,
        description=f"Amazon Linux AMI 2023 {VERSION} {ami.architecture} ECS HVM EBS",
        owner_id=OWNER,
        owner_alias="amazon",
        public=True,
        virtualization_type="hvm",
        architecture=ami.architecture,
        hypervisor="xen",
        root_device_type="ebs",
        root_device_name="/dev/xvda",
        image_location=f"amazon/{ami.name}",
        region_name=f"{ec2.region_name}a",
    )


def _parameter(ssm: Any, name: str, value: str) -> None:
    ssm._parameters[name] = [
        Parameter(  # type: ignore[abstract]
            account_id=ACCOUNT,
            name=name,
            value=value,
            parameter_type="String",
            description=None,
            allowed_pattern=None,
            keyid=None,
            last_modified_date=utcnow(),
            version=1,
            data_type="text",
        )
    ]
