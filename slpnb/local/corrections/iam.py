"""IAM: what is new is not known everywhere yet, and a service's first use makes its service-linked role.

moto's roles and instance profiles serve from the moment they are made, and no service ever needs a role of its
own. AWS's 1500 managed policies are read once per process, not at each reset (80 ms). Sources: IAM User Guide,
"Changes that I make are not always immediately visible", "Create a service-linked role"; docs/ecs-facts.md,
"First use and propagation".
"""

from __future__ import annotations

from copy import copy
from functools import partial
from typing import Any, ClassVar

from moto.iam.models import IAMBackend, InstanceProfile, ManagedPolicy, Role

from slpnb.local.base import clock
from slpnb.local.base.inprocess import backend
from slpnb.local.base.replace import Corrected

SPREAD_SECONDS = 10.0  # until other services know a new role or profile
ECS, ECS_SCALING = "ecs.amazonaws.com", "ecs.application-autoscaling.amazonaws.com"
LINKED = {ECS: "AWSServiceRoleForECS", ECS_SCALING: "AWSServiceRoleForApplicationAutoScaling_ECSService"}


class Identities(Corrected, IAMBackend):
    """moto's IAM, which starts faster and spreads slower."""

    _read: ClassVar[list[ManagedPolicy]] = []

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.spreading: set[str] = set()
        super().__init__(*args, **kwargs)

    def _init_aws_policies(self) -> list[ManagedPolicy]:
        if not self._read:
            self._read.extend(super()._init_aws_policies())
        return [copy(policy) for policy in self._read]  # attaching one counts on the copy

    def create_role(self, *args: Any, **kwargs: Any) -> Role:
        """As moto; other services know it a little later."""
        made = super().create_role(*args, **kwargs)
        self._spread(made)
        return made

    def create_instance_profile(self, *args: Any, **kwargs: Any) -> InstanceProfile:
        """As moto; other services know it a little later."""
        made = super().create_instance_profile(*args, **kwargs)
        self._spread(made)
        return made

    def _spread(self, made: Role | InstanceProfile) -> None:
        self.spreading.add(made.id)
        clock.later(SPREAD_SECONDS, partial(self.spreading.discard, made.id))

    def knows(self, profile: str) -> bool:
        """Whether an instance profile, by name or ARN, and its role are known to other services by now."""
        found = next((one for one in self.instance_profiles.values() if profile in (one.name, one.arn)), None)
        return found is not None and not self.spreading & {found.id, *(role.id for role in found.roles)}

    def create_service_linked_role(self, service_name: str, description: str, suffix: str) -> Role:
        """As moto, by the names that AWS gives those of ECS."""
        made = super().create_service_linked_role(service_name, description, suffix)
        made.name = LINKED.get(service_name, made.name)
        return made

    def serves(self, service: str) -> bool:
        """Whether a service can act by its service-linked role; the first use only makes it."""
        linked = [role for role in self.roles.values() if role.path == f"/aws-service-role/{service}/"]
        if not linked:
            self.create_service_linked_role(service, "", "")
        return bool(linked) and linked[0].id not in self.spreading


def identities() -> Identities:
    """The account's IAM."""
    held: Identities = backend("iam")
    return held
