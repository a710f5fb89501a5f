"""EC2 Auto Scaling: zones are balanced, instances get what their template says, and a group in use is kept.

moto launches every instance into the first subnet, forgets the template's instance profile and the
default warm-up, keeps no scaling activities, and deletes a group whose instances then keep running.
Sources: Amazon EC2 Auto Scaling User Guide, "Availability Zone distribution", "Delete your Auto Scaling
infrastructure"; API reference, "DeleteAutoScalingGroup".
"""

from __future__ import annotations

from typing import Any

from moto.autoscaling.exceptions import ValidationError
from moto.autoscaling.models import (
    ASG_NAME_TAG,
    Activity,
    AutoScalingBackend,
    FakeAutoScalingGroup,
    InstanceState,
)
from moto.autoscaling.responses import AutoScalingResponse
from moto.core.responses import ActionResult, EmptyResult
from moto.core.utils import utcnow
from moto.ec2.utils import convert_tag_spec

from slpnb.local.base import clock
from slpnb.local.base.refusal import Refusal
from slpnb.local.base.replace import Corrected
from slpnb.local.corrections.iam import identities

DELETION_SECONDS = 60.0  # until a group deleted by force, and its instances, are gone
ACTIVITIES_KEPT = 100


class AutoScalingGroup(Corrected, FakeAutoScalingGroup):
    """A group that spreads its instances over its subnets and keeps a record of what it did."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.activities: list[Activity] = []
        self.default_instance_warmup: int | None = None
        self.status: str | None = None
        super().__init__(*args, **kwargs)

    def set_desired_capacity(self, new_capacity: int | None) -> None:
        """Launch or terminate until the group has as many instances as wanted."""
        self.desired_capacity = self.min_size if new_capacity is None else new_capacity
        excess = len(self.active_instances()) - (self.desired_capacity or 0)
        if excess < 0:
            self.replace_autoscaling_group_instances(-excess, self.get_propagated_tags())
        else:
            self._terminate(self._to_terminate(excess))
        if self.name in self.autoscaling_backend.autoscaling_groups:
            self.autoscaling_backend.update_attached_target_groups(self.name)

    def replace_autoscaling_group_instances(self, count_needed: int, propagated_tags: dict[str, str]) -> None:
        """Launch, each into the zone that has the fewest."""
        for _ in range(count_needed):
            self._launch({**propagated_tags, **self.instance_tags, ASG_NAME_TAG: self.name})

    def _launch(self, tags: dict[str, str]) -> None:
        template = self._template()
        volume_tags = convert_tag_spec(template.get("TagSpecifications", [])).get("volume", {})
        instance = self.ec2_backend.run_instances(
            self.image_id,
            1,
            self.user_data,
            [],
            instance_type=self.instance_type,
            is_instance_type_default=False,
            subnet_id=self._subnet(),
            tags={"instance": tags, "volume": volume_tags},
            **self._asked(template),
        ).instances[0]
        instance.autoscaling_group = self  # type: ignore[attr-defined]
        protected = self.new_instances_protected_from_scale_in
        self.instance_states.append(InstanceState(instance, protected_from_scale_in=protected))
        self._record(f"Launching a new EC2 instance: {instance.id}")
        if profile := template.get("IamInstanceProfile"):
            self.ec2_backend.associate_iam_instance_profile(instance.id, profile.get("Name"), profile.get("Arn"))

    def _template(self) -> dict[str, Any]:
        """The content of the launch template's version; empty where the group has a launch configuration."""
        template = self.ec2_launch_template
        return template.get_version(self.launch_template_version).data if template else {}

    def _asked(self, template: dict[str, Any]) -> dict[str, Any]:
        """What RunInstances gets of a launch template; moto reads the default version by itself."""
        launched = self.ec2_launch_template
        if launched is None:
            return {}
        interface: dict[str, Any] = next(iter(template.get("NetworkInterfaces", [])), {})
        asked = {
            "security_group_ids": list(template.get("SecurityGroupIds") or interface.get("Groups") or []),
            "associate_public_ip": interface.get("AssociatePublicIpAddress"),
            "launch_template": {"LaunchTemplateId": launched.id, "Version": self.launch_template_version},
            "metadata_options": template.get("MetadataOptions", {}),
        }
        # Without any volumes, the AMI's: moto adds one of its own, not encrypted, to those that it is given.
        devices = template.get("BlockDeviceMappings")
        return asked | ({"block_device_mappings": devices} if devices else {})

    def _subnet(self) -> str | None:
        """The subnet with the fewest instances of this group; the first of several."""
        subnets = (self.vpc_zone_identifier or "").split(",")
        used = [state.instance.subnet_id for state in self.active_instances()]
        return min(subnets, key=used.count) or None

    def _to_terminate(self, count: int) -> list[InstanceState]:
        """The default termination policy: the zone with the most instances first, the oldest in it; none protected."""
        chosen: list[InstanceState] = []
        free = [state for state in self.active_instances() if not state.protected_from_scale_in]
        while free and len(chosen) < count:
            zones = [state.availability_zone for state in self.active_instances() if state not in chosen]
            chosen.append(max(free, key=lambda state: zones.count(state.availability_zone)))
            free.remove(chosen[-1])
        return chosen

    def _terminate(self, states: list[InstanceState]) -> None:
        for state in states:
            self.instance_states.remove(state)
            self.ec2_backend.terminate_instances([state.instance.id])
            self._record(f"Terminating EC2 instance: {state.instance.id}")

    def terminate_all(self) -> None:
        """Every instance, protected or not: what ForceDelete does."""
        self.desired_capacity = 0
        self._terminate(list(self.instance_states))

    def _record(self, description: str) -> None:
        cause = f"At {utcnow():%Y-%m-%dT%H:%M:%SZ} a user request or the group's own scaling asked for this."
        activity = Activity(description, cause, self, status_code="Successful")
        activity.progress = 100
        self.activities = [activity, *self.activities][:ACTIVITIES_KEPT]


class AutoScaling(Corrected, AutoScalingBackend):
    """moto's Auto Scaling, with its refusals."""

    autoscaling_groups: dict[str, AutoScalingGroup]  # type: ignore[assignment]

    def create_auto_scaling_group(self, name: str, *args: Any, **named: Any) -> FakeAutoScalingGroup:
        """As moto; a name is used once, and the sizes must agree."""
        if name in self.autoscaling_groups:
            message = "AutoScalingGroup by this name already exists - A group with the name already exists"
            raise Refusal("AlreadyExists", message)
        _check_sizes(int(named["min_size"]), int(named["max_size"]), named["desired_capacity"])
        self._check_profile(named.get("launch_template") or {})
        return super().create_auto_scaling_group(name, *args, **named)

    def _check_profile(self, asked: dict[str, str]) -> None:
        """EC2 must know the template's instance profile, which IAM may have made only a second ago."""
        if not asked:
            return
        name, ec2 = asked.get("LaunchTemplateName"), self.ec2_backend
        template = ec2.get_launch_template_by_name(name) if name else ec2.get_launch_template(asked["LaunchTemplateId"])
        profile = template.get_version(asked.get("Version") or "$Default").data.get("IamInstanceProfile") or {}
        for kind, value in profile.items():
            if not identities().knows(value):
                raise ValidationError(
                    f"You must use a valid fully-formed launch template. Value ({value}) for parameter "
                    f"iamInstanceProfile.{kind.lower()} is invalid. Invalid IAM Instance Profile {kind.lower()}"
                )

    def update_auto_scaling_group(self, name: str, *args: Any, **named: Any) -> FakeAutoScalingGroup:
        """As moto; the sizes must agree, with those that stay as they are too."""
        group = self.group(name)
        low = group.min_size if named["min_size"] is None else named["min_size"]
        high = group.max_size if named["max_size"] is None else named["max_size"]
        _check_sizes(low or 0, high or 0, named["desired_capacity"])
        return super().update_auto_scaling_group(name, *args, **named)

    def set_desired_capacity(self, group_name: str, desired_capacity: int | None) -> None:
        """As moto, between the group's minimum and maximum only."""
        group = self.group(group_name)
        wanted, low, high = desired_capacity, group.min_size or 0, group.max_size or 0
        if wanted is not None and not low <= wanted <= high:
            limit = f"above max value {high}" if wanted > high else f"below min value {low}"
            raise ValidationError(f"New SetDesiredCapacity value {wanted} is {limit} for the AutoScalingGroup.")
        super().set_desired_capacity(group_name, desired_capacity)

    def delete_by_force(self, group_name: str, force: bool) -> None:
        """DeleteAutoScalingGroup: refused while there are instances, unless ``force``; gone a little later."""
        group = self.group(group_name)
        if group.instance_states and not force:
            raise Refusal(
                "ResourceInUse",
                "You cannot delete an AutoScalingGroup while there are instances or pending Spot instance request(s) "
                "still in the group.",
            )
        group.terminate_all()
        group.status = "Delete in progress"
        clock.later(DELETION_SECONDS, lambda: self.autoscaling_groups.pop(group_name, None))

    def group(self, group_name: str) -> AutoScalingGroup:
        """The group, or Auto Scaling's own error."""
        if group_name not in self.autoscaling_groups:
            raise ValidationError(f"AutoScalingGroup name not found - AutoScalingGroup '{group_name}' not found")
        return self.autoscaling_groups[group_name]


def _check_sizes(low: int, high: int, desired: int | str | None) -> None:
    if low > high:
        raise ValidationError(f"Max bound, {high}, must be greater than or equal to min bound, {low}")
    if desired is not None and not low <= int(desired) <= high:
        sizes = f"the specified min size:{low} and max size:{high}"
        raise ValidationError(f"Desired capacity:{desired} must be between {sizes}")


class ScalingResponse(Corrected, AutoScalingResponse):
    """moto's answers, with ForceDelete and the scaling activities."""

    @property
    def scaling(self) -> AutoScaling:
        """The corrected backend."""
        backend = self.autoscaling_backend
        assert isinstance(backend, AutoScaling)  # noqa: S101
        return backend

    def create_auto_scaling_group(self) -> ActionResult:
        """As moto, with DefaultInstanceWarmup."""
        super().create_auto_scaling_group()
        return self._warm_up()

    def update_auto_scaling_group(self) -> ActionResult:
        """As moto, with DefaultInstanceWarmup and CapacityRebalance."""
        super().update_auto_scaling_group()
        rebalance = self._get_bool_param("CapacityRebalance", None)
        if rebalance is not None:
            self.scaling.group(self._get_param("AutoScalingGroupName")).capacity_rebalance = rebalance
        return self._warm_up()

    def _warm_up(self) -> ActionResult:
        seconds = self._get_int_param("DefaultInstanceWarmup")
        if seconds is not None:
            self.scaling.group(self._get_param("AutoScalingGroupName")).default_instance_warmup = seconds
        return EmptyResult()

    def delete_auto_scaling_group(self) -> ActionResult:
        """DeleteAutoScalingGroup."""
        force = self._get_bool_param("ForceDelete", False) or False
        self.scaling.delete_by_force(self._get_param("AutoScalingGroupName"), force)
        return EmptyResult()

    def describe_scaling_activities(self) -> ActionResult:
        """DescribeScalingActivities, the latest first."""
        name = self._get_param("AutoScalingGroupName")
        groups = [group for group in self.scaling.autoscaling_groups.values() if name in (None, group.name)]
        return ActionResult({"Activities": [one for group in groups for one in group.activities]})
