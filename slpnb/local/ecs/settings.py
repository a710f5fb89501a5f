"""Account settings by principal: a user or a role has its own value, or else the account's default.

moto knows one value for the whole account, whoever put it. Source: ECS API reference (PutAccountSetting,
PutAccountSettingDefault, ListAccountSettings); docs/ecs-facts.md, "Network interfaces".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.models.instances import Instance as Machine
from moto.ecs.responses import EC2ContainerServiceResponse

from slpnb.local.base.inprocess import backend
from slpnb.local.ecs.refusals import invalid

# What each setting is where nobody has said anything ("Access Amazon ECS features with account settings").
FIRST = {
    "awsvpcTrunking": "disabled",
    "containerInsights": "disabled",
    "containerInstanceLongArnFormat": "enabled",
    "defaultLogDriverMode": "non-blocking",
    "dualStackIPv6": "enabled",
    "fargateFIPSMode": "disabled",
    "fargateTaskRetirementWaitPeriod": "7",
    "guardDutyActivate": "off",
    "serviceLongArnFormat": "enabled",
    "tagResourceAuthorization": "off",
    "taskLongArnFormat": "enabled",
}
ROOT = "root"  # as the root user's principal it stands for the account's default


@dataclass
class Settings:
    """The values that were put, by principal and name."""

    put: dict[tuple[str, str], str] = field(default_factory=dict)

    def effective(self, principal: str, name: str) -> str:
        """What counts for a principal: its own value, else the account's default, else AWS's."""
        return self.put.get((principal, name)) or self.put.get((ROOT, name)) or FIRST[name]

    def trunks(self, machine: Machine) -> bool:
        """Whether an EC2 instance gets a trunk interface: the role of its instance profile counts, no one else."""
        return self.effective(_role_of(machine), "awsvpcTrunking") == "enabled"


def _role_of(machine: Machine) -> str:
    """The ARN of the role that the instance's agent calls ECS with; without one, the default counts."""
    held = machine.ec2_backend.iam_instance_profile_associations.values()
    profiles = [one.iam_instance_profile.arn for one in held if one.instance.id == machine.id]
    known = backend("iam").instance_profiles.values()
    return next((role.arn for one in known if one.arn in profiles for role in one.roles), ROOT)


class SettingsResponses(EC2ContainerServiceResponse):
    """The operations on account settings, for those who tell where the settings are."""

    settings: Settings

    def put_account_setting(self) -> ActionResult:
        """For one principal: the caller unless another is named; the root user stands for the account."""
        return self._put(self._principal())

    def put_account_setting_default(self) -> ActionResult:
        """For all users and roles that have no value of their own."""
        return self._put(ROOT)

    def delete_account_setting(self) -> ActionResult:
        """From now on the default counts."""
        principal, name = self._principal(), self._name()
        self.settings.put.pop((principal, name), None)
        return ActionResult({"setting": _shown(principal, name, self.settings.effective(principal, name))})

    def list_account_settings(self) -> ActionResult:
        """A principal's own settings, or with ``effectiveSettings`` what counts for it."""
        principal, named, value = self._principal(), self._get_param("name"), self._get_param("value")
        names = [self._name()] if named else sorted(FIRST)
        effective = bool(self._get_param("effectiveSettings"))
        held = {name: self.settings.put.get((principal, name)) for name in names}
        found = {name: self.settings.effective(principal, name) if effective else own for name, own in held.items()}
        shown = [_shown(principal, name, one) for name, one in found.items() if one and value in (None, one)]
        return ActionResult({"settings": shown})

    def _put(self, principal: str) -> ActionResult:
        name, value = self._name(), self._get_param("value")
        self.settings.put[principal, name] = value
        return ActionResult({"setting": _shown(principal, name, value)})

    def _name(self) -> str:
        name = self._get_param("name")
        if name not in FIRST:
            raise invalid(f"Invalid setting name '{name}'.")
        return str(name)

    def _principal(self) -> str:
        caller = f"arn:aws:iam::{self.current_account}:user/moto"
        arn = str(self._get_param("principalArn") or caller)
        return ROOT if arn.rpartition(":")[2] == ROOT else arn


def _shown(principal: str, name: str, value: str) -> dict[str, Any]:
    return {"name": name, "value": value, "principalArn": principal, "type": "user"}
