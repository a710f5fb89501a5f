"""EFS: modes are checked, everything takes time, and the missing operations work.

moto accepts any mode, has neither PutBackupPolicy nor UpdateFileSystem, creates access points on file
systems that do not exist, and has mount targets at once. Rules and error codes: Amazon EFS User Guide,
API reference of each operation.
"""

from __future__ import annotations

import json
from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.efs.exceptions import (
    AccessPointNotFound,
    BadRequest,
    FileSystemInUse,
    FileSystemNotFound,
    MountTargetNotFound,
)
from moto.efs.models import AccessPoint, EFSBackend, FileSystem, MountTarget
from moto.efs.responses import EFSResponse

from slpnb.local.base import clock
from slpnb.local.base.refusal import Refusal
from slpnb.local.base.replace import Corrected

CREATION_SECONDS = 5.0  # of a file system and of an access point
MOUNT_TARGET_SECONDS = 30.0  # until a mount target is available; deleting one takes a third of it
PERFORMANCE_MODES = ("generalPurpose", "maxIO")
THROUGHPUT_MODES = ("bursting", "elastic", "provisioned")


class FileSystems(dict[str, FileSystem]):
    """File systems by id; one that is missing is an error of EFS."""

    def __missing__(self, id: str) -> FileSystem:
        raise FileSystemNotFound(id)


class Files(Corrected, EFSBackend):
    """moto's EFS, with EFS's refusals and delays."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.file_systems_by_id = FileSystems()

    def create_file_system(self, *args: Any, **named: Any) -> FileSystem:
        """As moto, with its modes checked; available a little later."""
        check_modes(named["performance_mode"], named["throughput_mode"], named["provisioned_throughput_in_mibps"])
        system = super().create_file_system(*args, **named)
        system.life_cycle_state = "creating"
        clock.later(CREATION_SECONDS, lambda: setattr(system, "life_cycle_state", "available"))
        return system

    def describe_backup_policy(self, file_system_id: str) -> dict[str, str]:
        """DISABLED where moto says that there is no policy: AWS says so of One Zone file systems only."""
        return self.file_systems_by_id[file_system_id].backup_policy or {"Status": "DISABLED"}

    def put_file_system_policy(self, file_system_id: str, policy: str, *args: Any, **kwargs: Any) -> None:
        """As moto, but only a policy that is JSON."""
        try:
            json.loads(policy)
        except ValueError as error:
            raise Refusal("InvalidPolicyException", f"the policy is not JSON: {error}") from error
        super().put_file_system_policy(file_system_id, policy, *args, **kwargs)

    def create_mount_target(self, file_system_id: str, *args: Any, **kwargs: Any) -> MountTarget:
        """As moto; available after half a minute."""
        self._demand_available(file_system_id)
        target = super().create_mount_target(file_system_id, *args, **kwargs)
        target.life_cycle_state = "creating"
        clock.later(MOUNT_TARGET_SECONDS, lambda: _created(target))
        return target

    def delete_mount_target(self, mount_target_id: str) -> None:
        """As moto, but its interface, and with it the use of its security groups, goes a little later."""
        if mount_target_id not in self.mount_targets_by_id:
            raise MountTargetNotFound(mount_target_id)
        target = self.mount_targets_by_id[mount_target_id]
        if target.life_cycle_state != "deleting":
            target.life_cycle_state = "deleting"
            gone = super().delete_mount_target
            clock.later(MOUNT_TARGET_SECONDS / 3, lambda: gone(mount_target_id))

    def create_access_point(
        self, client_token: str, tags: list[dict[str, str]], file_system_id: str, *args: Any, **kwargs: Any
    ) -> AccessPoint:
        """As moto, on a file system that is there, once for a client token."""
        self._demand_available(file_system_id)
        for point in self.access_points.values():
            if client_token and point.client_token == client_token:
                message = f"Access point {point.access_point_id} already exists"
                raise Refusal("AccessPointAlreadyExists", message)
        return super().create_access_point(client_token, tags, file_system_id, *args, **kwargs)

    def delete_access_point(self, access_point_id: str) -> None:
        """As moto; a missing one is an error."""
        if access_point_id not in self.access_points:
            raise AccessPointNotFound(access_point_id)
        super().delete_access_point(access_point_id)

    def delete_file_system(self, file_system_id: str) -> None:
        """As moto, in the background: deleting first, and then gone with its access points.

        Only mount targets hold it (API reference, DeleteFileSystem).
        """
        system = self.file_systems_by_id[file_system_id]
        if system.number_of_mount_targets > 0:
            raise FileSystemInUse("Must delete all mount targets before deleting file system.")
        if system.life_cycle_state != "deleting":
            system.life_cycle_state = "deleting"
            clock.later(CREATION_SECONDS, lambda: self._deleted(system))

    def _deleted(self, system: FileSystem) -> None:
        EFSBackend.delete_file_system(self, system.file_system_id)
        for point in list(self.access_points.values()):
            if point.file_system_id == system.file_system_id:
                del self.access_points[point.access_point_id]

    def _demand_available(self, file_system_id: str) -> None:
        state = self.file_systems_by_id[file_system_id].life_cycle_state
        if state != "available":
            message = f"File system '{file_system_id}' is {state}, not available"
            raise Refusal("IncorrectFileSystemLifeCycleState", message)


class FilesResponse(Corrected, EFSResponse):
    """moto's answers, and those of the operations that it does not know."""

    def _file_system(self) -> FileSystem:
        return self.efs_backend.file_systems_by_id[self._get_param("FileSystemId")]

    def update_file_system(self) -> ActionResult:
        """UpdateFileSystem: the throughput mode."""
        system, mibps = self._file_system(), self._get_param("ProvisionedThroughputInMibps")
        mode = self._get_param("ThroughputMode") or system.throughput_mode
        check_modes(None, mode, mibps)
        system.throughput_mode, system.provisioned_throughput_in_mibps = mode, mibps
        return ActionResult(system.info_json())

    def put_backup_policy(self) -> ActionResult:
        """PutBackupPolicy: the daily backups, on or off."""
        status = (self._get_param("BackupPolicy") or {}).get("Status", "")
        if status not in ("ENABLED", "DISABLED"):
            raise invalid(f"BackupPolicy.Status is {status}, must be ENABLED or DISABLED")
        self._file_system()._backup = status == "ENABLED"
        return ActionResult({"BackupPolicy": {"Status": status}})

    def delete_file_system_policy(self) -> ActionResult:
        """DeleteFileSystemPolicy: the default policy, which is none."""
        self._file_system().file_system_policy = None
        return EmptyResult()


def invalid(message: str) -> Refusal:
    """A value that the API does not have."""
    return Refusal("ValidationException", message)


def check_modes(performance: str | None, throughput: str | None, mibps: float | None) -> None:
    """EFS's own rules for the two modes (API reference, CreateFileSystem)."""
    if performance and performance not in PERFORMANCE_MODES:
        raise invalid(f"PerformanceMode is {performance}, must be one of {', '.join(PERFORMANCE_MODES)}")
    if throughput and throughput not in THROUGHPUT_MODES:
        raise invalid(f"ThroughputMode is {throughput}, must be one of {', '.join(THROUGHPUT_MODES)}")
    if throughput == "provisioned" and not mibps:
        raise BadRequest("ThroughputMode provisioned requires ProvisionedThroughputInMibps.")
    if throughput != "provisioned" and mibps:
        raise BadRequest("ProvisionedThroughputInMibps is only for ThroughputMode provisioned.")
    if throughput == "elastic" and performance == "maxIO":
        raise BadRequest("ThroughputMode elastic requires PerformanceMode generalPurpose.")


def _created(target: MountTarget) -> None:
    if target.life_cycle_state == "creating":
        target.life_cycle_state = "available"
