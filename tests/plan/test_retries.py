"""What is tried again: what a new account and a role of a second ago answer, and nothing that waiting cannot help."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

from slpnb import cluster
from slpnb.errors import AwsError
from slpnb.plan import Call, Change, Plan
from slpnb.plan.retries import passes
from slpnb.plan.values import Json
from tests.conftest import CASES

RETRIES = json.loads((CASES / "plan" / "retries.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", RETRIES, ids=lambda case: f"{case['service']}: {case['message'][:40]}")
def test_an_error_is_tried_again_for_what_it_says(case):
    error = ClientError({"Error": {"Code": case["code"], "Message": case["message"]}}, "SomeOperation")
    assert passes(case["service"], error) is case["passes"]


def plan_of(*calls: Call) -> Plan:
    return Plan("50_cluster", (Change("+", "x", "resource", "x", "", (), calls),))


def test_a_profile_of_a_second_ago_is_not_known_to_auto_scaling_yet(aws):
    trust = {
        "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]
    }
    data = {"ImageId": "ami-1", "InstanceType": "c6g.xlarge", "IamInstanceProfile": {"Name": "new"}}
    group = {"AutoScalingGroupName": "new", "MinSize": 0, "MaxSize": 1, "AvailabilityZones": ["us-east-1a"]}
    group["LaunchTemplate"] = {"LaunchTemplateName": "new", "Version": "$Latest"}
    made = (
        Call("iam", "create_role", {"RoleName": "new", "AssumeRolePolicyDocument": Json(trust)}),
        Call("iam", "create_instance_profile", {"InstanceProfileName": "new"}),
        Call("iam", "add_role_to_instance_profile", {"InstanceProfileName": "new", "RoleName": "new"}),
        Call("ec2", "create_launch_template", {"LaunchTemplateName": "new", "LaunchTemplateData": data}),
    )
    plan_of(*made).apply(aws)
    with pytest.raises(ClientError, match="Invalid IAM Instance Profile name"):
        aws.client("autoscaling").create_auto_scaling_group(**group)
    plan_of(Call("autoscaling", "create_auto_scaling_group", group)).apply(aws)
    assert aws.client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=["new"])["AutoScalingGroups"]


def test_the_first_use_of_ecs_makes_its_role_and_fails_once(aws):
    linked = {"RoleName": "AWSServiceRoleForECS"}
    aws.client("iam").delete_role(**linked)  # as in an account that has never used ECS
    first = [one for one in cluster.desired(aws.config) if one.key == "cluster"]
    have = {}
    with pytest.raises(ClientError, match="Unable to assume the service linked role"):
        aws.client("ecs").create_cluster(clusterName="somebody-elses")
    aws.client("iam").delete_role(**linked)
    assert cluster.plan(tuple(first), have).apply(aws).written
    assert cluster.find_cluster(aws)
    assert aws.client("iam").get_role(**linked)["Role"]["Path"] == "/aws-service-role/ecs.amazonaws.com/"


def test_what_does_not_pass_is_not_waited_for(aws):
    passed: list[float] = []
    aws.sleep = passed.append
    wrong = {"AutoScalingGroupName": "x", "MinSize": 2, "MaxSize": 1, "AvailabilityZones": ["us-east-1a"]}
    with pytest.raises(AwsError, match="create_auto_scaling_group"):
        plan_of(Call("autoscaling", "create_auto_scaling_group", wrong)).apply(aws)
    assert passed == []


def test_the_first_use_of_scaling_makes_its_role_and_fails_once(aws):
    linked = {"RoleName": "AWSServiceRoleForApplicationAutoScaling_ECSService"}
    ecs = aws.client("ecs")
    ecs.register_task_definition(
        family="a", containerDefinitions=[{"name": "a", "image": "a", "memory": 64, "essential": True}]
    )
    ecs.create_service(cluster="legacy", serviceName="a", taskDefinition="a", desiredCount=0)
    aws.client("iam").delete_role(**linked)
    target = {"ServiceNamespace": "ecs", "ResourceId": "service/legacy/a", "MinCapacity": 0, "MaxCapacity": 1}
    target["ScalableDimension"] = "ecs:service:DesiredCount"
    with pytest.raises(ClientError, match=r"Unable to assume IAM role: .*/AWSServiceRoleForApplicationAutoScaling_ECS"):
        aws.client("application-autoscaling").register_scalable_target(**target)
    aws.client("iam").delete_role(**linked)
    plan_of(Call("application-autoscaling", "register_scalable_target", target)).apply(aws)
    assert aws.client("iam").get_role(**linked)
