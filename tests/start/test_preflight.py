from __future__ import annotations

import pytest

from slpnb import start
from slpnb.config import load
from slpnb.errors import Refusal
from tests.conftest import deny

FIRST = ("cluster.instance_type=c6i.large", "task.architecture=x86_64", "task.memory_mib=8192")


@pytest.fixture
def survey(aws):
    return start.survey(aws)


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_the_shipped_parameters_may_begin(account, environment):
    aws = account(environment)
    assert start.refusals(aws.config, start.survey(aws)), start.refusals(aws.config, start.survey(aws)).problems()


@pytest.mark.parametrize(
    ("assignments", "says"),
    [
        (
            FIRST,
            ["8192 MiB asked", "3556 MiB left of c6i.large", "short by 4636 MiB", "largest task that fits is 3556 MiB"],
        ),
        (("task.architecture=x86_64",), ["instance type c6g.xlarge arm64", "task.architecture to arm64"]),
        (("network.nfs_from=nobody",), ["mount from us-east-1a, mount from us-east-1b: port 2049 is closed"]),
        (("network.nfs_from=tasks",), ["port 2049 is closed to the instances, which mount in bridge mode"]),
        (("task.gpus=1",), ["1 asked, c6g.xlarge has 0"]),
        (("service.target_protocol=HTTPS",), ["the container HTTP on port 80"]),
        (("service.vpc_name=default",), ["service.vpc_name is default, network.vpc_name is slp-cluster-vpc"]),
        (("efs.vpc_name=default",), ["efs.vpc_name is default, network.vpc_name is slp-cluster-vpc"]),
        (("network.ports_open=[80]",), ["port 443"]),
        (("cluster.public_ip=false",), ["cluster.public_ip is false: no address to use it"]),
        (("start.compute=fargate",), ["start.compute is fargate"]),
        (("task.uploads_volume=ebs",), ["an EBS volume is not shared among instances"]),
    ],
)
def test_what_cannot_work_is_refused_once_with_its_numbers(aws, survey, assignments, says):
    checks = start.refusals(start.what_if(aws.config, *assignments), survey)
    with pytest.raises(Refusal) as caught:
        checks.demand()
    for part in says:
        assert part in str(caught.value)
    seen = [verdict.seen for verdict in checks.failed]
    assert len({verdict.subject for verdict in checks.failed}) == len(seen)


def test_what_the_parameters_name_and_the_account_lacks_is_a_refusal(account):
    aws = account(given={"secrets": {"database_instance": "no-such-db"}, "network": {"vpc_name": "nowhere"}})
    found = start.survey(aws)
    assert not found.missing
    text = repr(start.refusals(aws.config, found).problems())
    assert "no-such-db" in text
    assert "0 VPCs are named nowhere" in text


def test_the_survey_tells_apart_what_exists_and_what_was_made(aws):
    from slpnb import network

    network.plan(network.desired(aws.config), network.observe(aws)).apply(aws)
    found = start.survey(aws)
    assert start.made(found).loc["20_network", "resources"] == 3
    assert {"vpc", "database", "certificate", "hosted-zone"} <= set(start.existing(found).index)
    assert not [key for key in start.existing(found).index if key.startswith("security-group")]


@pytest.mark.parametrize("denied", [["GetServiceQuota"], ["GetServiceQuota", "GetAWSDefaultServiceQuota"]])
def test_a_quota_that_may_not_be_read_is_said_so_and_stops_nothing(aws, denied):
    deny(aws, "service-quotas", *denied)
    verdicts = start.quota_verdicts(aws)
    assert {verdict.status for verdict in verdicts} == {"SKIP"}
    assert "12 needed at most; how many are allowed: service-quotas get_service_quota: AccessDenied" in repr(verdicts)


def test_a_quota_below_the_need_is_refused_before_anything_is_created(account):
    aws = account(given={"cluster": {"max_instances": 100}})
    verdicts = start.quota_verdicts(aws)
    assert "400 needed at most, 256 allowed: request an increase (L-1216C47A)" in repr(verdicts)
    assert not verdicts
    assert start.quota_verdicts(account())
    assert "SKIP" not in repr(start.quota_verdicts(account()))


def test_the_account_number_is_never_shown_whole(aws):
    assert aws.account_id not in start.caller(aws).to_string()


def test_what_if_lies_over_the_run_and_leaves_it_alone():
    config = load(given={"task": {"memory_mib": 3000}})
    other = start.what_if(config, "task.gpus=1", "cluster.max_instances=4")
    assert (other.task.memory_mib, other.task.gpus, other.cluster.max_instances) == (3000, 1, 4)
    assert config.task.gpus == 0
