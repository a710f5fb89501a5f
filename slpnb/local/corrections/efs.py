"""EFS: modes are checked, everything takes time, and the missing operations work.

moto accepts any mode, has neither PutBackupPolicy nor UpdateFileSystem, creates access points on file
systems that do not exist, and has mount targets at once. Rules and error codes: Amazon EFS User Guide,
API reference of each operation.
"""

from __future__ import annotations

import json
from typing import Any

from moto.efs.exceptions import (
    AccessPointNotFound,
    BadRequest,
    EFSError,
    FileSystemInUse,
    FileSystemNotFound,
    MountTargetNotFound,
)
from moto.efs.models import AccessPoint, EFSBackend, FileSystem, MountTarget
from moto.efs.responses import EFSResponse

from slpnb.local.base import clock
from slpnb.local.base.replace import Corrected, replace_backend, replace_responses

CREATION_SECONDS = 5.0  # of a file system and of an access point
MOUNT_TARGET_SECONDS = 30.0  # until a mount target is available; deleting one takes a third of it
PERFORMANCE_MODES = ("generalPurpose", "maxIO")
THROUGHPUT_MODES = ("bursting", "elastic", "provisioned")
TYPE_RESPONSE = tuple[str, dict[str, Any]]


class ValidationError(EFSError):
    """A value that the API does not have."""

    code = 400

    def __init__(self, message: str) -> None:
        super().__init__("ValidationException", message)


class AccessPointAlreadyExistsError(EFSError):
    """The client token has made an access point before."""

    code = 409

    def __init__(self, point: AccessPoint) -> None:
        super().__init__("AccessPointAlreadyExists", f"Access point {point.access_point_id} already exists")


class IncorrectFileSystemLifeCycleStateError(EFSError):
    """The file system is still being created."""

    code = 409

    def __init__(self, system: FileSystem) -> None:
        message = f"File system '{system.file_system_id}' is {system.life_cycle_state}, not available"
        super().__init__("IncorrectFileSystemLifeCycleState", message)


class Files(Corrected, EFSBackend):
    """moto's EFS, with EFS's refusals and delays."""

    def create_file_system(self, creation_token: str, performance_mode: str, *args: Any, **kwargs: Any) -> FileSystem:
        """As moto, with its modes checked; available a little later."""
        kwargs["performance_mode"] = performance_mode
        check_modes(performance_mode, kwargs.get("throughput_mode"), kwargs.get("provisioned_throughput_in_mibps"))
        system = super().create_file_system(creation_token, *args, **kwargs)
        system.life_cycle_state = "creating"
        clock.later(CREATION_SECONDS, lambda: setattr(system, "life_cycle_state", "available"))
        return system

    def update_file_system(self, file_system_id: str, throughput_mode: str | None, mibps: float | None) -> FileSystem:
        """Set the throughput mode. https://docs.aws.amazon.com/efs/latest/ug/API_UpdateFileSystem.html"""
        system = self.file_system(file_system_id)
        mode = throughput_mode or system.throughput_mode
        check_modes(None, mode, mibps)
        system.throughput_mode = mode
        system.provisioned_throughput_in_mibps = mibps  # type: ignore[assignment]
        return system

    def put_backup_policy(self, file_system_id: str, status: str) -> str:
        """Turn the daily backups on or off."""
        if status not in ("ENABLED", "DISABLED"):
            raise ValidationError(f"BackupPolicy.Status is {status}, must be ENABLED or DISABLED")
        self.file_system(file_system_id)._backup = status == "ENABLED"
        return status

    def describe_backup_policy(self, file_system_id: str) -> dict[str, str]:
        """DISABLED where moto says that there is no policy: AWS says so of One Zone file systems only."""
        return self.file_system(file_system_id).backup_policy or {"Status": "DISABLED"}

    def delete_file_system_policy(self, file_system_id: str) -> None:
        """Return to the default policy, which is none."""
        self.file_system(file_system_id).file_system_policy = None

    def describe_file_system_policy(self, file_system_id: str) -> str:
        """As moto, but a missing file system is an error of EFS."""
        self.file_system(file_system_id)
        return super().describe_file_system_policy(file_system_id)

    def put_file_system_policy(self, file_system_id: str, policy: str, *args: Any, **kwargs: Any) -> None:
        """As moto, but only for a file system that is there and a policy that is JSON."""
        self.file_system(file_system_id)
        try:
            json.loads(policy)
        except ValueError as error:
            raise InvalidPolicyError(f"the policy is not JSON: {error}") from error
        super().put_file_system_policy(file_system_id, policy, *args, **kwargs)

    def create_mount_target(self, file_system_id: str, *args: Any, **kwargs: Any) -> MountTarget:
        """As moto; available after half a minute."""
        self._available(file_system_id)
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
        self._available(file_system_id)
        for point in self.access_points.values():
            if client_token and point.client_token == client_token:
                raise AccessPointAlreadyExistsError(point)
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
        system = self.file_system(file_system_id)
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

    def file_system(self, file_system_id: str) -> FileSystem:
        """The file system, or EFS's own error."""
        if file_system_id not in self.file_systems_by_id:
            raise FileSystemNotFound(file_system_id)
        return self.file_systems_by_id[file_system_id]

    def _available(self, file_system_id: str) -> None:
        system = self.file_system(file_system_id)
        if system.life_cycle_state != "available":
            raise IncorrectFileSystemLifeCycleStateError(system)


class InvalidPolicyError(EFSError):
    """The file system policy cannot be read."""

    code = 400

    def __init__(self, message: str) -> None:
        super().__init__("InvalidPolicyException", message)


class FilesResponse(EFSResponse):
    """moto's answers, and those of the operations that it does not know."""

    @property
    def files(self) -> Files:
        """The corrected backend."""
        backend = self.efs_backend
        assert isinstance(backend, Files)  # noqa: S101
        return backend

    def update_file_system(self) -> TYPE_RESPONSE:
        """UpdateFileSystem."""
        system = self.files.update_file_system(
            self._get_param("FileSystemId"),
            self._get_param("ThroughputMode"),
            self._get_param("ProvisionedThroughputInMibps"),
        )
        return json.dumps(system.info_json()), {"status": 202, "Content-Type": "application/json"}

    def put_backup_policy(self) -> TYPE_RESPONSE:
        """PutBackupPolicy."""
        policy = self._get_param("BackupPolicy") or {}
        status = self.files.put_backup_policy(self._get_param("FileSystemId"), policy.get("Status", ""))
        return json.dumps({"BackupPolicy": {"Status": status}}), {"Content-Type": "application/json"}

    def delete_file_system_policy(self) -> TYPE_RESPONSE:
        """DeleteFileSystemPolicy."""
        self.files.delete_file_system_policy(self._get_param("FileSystemId"))
        return "", {"Content-Type": "application/json"}


def check_modes(performance: str | None, throughput: str | None, mibps: float | None) -> None:
    """EFS's own rules for the two modes (API reference, CreateFileSystem)."""
    if performance and performance not in PERFORMANCE_MODES:
        raise ValidationError(f"PerformanceMode is {performance}, must be one of {', '.join(PERFORMANCE_MODES)}")
    if throughput and throughput not in THROUGHPUT_MODES:
        raise ValidationError(f"ThroughputMode is {throughput}, must be one of {', '.join(THROUGHPUT_MODES)}")
    if throughput == "provisioned" and not mibps:
        raise BadRequest("ThroughputMode provisioned requires ProvisionedThroughputInMibps.")
    if throughput != "provisioned" and mibps:
        raise BadRequest("ProvisionedThroughputInMibps is only for ThroughputMode provisioned.")
    if throughput == "elastic" and performance == "maxIO":
        raise BadRequest("ThroughputMode elastic requires PerformanceMode generalPurpose.")


def _created(target: MountTarget) -> None:
    if target.life_cycle_state == "creating":
        target.life_cycle_state = "available"


def install() -> None:
    """Replace moto's EFS."""
    replace_backend("efs", Files)
    replace_responses("efs", FilesResponse)
