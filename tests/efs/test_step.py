from __future__ import annotations

import json
import re
from functools import partial

import pytest

from slpnb import efs, network, start
from slpnb.aws import connect
from slpnb.config import INJECTED, load
from slpnb.efs.mount import policy
from slpnb.errors import Refusal
from tests.conftest import again, cases


@pytest.fixture
def uploads(aws):
    for module in (network, efs):
        module.plan(module.desired(aws.config), module.observe(aws)).apply(aws)
    return aws


def test_the_file_system_is_encrypted_and_its_throughput_set_explicitly(uploads):
    (system,) = uploads.client("efs").describe_file_systems(CreationToken="staging-slp-saas-test-uploads")[
        "FileSystems"
    ]
    assert system["Encrypted"]
    assert system["ThroughputMode"] == "elastic"
    assert (
        uploads.client("efs").describe_backup_policy(FileSystemId=system["FileSystemId"])["BackupPolicy"]["Status"]
        == "ENABLED"
    )


def drifted(aws, case):
    """Change the file system of this account by hand as a case says; its $names are ids."""
    have = efs.observe(aws)
    ids = {key: found.id for key, found in have.items()} | {"account": aws.account_id}
    params = json.loads(re.sub(r"\$([a-z-]+(?:/[\w-]+)?)", lambda name: ids[name[1]], json.dumps(case["params"])))
    if "Policy" in params:
        params["Policy"] = json.dumps(params["Policy"])
    getattr(aws.client("efs"), case["operation"])(**params)
    aws.sleep(120)


@pytest.mark.parametrize("case", cases("efs/drift"))
def test_a_file_system_changed_by_hand_is_shown_and_repaired_by_one_apply(uploads, case):
    drifted(uploads, case)
    want = efs.desired(uploads.config)
    planned = efs.plan(want, efs.observe(uploads))
    assert [f"{change.action} {change.key}" for change in planned.pending] == case["plan"]
    assert not [text for text in case["shows"] if text not in repr(planned)]
    planned.apply(uploads)
    assert efs.verify(uploads, want)
    assert not efs.plan(want, efs.observe(uploads))


def test_a_policy_that_reads_back_in_another_order_is_as_wanted(uploads):
    client, system = uploads.client("efs"), efs.observe(uploads)["file-system"].id
    policy = json.loads(client.describe_file_system_policy(FileSystemId=system)["Policy"])
    for statement in policy["Statement"]:
        if isinstance(statement["Action"], list):
            statement["Action"].reverse()
        if statement["Effect"] == "Allow":
            statement["Principal"] = {"AWS": uploads.account_id}
    policy["Statement"].reverse()
    client.put_file_system_policy(FileSystemId=system, Policy=json.dumps(policy))
    assert not efs.plan(efs.desired(uploads.config), efs.observe(uploads))


def test_a_mount_target_in_another_subnet_is_refused(uploads):
    ec2, client = uploads.client("ec2"), uploads.client("efs")
    have = efs.observe(uploads)
    other = ec2.create_subnet(
        VpcId=network.find_vpc(uploads)["vpc"].id, CidrBlock="172.30.128.0/24", AvailabilityZone="us-east-1a"
    )["Subnet"]["SubnetId"]
    client.delete_mount_target(MountTargetId=have["mount-target/us-east-1a"].id)
    uploads.sleep(60)
    client.create_mount_target(FileSystemId=have["file-system"].id, SubnetId=other)
    with pytest.raises(Refusal, match=r"EFS mount target us-east-1a has subnet subnet-.* AWS cannot change it"):
        efs.plan(efs.desired(uploads.config), efs.observe(uploads))


@pytest.mark.parametrize(
    ("off", "says"),
    [
        (["EnableDnsHostnames"], "enableDnsHostnames is off"),
        (["EnableDnsHostnames", "EnableDnsSupport"], "enableDnsSupport and enableDnsHostnames are off"),
    ],
)
def test_a_vpc_that_does_not_resolve_the_name_is_refused_before_anything_is_written(aws, off, says):
    aws.preflight = partial(start.demand, aws.config)
    for attribute in off:
        vpc = network.find_vpc(aws)["vpc"].id
        aws.client("ec2").modify_vpc_attribute(VpcId=vpc, **{attribute: {"Value": False}})
    seen = repr(start.refusals(aws.config, start.survey(aws)).failed)
    assert f"{says} in VPC slp-cluster-vpc" in seen
    assert 'VolumeDriver.Create: mounting volume failed: Failed to resolve "fs-..."' in seen
    network.plan(network.desired(aws.config), network.observe(aws)).apply(aws)
    with pytest.raises(Refusal, match=says):
        efs.plan(efs.desired(aws.config), efs.observe(aws)).apply(aws)
    assert "file-system" not in efs.observe(aws)


def test_the_policy_names_nobody_who_may_not_exist_and_grants_no_root():
    (allow,) = (one for one in policy(load())["Statement"] if one["Effect"] == "Allow")
    assert str(allow["Principal"]["AWS"]).endswith(":root")
    assert set(allow["Condition"]["StringEquals"]) == {"aws:PrincipalArn", "elasticfilesystem:AccessPointArn"}
    assert "elasticfilesystem:ClientRootAccess" not in allow["Action"]


@pytest.mark.parametrize(
    ("given", "changed"),
    [
        ({"throughput_mode": "bursting"}, "throughput_mode: elastic -> bursting"),
        ({"throughput_mode": "provisioned", "provisioned_mibps": 16.0}, "provisioned_mibps: absent -> 16.0"),
        ({"transition_to_ia_days": None}, "transition_to_ia_days: 30 -> absent"),
        ({"backups": False}, "backups: true -> false"),
    ],
)
def test_what_can_change_is_changed(uploads, given, changed):
    aws = again(uploads, efs=given)
    want = efs.desired(aws.config)
    planned = efs.plan(want, efs.observe(aws))
    assert changed in repr(planned)
    planned.apply(aws)
    assert not efs.plan(want, efs.observe(aws))


@pytest.mark.parametrize("given", [{"performance_mode": "maxIO"}, {"uid": 1000}, {"directory": "/other"}])
def test_what_cannot_change_is_refused(uploads, given):
    aws = again(uploads, efs=given)
    with pytest.raises(Refusal, match="AWS cannot change it"):
        efs.plan(efs.desired(aws.config), efs.observe(aws))


def test_every_zone_can_mount(uploads):
    verdicts = efs.mountable(uploads.config, efs.observe(uploads))
    assert [verdict.status for verdict in verdicts] == ["OK", "OK"]


def test_a_zone_without_a_mount_target_is_refused(uploads):
    three = {"us-east-1a": "slp-cluster-vpc-a", "us-east-1b": "slp-cluster-vpc-b", "us-east-1c": "slp-cluster-vpc-c"}
    aws = again(uploads, network={"subnets": three})
    verdicts = efs.mountable(aws.config, efs.observe(aws))
    assert [verdict.status for verdict in verdicts] == ["OK", "OK", "NG"]
    assert "mount from us-east-1c: no mount target in this zone" in repr(verdicts)


def test_a_zone_no_longer_used_loses_its_mount_target(uploads):
    given = {"network": {"subnets": {"us-east-1b": "slp-cluster-vpc-b"}}}
    one = again(uploads, **given)
    # papermill and --set lay over: the zone of staging.yaml stays unless the file changes
    assert one.config.zones == ["us-east-1a", "us-east-1b"]
    config = one.config.model_copy(
        update={"network": one.config.network.model_copy(update={"subnets": given["network"]["subnets"]})}
    )
    aws = connect(config, endpoint_url=uploads.endpoint_url, sleep=uploads.sleep)
    planned = efs.plan(efs.desired(config), efs.observe(aws))
    assert [(change.action, change.key) for change in planned.pending] == [("-", "mount-target/us-east-1a")]
    planned.apply(aws)
    assert efs.verify(aws, efs.desired(config))


def test_a_closed_port_2049_is_refused_with_the_mode_that_needs_it(uploads):
    closed = efs.without_nfs(efs.observe(uploads))
    verdicts = efs.mountable(uploads.config, closed)
    assert not verdicts
    assert "closed to the instances, which mount in bridge mode; run 20_network, which opens it" in repr(verdicts)


def test_in_awsvpc_mode_the_instances_group_is_the_wrong_one(account):
    aws = account(given={"task": {"network_mode": "awsvpc"}, "network": {"nfs_from": "instances"}})
    for module in (network, efs):
        module.plan(module.desired(aws.config), module.observe(aws)).apply(aws)
    seen = repr(efs.verify(aws, efs.desired(aws.config)))
    assert "port 2049 is closed to the tasks, which mount in awsvpc mode" in seen
    assert f"{INJECTED}: network.nfs_from is instances, must be auto or tasks" in seen


def test_destroying_removes_what_was_made_and_nothing_else(uploads):
    others = uploads.client("efs").describe_file_systems()["FileSystems"]
    efs.plan((), efs.observe(uploads)).apply(uploads)
    left = uploads.client("efs").describe_file_systems()["FileSystems"]
    assert len(left) == len(others) - 1
    assert "file-system" not in efs.observe(uploads)


@pytest.mark.parametrize(
    ("given", "mountable"),
    [
        ({}, True),
        ({"task": {"network_mode": "awsvpc"}}, True),
        ({"network": {"nfs_from": "nobody"}}, False),
        ({"network": {"nfs_from": "tasks"}}, False),
        ({"task": {"network_mode": "awsvpc"}, "network": {"nfs_from": "instances"}}, False),
    ],
)
def test_the_preflight_says_so_before_anything_exists(given, mountable):
    assert bool(efs.preflight(load(given=given))) is mountable
