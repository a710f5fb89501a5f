from __future__ import annotations

import pytest

from slpnb import efs, local, network
from slpnb.efs.step import MISSING
from slpnb.errors import AwsError, GuardError, Refusal, VerificationError
from slpnb.plan import Applied, Call, Change, Plan


def _apply(module, aws):
    return module.plan(module.desired(aws.config), module.observe(aws)).apply(aws)


def test_a_plan_is_only_shown_unless_apply_is_true(account):
    aws = account(given={"apply": False})
    before = local.writes(aws.endpoint_url)
    applied = _apply(network, aws)
    assert not applied.written
    assert "nothing written: apply is false" in repr(applied)
    assert local.writes(aws.endpoint_url) == before
    assert "security-group/efs" not in network.observe(aws)


@pytest.mark.parametrize(("confirm", "written"), [("", False), ("staging", False), ("production", True)])
def test_production_applies_only_with_its_confirmation(account, confirm, written):
    aws = account("production")
    applied = network.plan(network.desired(aws.config), network.observe(aws)).apply(aws, confirm)
    assert applied.written is written
    assert ("security-group/efs" in network.observe(aws)) is written


def test_apply_local_writes_on_the_embedded_aws_and_nowhere_else(account):
    assert account(given={"apply": "local"}).may_write()[0]
    aws = account(given={"apply": "local", "backend": "aws"})
    assert aws.may_write() == (False, "apply is local")


def test_a_missing_earlier_step_is_refused_before_the_first_write(aws):
    before = local.writes(aws.endpoint_url)
    with pytest.raises(
        Refusal, match=r"30_efs: EFS mount target us-east-1a needs <security-group/efs>.*run 20_network first"
    ):
        _apply(efs, aws)
    assert local.writes(aws.endpoint_url) == before


def test_a_failed_call_says_what_was_done_and_what_was_not(aws):
    wrong = Call("ec2", "delete_security_group", {"GroupId": "sg-00000000000000000"})
    right = Call("ec2", "create_security_group", {"GroupName": "g", "Description": "d"})
    changes = tuple(
        Change("+", name, "group", name, "", (), (call,)) for name, call in (("one", right), ("two", wrong))
    )
    with pytest.raises(AwsError, match=r"InvalidGroup.NotFound.*\(done: group one; not done: group two; run again"):
        Plan("20_network", changes).apply(aws)


@pytest.mark.parametrize("module", [network, efs])
def test_a_second_run_writes_nothing(aws, module):
    _apply(network, aws)
    _apply(module, aws)
    before = local.writes(aws.endpoint_url)
    assert _apply(module, aws).calls == 0
    assert local.writes(aws.endpoint_url) == before


def left(*changes):
    return lambda: Plan("30_efs", changes)


DONE = Applied("30_efs", True, (), 3)
DIFFERS = Change("~", "a", "Box", "one", "", (("lid", "absent", "true"), ("size", "1", "2")))


@pytest.mark.parametrize(
    ("again", "said"),
    [
        (left(DIFFERS), "Box one: lid is absent, wanted true; size is 1, wanted 2"),
        (left(Change("=", "b", "Box", "two", ""), Change("+", "c", "Box", "three", "")), "Box three: absent, wanted"),
        (left(Change("-", "d", "Box", "four", "")), "Box four: there, not wanted"),
        (left(DIFFERS, Change("-", "d", "Box", "four", "")), "2 problems"),
    ],
)
def test_what_was_applied_and_reads_back_otherwise_is_named_as_wanted_and_as_read(again, said):
    with pytest.raises(VerificationError, match=said):
        DONE.demand_settled(again)


def test_what_reads_back_as_wanted_or_was_never_written_is_settled():
    settled = DONE.demand_settled(left(Change("=", "b", "Box", "two", "")))
    assert repr(settled) == "[OK]   the same plan again: nothing left to do"
    shown = Applied("30_efs", False, ()).demand_settled(left(DIFFERS))
    assert repr(shown) == "[SKIP] the same plan again: nothing was applied"


def test_what_aws_cannot_change_and_reads_back_otherwise_fails_the_verification_too():
    def again():
        raise Refusal("Box one has colour red, the parameters ask for blue, and AWS cannot change it")

    with pytest.raises(VerificationError, match="colour red, the parameters ask for blue"):
        DONE.demand_settled(again)


def test_what_another_hand_changes_between_apply_and_reading_back_is_named(aws):
    applied = _apply(network, aws)
    ec2, group = aws.client("ec2"), network.observe(aws)["security-group/efs"].id
    (found,) = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"]
    ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=found["IpPermissions"])
    with pytest.raises(VerificationError, match=r"security group \S+: ingress is .*, wanted .*2049"):
        applied.demand_settled(lambda: network.plan(network.desired(aws.config), network.observe(aws)))


def test_the_account_and_the_region_must_be_the_callers(embedded, monkeypatch):
    from slpnb.aws import connect
    from slpnb.config import load

    for name, value in (
        ("AWS_ENDPOINT_URL", embedded.endpoint_url),
        ("AWS_ACCESS_KEY_ID", "x"),
        ("AWS_SECRET_ACCESS_KEY", "x"),
    ):
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    with pytest.raises(GuardError, match=r"params/staging.yaml: aws.account_id is empty"):
        connect(load(given={"backend": "aws"}))
    with pytest.raises(GuardError, match="account_id is 111111111111, but the credentials belong to 123456789012"):
        connect(load(given={"backend": "aws", "aws": {"account_id": "111111111111"}}))
    aws = connect(load(given={"backend": "aws", "aws": {"account_id": "123456789012"}}))
    assert aws.account_id == "123456789012"
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    with pytest.raises(GuardError, match="region is us-east-1, but the session's region is eu-west-1"):
        connect(load(given={"backend": "aws", "aws": {"account_id": "123456789012"}}))


def test_a_denied_call_is_not_taken_for_absent(aws, monkeypatch):
    from botocore.exceptions import ClientError

    def denied(**_):
        raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "DescribeFileSystems")

    monkeypatch.setattr(aws.client("efs"), "describe_backup_policy", denied)
    with pytest.raises(AwsError, match="efs describe_backup_policy: AccessDeniedException"):
        aws.read("efs", "describe_backup_policy", absent=MISSING, FileSystemId="fs-1")
