"""Service quotas: the ones worth knowing before a move to ECS; moto only has those of VPC.

AWS's default values (Service Quotas console; the "Endpoints and quotas" page of each service in the AWS
General Reference). A new account's vCPU quota is often lower than 256: the live answer wins.
"""

from __future__ import annotations

import json
from typing import Any

from moto.servicequotas.exceptions import NoSuchResource
from moto.servicequotas.models import ServiceQuotasBackend
from moto.servicequotas.resources.default_quotas.vpc import VPC_DEFAULT_QUOTAS
from moto.servicequotas.responses import ServiceQuotasResponse

from slpnb.local.base.inprocess import ACCOUNT, REGION
from slpnb.local.base.replace import Corrected

# service code, service name, quota code, quota name, default, adjustable
QUOTAS: tuple[tuple[str, str, str, str, float, bool], ...] = (
    ("ec2", "Amazon EC2", "L-1216C47A", "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances", 256, True),
    ("ec2", "Amazon EC2", "L-DB2E81BA", "Running On-Demand G and VT instances", 0, True),
    ("ecs", "Amazon ECS", "L-21C621EB", "Clusters per account", 10000, True),
    ("ecs", "Amazon ECS", "L-9EF96962", "Services per cluster", 5000, True),
    ("ecs", "Amazon ECS", "L-46458851", "Tasks per service", 5000, True),
    ("ecs", "Amazon ECS", "L-3B13ABDE", "Container instances per cluster", 5000, False),
    ("elasticfilesystem", "Amazon EFS", "L-848C634D", "File systems per account", 1000, True),
    ("elasticfilesystem", "Amazon EFS", "L-0000A01A", "Mount targets per file system per Availability Zone", 1, False),
    ("elasticloadbalancing", "ELB", "L-53DA6B97", "Application Load Balancers per Region", 50, True),
    ("elasticloadbalancing", "ELB", "L-7E6692B2", "Targets per Application Load Balancer", 1000, True),
    ("elasticloadbalancing", "ELB", "L-B22855CB", "Target Groups per Region", 3000, True),
    ("elasticloadbalancing", "ELB", "L-B6DF7632", "Listeners per Application Load Balancer", 50, True),
    ("autoscaling", "EC2 Auto Scaling", "L-CDE20ADC", "Auto Scaling groups per region", 500, True),
    ("secretsmanager", "AWS Secrets Manager", "L-2F66C23C", "Secrets", 500000, False),
    ("rds", "Amazon RDS", "L-7B6409FD", "DB instances", 40, True),
)


class Quotas(Corrected, ServiceQuotasBackend):
    """moto's backend, with more quotas."""

    def list_aws_default_service_quotas(self, service_code: str) -> list[dict[str, Any]]:
        """The default quotas of a service."""
        if service_code == "vpc":
            return list(VPC_DEFAULT_QUOTAS)
        found = [_quota(*quota) for quota in QUOTAS if quota[0] == service_code]
        if not found:
            raise NoSuchResource
        return found

    def get_service_quota(self, service_code: str, quota_code: str) -> dict[str, Any]:
        """One quota: the embedded account has every default."""
        for quota in self.list_aws_default_service_quotas(service_code):
            if quota["QuotaCode"] == quota_code:
                return quota
        raise NoSuchResource


class QuotasResponse(Corrected, ServiceQuotasResponse):
    """moto's answers, and those of the operations that it does not know."""

    def list_service_quotas(self) -> str:
        """ListServiceQuotas: what applies to the account, which are the defaults."""
        return super().list_aws_default_service_quotas()

    def get_aws_default_service_quota(self) -> str:
        """GetAWSDefaultServiceQuota."""
        return super().get_service_quota()

    def list_services(self) -> str:
        """ListServices."""
        names = {quota[0]: quota[1] for quota in QUOTAS} | {"vpc": "Amazon Virtual Private Cloud (Amazon VPC)"}
        services = [{"ServiceCode": code, "ServiceName": name} for code, name in sorted(names.items())]
        return json.dumps({"Services": services})


def _quota(service: str, service_name: str, code: str, name: str, value: float, adjustable: bool) -> dict[str, Any]:
    return {
        "ServiceCode": service,
        "ServiceName": service_name,
        "QuotaArn": f"arn:aws:servicequotas:{REGION}:{ACCOUNT}:{service}/{code}",
        "QuotaCode": code,
        "QuotaName": name,
        "Value": float(value),
        "Unit": "None",
        "Adjustable": adjustable,
        "GlobalQuota": False,
    }
