"""What moto gets wrong, put right: one module a service, each with subclasses of moto's own classes.

`install` puts them in moto's place. What is corrected, and what AWS does instead, is said where it is
done; the list comes from field-notes.md ("moto 5.2.5"). ECS has a module of its own, `slpnb.local.ecs`.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec

from slpnb.local import clock
from slpnb.local.corrections import acm, autoscaling, ec2, ecr, efs, elbv2, iam, kms, servicequotas

SERVICES = (acm, autoscaling, ec2, ecr, efs, elbv2, iam, kms, servicequotas)


def install() -> None:
    """Put every correction in moto's place, before any backend exists."""
    for service in SERVICES:
        service.install()
    if find_spec("slpnb.local.ecs"):
        try:
            ecs = import_module("slpnb.local.ecs")
            ecs.install()
        except ImportError as error:  # while it is being written
            print(f"without slpnb.local.ecs: {error}", file=sys.stderr)
            return
        clock.listen(ecs.advance)
