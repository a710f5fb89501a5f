"""The instances: what starts them, what they register, how they reach ECS, and that everything can be undone."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from slpnb import catalog, cluster, efs, image, local, network, secrets
from slpnb.aws import Aws
from slpnb.cluster import instances
from slpnb.cluster.calls import KINDS, template_attributes, template_data, user_data
from slpnb.cluster.instances import Registered
from slpnb.config import load
from slpnb.errors import AwsError, Refusal
from slpnb.plan import Call, Change, Found, Plan, Wait
from slpnb.plan.values import substitute
from tests.conftest import again, cases
from tests.interruption import dying

OWN = {"cluster", "launch-template", "auto-scaling-group", "capacity-provider"}


# --- pure ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", cases("cluster/reachable"))
def test_what_can_reach_ecs(case):
    config = load(given=case["given"])
    have = {f"routes/{name}": Found(f"routes/{name}", "", name, name, facts) for name, facts in case["routes"].items()}
    lines = repr(instances.reachable(config, have)).splitlines()
    assert [line for line in case["says"] if line not in lines] == []
    assert len(lines) == len(config.zones)


@pytest.mark.parametrize("case", cases("cluster/judge"))
def test_what_an_instance_must_register(case):
    registered = [Registered(**one) for one in case["registered"]]
    verdicts = instances.judge(load(given=case["given"]), registered, case["running"], case.get("activity", ""))
    lines = repr(verdicts).splitlines()
    assert [line for line in case["says"] if line not in lines] == []
    assert bool(verdicts) is not any(line.startswith("[NG]") for line in case["says"])


@pytest.mark.parametrize(
    ("instance_type", "architecture", "status"),
    [
        ("c6g.xlarge", "arm64", "OK"),
        ("c6g.xlarge", "x86_64", "NG"),
        ("c6i.large", "arm64", "NG"),
        ("c6i.large", "", "SKIP"),
    ],
)
def test_a_type_starts_only_from_an_ami_of_its_architecture(instance_type, architecture, status):
    ami = {"ami": Found("ami", "AMI", "ami", "ami-1", {"architecture": architecture})} if architecture else {}
    (verdict,) = instances.suitable(load(given={"cluster": {"instance_type": instance_type}}), ami)
    assert verdict.status == status


@pytest.mark.parametrize(
    ("instance_type", "value", "says"),
    [
        ("c6g.xlarge", "enabled", "[OK]   ENI trunking: on for the instance role"),
        (
            "c6g.xlarge",
            "disabled",
            "[NG]   ENI trunking: cluster.awsvpc_trunking is true, but awsvpcTrunking is disabled",
        ),
        ("c6g.xlarge", None, "[SKIP] ENI trunking: AWS tells only the root user"),
        ("t4g.medium", "enabled", "t4g.medium does not support it"),
    ],
)
def test_trunking_needs_the_role_and_the_type(instance_type, value, says):
    key = "account-setting/awsvpcTrunking"
    have = {key: Found(key, "account setting", "awsvpcTrunking", key, {"value": value})}
    config = load(given={"cluster": {"instance_type": instance_type, "awsvpc_trunking": True}})
    assert says in repr(instances.suitable(config, have))


def written(config) -> dict[str, Any]:
    """The launch template's attributes, every reference replaced by some text."""
    attributes = next(one for one in cluster.desired(config) if one.key == "launch-template").attributes
    filled: dict[str, Any] = substitute(attributes, lambda ref: f"id-of-{ref.key}")
    return filled


@pytest.mark.parametrize("environment", ["staging", "production"])
@pytest.mark.parametrize("public_ip", [True, False])
def test_a_template_reads_back_as_it_was_written(environment, public_ip):
    attributes = written(load(environment, {"cluster": {"public_ip": public_ip}}))
    del attributes["default_version"]
    assert template_attributes(template_data(attributes)) == attributes


def test_the_template_is_safe_and_its_instances_carry_the_tags():
    data = template_data(written(load()))
    assert data["MetadataOptions"] == {
        "HttpEndpoint": "enabled",
        "HttpTokens": "required",
        "HttpPutResponseHopLimit": 1,
    }
    assert data["BlockDeviceMappings"][0]["Ebs"]["Encrypted"]
    assert "SourceVersion" not in data
    tagged = {
        one["ResourceType"]: {tag["Key"]: tag["Value"] for tag in one["Tags"]} for one in data["TagSpecifications"]
    }
    assert tagged["instance"] == tagged["volume"]
    assert tagged["instance"]["slpnb:environment"] == "staging"


def test_the_boot_script_joins_the_cluster_with_the_reserve():
    config = load(given={"task": {"stop_timeout_seconds": 90}})
    lines = base64.b64decode(template_data(written(config))["UserData"]).decode().splitlines()
    assert lines[0] == "#!/bin/bash"
    assert {
        "ECS_CLUSTER=slp-saas-test-cluster",
        "ECS_RESERVED_MEMORY=256",
        "ECS_AWSVPC_BLOCK_IMDS=true",
        "ECS_CONTAINER_STOP_TIMEOUT=90s",
    } < set(lines)


def test_a_boot_script_that_does_something_else_is_shown_as_it_is():
    script = user_data({"ECS_CLUSTER": "a"}) + "reboot\n"
    seen = template_attributes({"UserData": base64.b64encode(script.encode()).decode()})
    assert seen["agent"] == script


def test_the_table_says_what_each_instance_should_register():
    one = Registered("us-east-1a", "c6g.xlarge", 7507, 4096, "arm64", "ACTIVE", True, "i-1", "arn:1")
    table = instances.table([one], 256)
    assert table.loc[1, "expected_at_least_mib"] == catalog.registered_memory("c6g.xlarge").at_least_mib - 256 == 7503
    assert not set(table.columns) & {"ec2_id", "arn"}
    assert list(instances.table([], 256).columns) == list(table.columns)


# --- on the embedded AWS ------------------------------------------------------------------------------------


def prepare(aws: Aws) -> Aws:
    for module in (image, network, efs, secrets):
        module.plan(module.desired(aws.config), module.observe(aws)).apply(aws, aws.config.environment)
    return aws


def build(aws: Aws):
    return cluster.plan(cluster.desired(aws.config), cluster.observe(aws)).apply(aws, aws.config.environment)


def raze(aws: Aws):
    return cluster.plan((), cluster.observe(aws)).apply(aws, aws.config.environment)


def own(aws: Aws) -> set[str]:
    return {key for key, found in cluster.observe(aws).items() if found.step == cluster.STEP}


@pytest.fixture
def earlier(aws):
    return prepare(aws)


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_instances_register_and_a_second_run_writes_nothing(account, environment):
    aws = prepare(account(environment))
    assert cluster.preflight(aws.config, cluster.observe(aws))
    build(aws)
    want = cluster.desired(aws.config)
    assert cluster.verify(aws, want)
    assert len(instances.find(aws)) == aws.config.cluster.min_instances
    assert not cluster.plan(want, cluster.observe(aws))
    before = local.writes(str(aws.endpoint_url))
    assert build(aws).calls == 0
    assert local.writes(str(aws.endpoint_url)) == before
    raze(aws)
    assert own(aws) == set()


def test_the_route_of_each_subnet_is_looked_up(earlier):
    routes = instances.find_routes(earlier)
    assert {key: found.attributes["default"] for key, found in routes.items()} == {
        "routes/slp-cluster-vpc-a": "internet gateway",
        "routes/slp-cluster-vpc-b": "internet gateway",
    }


@pytest.mark.parametrize(
    ("principal", "says"),
    [
        ("user/one-operator", "[NG]   ENI trunking: cluster.awsvpc_trunking is true, but"),
        ("", "[NG]   ENI trunking: cluster.awsvpc_trunking is true, but"),  # the caller's own
        ("role/slp-saas-test-instance", "[OK]   ENI trunking: on for the instance role"),
        ("root", "[OK]   ENI trunking: on for the instance role"),
    ],
)
def test_trunking_counts_for_the_role_of_the_instances_alone(earlier, principal, says):
    aws = again(earlier, cluster={"awsvpc_trunking": True})
    named = {"principalArn": f"arn:aws:iam::{aws.account_id}:{principal}"} if principal else {}
    aws.client("ecs").put_account_setting(name="awsvpcTrunking", value="enabled", **named)
    assert says in repr(cluster.preflight(aws.config, cluster.observe(aws)))
    build(aws)
    trunked = "has no trunk interface" not in repr(cluster.verify(aws, cluster.desired(aws.config)))
    assert trunked is says.startswith("[OK]")


def test_before_there_is_a_role_the_accounts_default_counts(aws):
    aws = again(aws, cluster={"awsvpc_trunking": True})
    assert "[NG]   ENI trunking" in repr(cluster.preflight(aws.config, cluster.observe(aws)))
    aws.client("ecs").put_account_setting_default(name="awsvpcTrunking", value="enabled")
    assert "[OK]   ENI trunking" in repr(cluster.preflight(aws.config, cluster.observe(aws)))


def test_images_do_not_fill_the_disk():
    # prefer-cached turns the agent's clean-up off (docs/ecs-facts.md, "Images and AMIs")
    assert cluster.agent(load())["ECS_IMAGE_PULL_BEHAVIOR"] == "once"


def test_a_subnet_without_a_way_out_is_refused_before_anything_is_made(earlier):
    ec2 = earlier.client("ec2")
    subnet = network.find_subnets(earlier)["subnet/us-east-1b"].id
    vpc = network.find_vpc(earlier)["vpc"].id
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    tables = ec2.describe_route_tables(Filters=[{"Name": "association.subnet-id", "Values": [subnet]}])["RouteTables"]
    tied = next(one for one in tables[0]["Associations"] if one.get("SubnetId") == subnet)
    ec2.replace_route_table_association(AssociationId=tied["RouteTableAssociationId"], RouteTableId=table)
    verdicts = cluster.preflight(earlier.config, cluster.observe(earlier))
    assert [verdict.subject for verdict in verdicts.failed] == ["route to ECS from us-east-1b"]


@pytest.mark.parametrize(
    ("given", "line", "calls"),
    [
        ({"max_instances": 5}, "max: 3 -> 5", {"update_auto_scaling_group", "update_capacity_provider"}),
        (
            {"instance_type": "c6g.2xlarge"},
            "instance_type: c6g.xlarge -> c6g.2xlarge",
            {"create_launch_template_version"},
        ),
        ({"reserved_memory_mib": 512}, '"ECS_RESERVED_MEMORY": "512"', {"create_launch_template_version"}),
        ({"container_insights": "enhanced"}, "container_insights: enabled -> enhanced", {"update_cluster_settings"}),
        ({"target_capacity_percent": 80}, '"targetCapacity": 80', {"update_capacity_provider"}),
        ({"termination_protection": True}, "termination_protection: DISABLED -> ENABLED", {"update_capacity_provider"}),
    ],
)
def test_what_can_change_is_changed_and_nothing_else(earlier, given, line, calls):
    build(earlier)
    aws = again(earlier, cluster=given)
    planned = cluster.plan(cluster.desired(aws.config), cluster.observe(aws))
    assert line in repr(planned)
    assert calls <= {call.operation for change in planned.pending for call in change.calls}
    planned.apply(aws)
    assert not cluster.plan(cluster.desired(aws.config), cluster.observe(aws))


@pytest.mark.parametrize(
    ("by_hand", "line"),
    [
        ({"HealthCheckType": "ELB"}, "health_check: ELB -> EC2"),
        ({"HealthCheckGracePeriod": 5}, "grace_seconds: 5 -> 300"),
        ({"CapacityRebalance": True}, "capacity_rebalance: true -> false"),
    ],
)
def test_what_someone_changed_by_hand_is_taken_back(earlier, by_hand, line):
    build(earlier)
    earlier.client("autoscaling").update_auto_scaling_group(AutoScalingGroupName="slp-saas-test-instances", **by_hand)
    planned = cluster.plan(cluster.desired(earlier.config), cluster.observe(earlier))
    assert line in repr(planned)
    planned.apply(earlier)
    assert not cluster.plan(cluster.desired(earlier.config), cluster.observe(earlier))


def test_a_new_template_version_is_whole_and_the_default(earlier):
    build(earlier)
    aws = again(earlier, cluster={"root_volume_gib": 50})
    build(aws)
    versions = aws.client("ec2").describe_launch_template_versions(
        LaunchTemplateName="slp-saas-test-instances", Versions=["$Default"]
    )["LaunchTemplateVersions"]
    data = versions[0]["LaunchTemplateData"]
    assert versions[0]["VersionNumber"] == 2
    assert data["UserData"]
    assert data["BlockDeviceMappings"][0]["Ebs"]["VolumeSize"] == 50
    assert "running instances keep the old version" in repr(cluster.desired(aws.config)[1].reason)


def test_protection_is_lifted_from_instances_when_it_is_no_longer_wanted():
    (group,) = (one for one in cluster.desired(load()) if one.key == "auto-scaling-group")
    facts = {"protected": tuple(f"i-{number}" for number in range(51))}
    found = Found(
        group.key, group.kind, group.name, "arn:1", {**group.attributes, "scale_in_protection": True}, facts=facts
    )
    calls = KINDS["Auto Scaling group"].update(group, found, frozenset({"scale_in_protection"}))
    lifted = [call.params["InstanceIds"] for call in calls if call.operation == "set_instance_protection"]
    assert [len(some) for some in lifted] == [50, 1]  # no more than 50 in one call
    kept = KINDS["Auto Scaling group"].update(group, found, frozenset({"max"}))
    assert [call.operation for call in kept] == ["update_auto_scaling_group"]


def test_protected_instances_go_with_everything(earlier):
    build(earlier)
    instance = instances.find(earlier)[0].ec2_id
    earlier.client("autoscaling").set_instance_protection(
        AutoScalingGroupName="slp-saas-test-instances", InstanceIds=[instance], ProtectedFromScaleIn=True
    )
    assert cluster.observe(earlier)["auto-scaling-group"].facts["protected"] == (instance,)
    planned = cluster.plan((), cluster.observe(earlier))
    assert instance not in planned.commands()
    planned.apply(earlier)
    assert own(earlier) == set()


def test_a_cluster_of_the_same_name_that_others_made_is_left_alone(earlier):
    earlier.client("ecs").create_cluster(clusterName="slp-saas-test-cluster")
    with pytest.raises(Refusal, match="ECS cluster slp-saas-test-cluster exists already"):
        build(earlier)
    raze(earlier)
    left = earlier.client("ecs").describe_clusters(clusters=["slp-saas-test-cluster"])["clusters"]
    assert [one["status"] for one in left] == ["ACTIVE"]


def test_without_the_earlier_steps_nothing_is_written(aws):
    before = local.writes(str(aws.endpoint_url))
    with pytest.raises(Refusal, match=r"needs <role/instance profile_name>.*run 40_secrets first"):
        build(aws)
    assert local.writes(str(aws.endpoint_url)) == before


def test_an_unknown_ami_parameter_is_refused(earlier):
    aws = again(earlier, cluster={"ami_parameter": "/nowhere"})
    with pytest.raises(Refusal, match=r"needs <ami>, which does not exist"):
        build(aws)


def test_an_instance_that_never_registers_is_said_with_its_causes(earlier):
    build(earlier)
    arn = instances.find(earlier)[0].arn
    earlier.client("ecs").deregister_container_instance(
        cluster="slp-saas-test-cluster", containerInstance=arn, force=True
    )
    verdicts = cluster.verify(earlier, cluster.desired(earlier.config))
    assert not verdicts
    assert "instance in us-east-1a: in service, but not an ACTIVE container instance: no route to ECS" in repr(verdicts)


def test_every_run_that_is_stopped_is_finished_by_the_next(earlier):
    number = 5  # cluster, launch template, group, capacity provider, and what ties it to the cluster
    for stop in range(1, number + 1):
        with dying(earlier, stop) as killed:
            build(killed)
        build(earlier)
        want = cluster.desired(earlier.config)
        assert not cluster.plan(want, cluster.observe(earlier)), f"after {stop} writes"
        assert cluster.verify(earlier, want), f"after {stop} writes"
        assert len(instances.find(earlier)) == 1
        raze(earlier)
        assert own(earlier) == set()


def test_a_change_that_is_stopped_between_its_calls_is_finished_by_the_next(earlier):
    build(earlier)
    aws = again(earlier, cluster={"root_volume_gib": 50})
    with dying(aws, 1) as killed:
        build(killed)
    planned = cluster.plan(cluster.desired(aws.config), cluster.observe(aws))
    assert "default_version: version 1 of 2 -> the latest" in repr(planned)
    planned.apply(aws)
    assert cluster.observe(aws)["launch-template"].facts["latest"] == "2"
    assert not cluster.plan(cluster.desired(aws.config), cluster.observe(aws))


def test_every_destruction_that_is_stopped_is_finished_by_the_next(earlier):
    aws = again(earlier, cluster={"termination_protection": True})
    build(aws)
    number = sum(len(change.calls) for change in cluster.plan((), cluster.observe(aws)).pending)
    assert number >= 8  # termination protection lifted, detached, provider, group twice, template, instance, cluster
    for stop in range(1, number + 1):
        build(aws)
        with dying(aws, stop) as killed:
            raze(killed)
        assert own(aws) or stop == number
        raze(aws)
        assert own(aws) == set(), f"after {stop} writes"


def test_a_wait_that_is_not_met_says_what_to_look_at(aws):
    (provider,) = (one for one in cluster.desired(aws.config) if one.key == "capacity-provider")
    tie = KINDS["capacity provider"].create(provider)[1]
    assert tie.wait
    assert "an instance that runs without registering has no route to ECS" in tie.wait.hint
    empty = Wait("describe_clusters", {"clusters": ["empty"]}, tie.wait.path, True, hint=tie.wait.hint)
    change = Change(
        "+",
        "empty",
        "ECS cluster",
        "empty",
        "",
        (),
        (Call("ecs", "create_cluster", {"clusterName": "empty"}, wait=empty),),
    )
    with pytest.raises(
        AwsError, match=r"is False after 600 s, not True; an instance that runs.*not done: ECS cluster empty"
    ):
        Plan(cluster.STEP, (change,)).apply(aws)
