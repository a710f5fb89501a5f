"""Application Auto Scaling: what is missing gives ObjectNotFoundException, and a policy needs its scalable target.

moto answers ValidationException where something is missing, which also means a wrong parameter, and creates
policies for targets that were never registered. Errors: Application Auto Scaling API reference.
"""

from __future__ import annotations

import json
from typing import Any

from moto.applicationautoscaling.exceptions import AWSValidationException
from moto.applicationautoscaling.models import (
    ApplicationAutoscalingBackend,
    FakeApplicationAutoscalingPolicy,
    FakeScalableTarget,
)
from moto.applicationautoscaling.responses import ApplicationAutoScalingResponse

from slpnb.local.base.refusal import Refusal
from slpnb.local.base.replace import Corrected
from slpnb.local.corrections.iam import ECS_SCALING, LINKED, identities


def not_found(message: str) -> Refusal:
    """No such scalable target or policy."""
    return Refusal("ObjectNotFoundException", message)


class TargetScaling(Corrected, ApplicationAutoscalingBackend):
    """moto's Application Auto Scaling, with its errors."""

    def register_scalable_target(self, namespace: str, *args: Any, **named: Any) -> FakeScalableTarget:
        """As moto, once it has its service-linked role, which the first use makes."""
        if namespace == "ecs" and not identities().serves(ECS_SCALING):
            role = f"arn:aws:iam::{self.account_id}:role/aws-service-role/{ECS_SCALING}/{LINKED[ECS_SCALING]}"
            raise AWSValidationException(f"Unable to assume IAM role: {role}")
        return super().register_scalable_target(namespace, *args, **named)

    def put_scaling_policy(self, *args: Any, **named: Any) -> FakeApplicationAutoscalingPolicy:
        """As moto, for a registered scalable target."""
        resource, dimension = named["resource_id"], named["scalable_dimension"]
        if not self._scalable_target_exists(resource, dimension):
            raise not_found(
                f"No scalable target registered for service namespace: {named['service_namespace']}, "
                f"resource ID: {resource}, scalable dimension: {dimension}"
            )
        return super().put_scaling_policy(*args, **named)

    def deregister_scalable_target(self, namespace: str, r_id: str, dimension: str) -> None:
        """As moto, and with the target its policies go."""
        try:
            super().deregister_scalable_target(namespace, r_id, dimension)
        except AWSValidationException as error:
            raise not_found(str(error.message)) from error
        for policy in list(self.policies.values()):
            if (policy.resource_id, policy.scalable_dimension) == (r_id, dimension):
                super().delete_scaling_policy(policy.policy_name, namespace, r_id, dimension)

    def delete_scaling_policy(self, *args: Any, **kwargs: Any) -> None:
        """As moto, with the right error."""
        try:
            super().delete_scaling_policy(*args, **kwargs)
        except AWSValidationException as error:
            raise not_found(str(error.message)) from error


class TargetScalingResponse(Corrected, ApplicationAutoScalingResponse):
    """moto's answers, and those of the operations that it does not know."""

    def describe_scaling_activities(self) -> str:
        """None: no load is simulated that would scale."""
        return json.dumps({"ScalingActivities": []})
