"""What an engine reports about a container's end, in ECS's words. Pure.

Sources: Amazon ECS Developer Guide, "Stopped tasks error codes"; amazon-ecs-agent, agent/engine/errors.go and
agent/taskresource/asmsecret; efs-utils (mount_efs); docs/ecs-facts.md, "Stopped tasks and their reasons".
"""

from __future__ import annotations

from dataclasses import replace

from slpnb.local.ecs.records import Ended

OUT_OF_MEMORY = "OutOfMemoryError: Container killed due to memory usage"
KILLED = 137  # 128 and SIGKILL: out of memory, or longer than the stop timeout
DAEMON = "Error response from daemon: "
UNRETRIEVED = (
    "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: "
    "unable to retrieve secret from asm: service call has been retried 1 time(s): "
)


def ended(exit_code: int, *, out_of_memory: bool = False, error: str = "") -> Ended:
    """The end of a container that ran. 137 alone is any SIGKILL: only the kernel's report makes it out of memory."""
    if out_of_memory and exit_code == KILLED:
        return Ended(exit_code, OUT_OF_MEMORY)
    return replace(not_started(error), exit_code=exit_code) if error else Ended(exit_code)


def not_started(error: str) -> Ended:
    """The end of a container that the engine could not start."""
    return Ended(None, f"CannotStartContainerError: {DAEMON}{one_line(error)}")


def not_created(error: str) -> Ended:
    """The end of a container that the engine could not make."""
    return Ended(None, f"CannotCreateContainerError: {DAEMON}{one_line(error)}")


def no_secret(arn: str, region: str, why: str) -> str:
    """Why a task whose secret cannot be read stopped; ``why`` is Secrets Manager's own sentence."""
    return f"{UNRETRIEVED}failed to fetch secret {arn} from secrets manager in region {region}: {why}"


def no_key(arn: str, key: str) -> str:
    """Why a task stopped whose secret is there, without the key that the task definition names."""
    return f"{UNRETRIEVED}retrieved secret from Secrets Manager did not contain json key {key}: {arn}"


def no_volume(family: str, revision: int, volume: str, why: str) -> str:
    """Why a task stopped whose volume cannot be mounted. On EC2 it is the volume driver that says it."""
    name = f"ecs-{family}-{revision}-{volume}"
    return f"CannotCreateVolumeError: {DAEMON}create {name}: VolumeDriver.Create: mounting volume failed: {why}"


def no_file_system(id: str, region: str) -> str:
    """efs-utils, where the file system, or its mount target in the instance's zone, is not there."""
    return (
        f'Failed to resolve "{id}.efs.{region}.amazonaws.com" - check that your file system ID is correct, '
        "and ensure that the VPC has an EFS mount target for this file system ID."
    )


def no_access_point(id: str) -> str:
    """The kernel's NFS client, where the access point is not there or is another file system's."""
    return f"mount.nfs4: access denied by server while mounting 127.0.0.1:/ with access point {id}"


def no_log_group(name: str) -> str:
    """The awslogs driver, where the log group is not there: the container does not start."""
    return (
        "failed to create task for container: failed to initialize logging driver: failed to create Cloudwatch log "
        f"stream: ResourceNotFoundException: The specified log group does not exist: {name}"
    )


def one_line(text: str) -> str:
    """An engine's message without line ends."""
    return " ".join(text.split())
