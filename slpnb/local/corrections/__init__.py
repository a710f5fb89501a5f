"""What moto gets wrong, corrected: one module per service, each with subclasses of moto's own classes.

`install` puts them in moto's place. What is corrected, and what AWS does instead, is stated where it is
done; the list comes from docs/ecs-facts.md, "moto". ECS has a room of its own, `slpnb.local.ecs`.
"""

from __future__ import annotations

from slpnb.local.base import clock
from slpnb.local.corrections import (
    acm,
    applicationautoscaling,
    autoscaling,
    ec2,
    ecr,
    efs,
    elbv2,
    iam,
    kms,
    logs,
    route53,
    secretsmanager,
    servicequotas,
)
from slpnb.local.ecs import backend, replacement

SERVICES = (
    acm,
    applicationautoscaling,
    autoscaling,
    ec2,
    ecr,
    efs,
    elbv2,
    iam,
    kms,
    logs,
    route53,
    secretsmanager,
    servicequotas,
)


def install() -> None:
    """Put every correction in moto's place, before any backend exists."""
    for service in SERVICES:
        service.install()
    replacement.install()
    clock.listen(backend.advance)
