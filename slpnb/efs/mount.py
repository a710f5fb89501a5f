"""Who may mount the uploads, and whether anyone could: the file system policy, the VPC's DNS, the way to port 2049.

Source of the rules: Amazon EFS User Guide ("Using IAM to control file system data access", "Resource-based
policy examples", "Troubleshooting mount issues") and docs/ecs-facts.md, "EFS". Pure.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from slpnb import network
from slpnb.config import Config
from slpnb.network import NFS_PORT
from slpnb.plan import Found, Observed, arn
from slpnb.plan.values import Ref
from slpnb.verdict import Verdict, Verdicts, ng, ok

MOUNTING = ["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"]
ROOT_ACCESS = "elasticfilesystem:ClientRootAccess"


def policy(config: Config) -> dict[str, Any]:
    """Who may mount: the task role, through the access point, with TLS. Pure.

    The role is a condition, not the principal: EFS refuses a role that 40_secrets has yet to make, and a
    principal that is deleted and made again stays locked out (Amazon EFS User Guide, "Resource-based policy
    examples"). The account as principal means that the role's own policy must allow it as well.
    """
    point, system = Ref("access-point", "arn"), Ref("file-system", "arn")
    role = arn("iam", f"role/{config.secrets.role_name('task')}")
    through = {"StringEquals": {"aws:PrincipalArn": role, "elasticfilesystem:AccessPointArn": point}}
    beside = {"StringNotEquals": {"elasticfilesystem:AccessPointArn": point}}
    clear = {"Bool": {"aws:SecureTransport": "false"}}
    account = {"AWS": arn("iam", "root")}
    statements = (
        ("TaskRoleThroughTheAccessPoint", "Allow", account, MOUNTING, through),
        ("NobodyBesideTheAccessPoint", "Deny", {"AWS": "*"}, [*MOUNTING, ROOT_ACCESS], beside),
        ("NobodyInClearText", "Deny", {"AWS": "*"}, "*", clear),
    )
    elements = ("Sid", "Effect", "Principal", "Action", "Condition")
    return {
        "Version": "2012-10-17",
        "Statement": [dict(zip(elements, values, strict=True)) | {"Resource": system} for values in statements],
    }


def resolvable(config: Config, have: Observed) -> Verdicts:
    """Whether the VPC resolves the name that a file system is mounted by (docs/ecs-facts.md#efs). Pure."""
    if config.task.uploads_volume != "efs":
        return Verdicts()
    return Verdicts.of([_resolves(have["dns"])])


def _resolves(vpc: Found) -> Verdict:
    subject = "name of the file system"
    off = [attribute for name, (attribute, _) in network.DNS.items() if not vpc.attributes[name]]
    if off:
        return ng(
            subject,
            f"{' and '.join(off)} {'is' if len(off) == 1 else 'are'} off in VPC {vpc.name}, and every task would stop "
            'with: VolumeDriver.Create: mounting volume failed: Failed to resolve "fs-..."; '
            "whoever owns the VPC turns it on with aws ec2 modify-vpc-attribute",
        )
    return ok(subject, f"resolves in VPC {vpc.name}: DNS resolution and DNS hostnames are on")


def mountable(config: Config, have: Observed) -> Verdicts:
    """The preflight of the mount: a mount target, its network and port 2049, zone by zone. Pure."""
    return Verdicts.of(_mountable_from(zone, config, have) for zone in config.zones)


def _mountable_from(zone: str, config: Config, have: Observed) -> Verdict:
    subject = f"mount from {zone}"
    target, group = have.get(f"mount-target/{zone}"), have.get("security-group/efs")
    if target is None:
        return ng(subject, "no mount target in this zone: a task there would wait for its volume and time out")
    if target.facts["state"] != "available":
        return ng(subject, f"the mount target is {target.facts['state']}, not available")
    if group is None or group.id not in target.attributes["security_groups"]:
        return ng(subject, "the mount target does not carry the EFS security group")
    if not admits_nfs(config, have):
        return ng(subject, _closed(config))
    return ok(subject, f"mount target available, port {NFS_PORT} open to the group of the {config.mounts_from}")


def _closed(config: Config) -> str:
    """To whom port 2049 is closed, and what opens it: the parameter, or the step that has yet to do so."""
    asked, who = config.network.nfs_from, config.mounts_from
    closed = f"port {NFS_PORT} is closed to the {who}, which mount in {config.task.network_mode} mode"
    if asked in ("auto", who):
        return f"{closed}; run {network.STEP}, which opens it"
    return f"{closed}; {config.source('network.nfs_from')}: network.nfs_from is {asked}, must be auto or {who}"


def without_nfs(have: Observed) -> Observed:
    """The same facts with port 2049 closed, to show what the preflight then says. Pure."""
    group = have.get("security-group/efs")
    if group is None:
        return have
    return {**have, group.key: replace(group, attributes={**group.attributes, "ingress": []})}


def admits_nfs(config: Config, have: Observed) -> bool:
    """Whether the EFS group admits TCP 2049 from the group that mounts."""
    group, source = have.get("security-group/efs"), have.get(f"security-group/{config.mounts_from}")
    if group is None or source is None:
        return False
    return any(
        network.carries_tcp(rule) and rule["from_port"] <= NFS_PORT <= rule["to_port"] and rule["source"] == source.id
        for rule in group.attributes["ingress"]
    )
