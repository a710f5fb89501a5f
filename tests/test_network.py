from __future__ import annotations

import json

import pytest

from slpnb import network
from slpnb.config import load
from slpnb.errors import Refusal
from slpnb.plan.values import Ref
from tests.conftest import cases

BALANCER = Ref("security-group/load-balancer")


def rules(config, role):
    (group,) = (r for r in network.desired(config) if r.key == f"security-group/{role}")
    return [(rule["from_port"], rule["to_port"], str(rule["source"])) for rule in group.attributes["ingress"]]


@pytest.mark.parametrize("case", cases("network"))
def test_each_group_admits_exactly_what_the_parameters_need(case):
    config = load(given=case["given"])
    seen = {role: rules(config, role) for role in case["admits"]}
    assert json.loads(json.dumps(seen)) == case["admits"]
    assert {r.key.removeprefix("security-group/") for r in network.desired(config)} == set(case["admits"])


EVERYONE = {"IpRanges": [{"CidrIp": "0.0.0.0/0"}]}


@pytest.mark.parametrize(
    ("by_hand", "seen"),
    [
        ({"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, **EVERYONE}, "ports 22-22"),
        ({"IpProtocol": "udp", "FromPort": 53, "ToPort": 53, **EVERYONE}, "udp 53-53"),
        ({"IpProtocol": "icmp", "FromPort": 8, "ToPort": -1, **EVERYONE}, "icmp 8--1"),
        ({"IpProtocol": "-1", "Ipv6Ranges": [{"CidrIpv6": "::/0"}]}, "every protocol"),
        ({"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "Ipv6Ranges": [{"CidrIpv6": "::/0"}]}, "ports 80-80"),
    ],
)
def test_a_rule_that_someone_added_by_hand_is_taken_back(aws, by_hand, seen):
    want = network.desired(aws.config)
    network.plan(want, network.observe(aws)).apply(aws)
    group = network.observe(aws)["security-group/instances"].id
    aws.client("ec2").authorize_security_group_ingress(GroupId=group, IpPermissions=[by_hand])
    verdicts = network.verify(aws, want)
    assert f"open to the world: MySLP-ECS-Services-instances: {seen}" in repr(verdicts)
    assert not verdicts
    network.plan(want, network.observe(aws)).apply(aws)
    assert network.verify(aws, want)
    assert not network.plan(want, network.observe(aws))


@pytest.mark.parametrize(
    ("sources", "source"),
    [
        ("UserIdGroupPairs", {"GroupId": "sg-1"}),
        ("PrefixListIds", {"PrefixListId": "pl-1"}),
        ("Ipv6Ranges", {"CidrIpv6": "2001:db8::/32"}),
        ("IpRanges", {"CidrIp": "10.0.0.0/8"}),
    ],
)
def test_what_is_taken_back_is_named_as_it_was_found(sources, source):
    permission = {"IpProtocol": "udp", "FromPort": 53, "ToPort": 53, sources: [{**source, "Description": "by hand"}]}
    (rule,) = network._found_rules(permission)
    assert network._permission(rule) == permission


def test_changing_the_network_mode_changes_the_groups_and_nothing_is_left(account):
    bridge = account()
    network.plan(network.desired(bridge.config), network.observe(bridge)).apply(bridge)
    from slpnb.aws import connect

    config = load(given={"apply": True, "task": {"network_mode": "awsvpc"}})
    aws = connect(config, endpoint_url=bridge.endpoint_url, sleep=bridge.sleep)
    planned = network.plan(network.desired(config), network.observe(aws))
    assert planned.summary() == "1 to create, 2 to update, 1 as wanted"
    planned.apply(aws)
    assert network.verify(aws, network.desired(config))
    network.plan((), network.observe(aws)).apply(aws)
    assert network.find_security_groups(aws) == {}


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"vpc_name": "nowhere"}, r"0 VPCs are named nowhere \(network.vpc_name\)"),
        ({"vpc_cidr": "10.0.0.0/16"}, r"VPC slp-cluster-vpc is 172.30.0.0/16, network.vpc_cidr says 10.0.0.0/16"),
        ({"vpc_tenancy": "dedicated"}, r"has tenancy default, network.vpc_tenancy says dedicated"),
        ({"subnets": {"us-east-1c": "nowhere"}}, r"no subnet named nowhere \(network.subnets.us-east-1c\)"),
        ({"subnets": {"us-east-1a": "slp-cluster-vpc-c"}}, r"is in us-east-1c, network.subnets says us-east-1a"),
    ],
)
def test_what_should_exist_and_does_not_is_refused(account, given, sentence):
    with pytest.raises(Refusal, match=sentence):
        network.observe(account(given={"network": given}))


def test_a_group_of_that_name_that_the_kit_did_not_make_is_never_touched(aws):
    vpc = network.find_vpc(aws)["vpc"].id
    aws.client("ec2").create_security_group(GroupName="MySLP-ECS-Services", Description="by hand", VpcId=vpc)
    with pytest.raises(
        Refusal, match=r"security group MySLP-ECS-Services exists already, and 20_network .* did not make"
    ):
        network.plan(network.desired(aws.config), network.observe(aws))
