from __future__ import annotations

import json
import re

import pytest

from slpnb import network
from slpnb.config import load
from slpnb.errors import Refusal
from slpnb.plan.values import Ref
from tests.conftest import cases, deny

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


def made(aws):
    network.plan(network.desired(aws.config), network.observe(aws)).apply(aws)
    return {key.partition("/")[2]: found.id for key, found in network.find_security_groups(aws).items()}


def prefix_list(aws):
    halves = [{"Cidr": "0.0.0.0/1"}, {"Cidr": "128.0.0.0/1"}]
    answer = aws.client("ec2").create_managed_prefix_list(
        PrefixListName="partners", AddressFamily="IPv4", MaxEntries=2, Entries=halves
    )
    return answer["PrefixList"]["PrefixListId"]


def with_ids(value, ids):
    """A case's text with each $name as the id that it stands for."""
    return json.loads(re.sub(r"\$([\w-]+)", lambda name: ids[name[1]], json.dumps(value)))


@pytest.mark.parametrize("case", cases("network/drift"))
def test_a_group_changed_by_hand_is_shown_and_repaired_by_one_apply(aws, case):
    ids = made(aws)
    ids["list"] = prefix_list(aws)
    case, want = with_ids(case, ids), network.desired(aws.config)
    getattr(aws.client("ec2"), case["operation"])(GroupId=ids[case["group"]], IpPermissions=case["permissions"])
    planned, verdicts = network.plan(want, network.observe(aws)), network.verify(aws, want)
    assert [change.key for change in planned.pending] == [f"security-group/{case['group']}"]
    assert not [text for text in case["shows"] if text not in repr(planned)]
    assert not verdicts
    opened = [verdict.seen for verdict in verdicts.failed if verdict.subject.startswith("open to the world")]
    assert opened == ([case["open"]] if "open" in case else [])
    planned.apply(aws)
    assert network.verify(aws, want)
    assert not network.plan(want, network.observe(aws))


def test_what_is_wanted_is_never_cut_off_by_a_repair(aws):
    ids = made(aws)
    wider = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "Ipv6Ranges": [{"CidrIpv6": "::/0"}]}
    aws.client("ec2").authorize_security_group_ingress(GroupId=ids["load-balancer"], IpPermissions=[wider])
    aws.client("ec2").update_security_group_rule_descriptions_ingress(
        GroupId=ids["load-balancer"],
        IpPermissions=[
            {
                "IpProtocol": "tcp",
                "FromPort": 80,
                "ToPort": 80,
                "IpRanges": [{"CidrIp": "0.0.0.0/0", "Description": "x"}],
            }
        ],
    )
    (change,) = network.plan(network.desired(aws.config), network.observe(aws)).pending
    assert [call.operation for call in change.calls] == [
        "update_security_group_rule_descriptions_ingress",
        "revoke_security_group_ingress",
    ]
    assert len(change.calls[1].params["SecurityGroupRuleIds"]) == 1


def test_the_outbound_rule_that_ec2_adds_for_ipv6_is_no_change(aws):
    vpc = network.find_vpc(aws)["vpc"].id
    aws.client("ec2").associate_vpc_cidr_block(VpcId=vpc, AmazonProvidedIpv6CidrBlock=True)
    made(aws)
    assert not network.plan(network.desired(aws.config), network.observe(aws))


def test_a_prefix_list_that_may_not_be_read_is_said_so(aws):
    ids = made(aws)
    rule = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "PrefixListIds": [{"PrefixListId": prefix_list(aws)}]}
    aws.client("ec2").authorize_security_group_ingress(GroupId=ids["efs"], IpPermissions=[rule])
    deny(aws, "ec2", "GetManagedPrefixListEntries")
    verdicts = {verdict.subject: verdict for verdict in network.verify(aws, network.desired(aws.config))}
    assert verdicts["open to the world: MySLP-ECS-Services-efs"].status == "SKIP"


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
