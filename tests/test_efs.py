from __future__ import annotations

import pytest

from slpnb import efs, network
from slpnb.aws import connect
from slpnb.config import INJECTED, load
from slpnb.errors import Refusal
from tests.conftest import again


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


def test_the_policy_denies_clear_text_and_grants_no_root():
    statements = {statement["Sid"]: statement for statement in efs.POLICY["Statement"]}
    assert statements["DenyClearText"]["Effect"] == "Deny"
    assert statements["DenyClearText"]["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert "elasticfilesystem:ClientRootAccess" not in statements["MountThroughMountTargets"]["Action"]


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
