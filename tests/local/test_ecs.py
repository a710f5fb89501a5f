"""Real boto3 against the embedded ECS: what AWS would answer, from instance to steady service."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from slpnb.aws import Aws

FAST = {"Delay": 0, "MaxAttempts": 400}
SHORT_OF_MEMORY = "has insufficient memory available."


@dataclass
class World:
    """A cluster "web" over one Auto Scaling group, and the clients that act on it."""

    aws: Aws

    def __post_init__(self) -> None:
        self.ecs, self.ec2 = self.aws.client("ecs"), self.aws.client("ec2")
        self.elb, self.asg = self.aws.client("elbv2"), self.aws.client("autoscaling")
        name = {"Name": "tag:Name", "Values": ["slp-cluster-vpc"]}
        self.vpc = self.ec2.describe_vpcs(Filters=[name])["Vpcs"][0]["VpcId"]
        found = self.ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [self.vpc]}])["Subnets"]
        self.subnets = [one["SubnetId"] for one in found]

    def group(self, kind: str = "c6i.large", *, most: int = 1, least: int = 1, data: str = "ECS_CLUSTER=web") -> str:
        x86 = {"Name": "architecture", "Values": ["arm64" if kind.startswith("c6g") else "x86_64"]}
        image = self.ec2.describe_images(Filters=[x86])["Images"][0]["ImageId"]
        text = base64.b64encode(f"#!/bin/bash\necho {data} >> /etc/ecs/ecs.config\n".encode()).decode()
        template = {"ImageId": image, "InstanceType": kind, "UserData": text}
        self.ec2.create_launch_template(LaunchTemplateName="web", LaunchTemplateData=template)
        self.asg.create_auto_scaling_group(
            AutoScalingGroupName="web",
            MinSize=least,
            MaxSize=most,
            DesiredCapacity=least,
            VPCZoneIdentifier=",".join(self.subnets),
            LaunchTemplate={"LaunchTemplateName": "web", "Version": "$Latest"},
        )
        return str(self.asg.describe_auto_scaling_groups()["AutoScalingGroups"][0]["AutoScalingGroupARN"])

    def cluster(self, scaling: str = "ENABLED", **group: Any) -> None:
        managed = {"status": scaling, "targetCapacity": 100}
        provider = {"autoScalingGroupArn": self.group(**group), "managedScaling": managed}
        self.ecs.create_capacity_provider(name="web", autoScalingGroupProvider=provider)
        strategy = [{"capacityProvider": "web", "weight": 1}]
        self.ecs.create_cluster(
            clusterName="web", capacityProviders=["web"], defaultCapacityProviderStrategy=strategy, tags=[TAG]
        )

    def define(self, memory: int = 1024, cpu: int = 256, outcome: dict[str, Any] | None = None, **more: Any) -> str:
        container: dict[str, Any] = {"name": "web", "image": "web", "portMappings": [{"containerPort": 80}]}
        if outcome:
            container["dockerLabels"] = {"slpnb.outcome": json.dumps(outcome)}
        answer = self.ecs.register_task_definition(
            family="web", cpu=str(cpu), memory=str(memory), containerDefinitions=[container], **more
        )
        return str(answer["taskDefinition"]["taskDefinitionArn"])

    def balancer(self, kind: str = "instance") -> str:
        made = self.elb.create_target_group(Name="web", Protocol="HTTP", Port=80, VpcId=self.vpc, TargetType=kind)
        arn = str(made["TargetGroups"][0]["TargetGroupArn"])
        delay = {"Key": "deregistration_delay.timeout_seconds", "Value": "60"}
        self.elb.modify_target_group_attributes(TargetGroupArn=arn, Attributes=[delay])
        balancer = self.elb.create_load_balancer(Name="web", Subnets=self.subnets)["LoadBalancers"][0]
        forward = {"Type": "forward", "TargetGroupArn": arn}
        self.elb.create_listener(
            LoadBalancerArn=balancer["LoadBalancerArn"], Protocol="HTTP", Port=80, DefaultActions=[forward]
        )
        return arn

    def serve(self, definition: str, count: int = 1, target: str = "", **more: Any) -> dict[str, Any]:
        if target:
            more["loadBalancers"] = [{"targetGroupArn": target, "containerName": "web", "containerPort": 80}]
        answer = self.ecs.create_service(
            cluster="web", serviceName="web", taskDefinition=definition, desiredCount=count, **more
        )
        return dict(answer["service"])

    def service(self) -> dict[str, Any]:
        return dict(self.ecs.describe_services(cluster="web", services=["web"])["services"][0])

    def messages(self) -> list[str]:
        return [event["message"] for event in reversed(self.service()["events"])]

    def stable(self) -> dict[str, Any]:
        self.ecs.get_waiter("services_stable").wait(cluster="web", services=["web"], WaiterConfig=FAST)
        self.aws.sleep(120)
        return self.service()

    def tasks(self, **filters: Any) -> list[dict[str, Any]]:
        arns = self.ecs.list_tasks(cluster="web", **filters)["taskArns"]
        return list(self.ecs.describe_tasks(cluster="web", tasks=arns)["tasks"]) if arns else []

    def instances(self) -> list[dict[str, Any]]:
        arns = self.ecs.list_container_instances(cluster="web")["containerInstanceArns"]
        if not arns:
            return []
        return list(self.ecs.describe_container_instances(cluster="web", containerInstances=arns)["containerInstances"])

    def refused(self, operation: str, **params: Any) -> str:
        with pytest.raises(ClientError) as caught:
            getattr(self.ecs, operation)(**params)
        error = caught.value.response["Error"]
        return f"{error['Code']}: {error['Message']}"


EXTERNAL = {"type": "EXTERNAL"}
TAG = {"key": "slpnb:environment", "value": "test"}


@pytest.fixture
def world(aws: Aws) -> World:
    return World(aws)


def resource(instance: dict[str, Any], name: str, kind: str = "remainingResources") -> int:
    return int(next(one["integerValue"] for one in instance[kind] if one["name"] == name))


# Instances


@pytest.mark.parametrize(
    ("kind", "reserve", "memory", "cpu", "architecture"),
    [("c6i.large", 0, 3816, 2048, "x86_64"), ("c6g.xlarge", 256, 7763 - 256, 4096, "arm64")],
)
def test_instances_register_what_their_type_has(
    world: World, kind: str, reserve: int, memory: int, cpu: int, architecture: str
) -> None:
    world.cluster(kind=kind, data=f"ECS_CLUSTER=web ECS_RESERVED_MEMORY={reserve}")
    world.aws.sleep(120)
    (one,) = world.instances()
    attributes = {item["name"]: item.get("value") for item in one["attributes"]}
    assert (resource(one, "MEMORY", "registeredResources"), resource(one, "CPU")) == (memory, cpu)
    assert attributes["ecs.cpu-architecture"] == architecture
    assert attributes["ecs.instance-type"] == kind
    assert attributes["ecs.availability-zone"].startswith("us-east-1")
    assert one["capacityProviderName"] == "web"
    ports = next(item["stringSetValue"] for item in one["registeredResources"] if item["name"] == "PORTS")
    assert ports == ["22", "2375", "2376", "51678", "51679"]


def test_an_instance_that_names_another_cluster_never_registers(world: World) -> None:
    world.cluster(data="ECS_CLUSTER=other")
    world.aws.sleep(3600)
    assert world.instances() == []


def test_a_terminated_instance_leaves_its_cluster(world: World) -> None:
    world.cluster()
    world.aws.sleep(120)
    (one,) = world.instances()
    world.asg.update_auto_scaling_group(AutoScalingGroupName="web", MinSize=0, DesiredCapacity=0)
    assert world.instances() == []
    assert one["status"] == "ACTIVE"


# Services


def test_a_fitting_service_becomes_steady_with_registered_targets(world: World) -> None:
    world.cluster()
    target = world.balancer()
    world.serve(world.define(), 2, target)
    service = world.stable()
    assert (service["runningCount"], service["pendingCount"]) == (2, 0)
    assert [one["rolloutState"] for one in service["deployments"]] == ["COMPLETED"]
    assert world.messages()[-1] == "(service web) has reached a steady state."
    health = world.elb.describe_target_health(TargetGroupArn=target)["TargetHealthDescriptions"]
    (instance,) = world.instances()
    bound = {one["containers"][0]["networkBindings"][0]["hostPort"] for one in world.tasks(serviceName="web")}
    assert {one["Target"]["Port"] for one in health} == bound
    assert {(one["Target"]["Id"], one["TargetHealth"]["State"]) for one in health} == {
        (instance["ec2InstanceId"], "healthy")
    }
    assert resource(instance, "MEMORY") == 3816 - 2 * 1024
    assert instance["runningTasksCount"] == 2


def test_a_service_remembers_what_it_was_told(world: World) -> None:
    world.cluster()
    target = world.balancer()
    told: dict[str, Any] = {
        "placementStrategy": [{"type": "spread", "field": "attribute:ecs.availability-zone"}],
        "placementConstraints": [{"type": "distinctInstance"}],
        "healthCheckGracePeriodSeconds": 120,
        "availabilityZoneRebalancing": "ENABLED",
        "enableExecuteCommand": True,
        "propagateTags": "SERVICE",
    }
    breaker = {"enable": True, "rollback": True}
    percents = {"maximumPercent": 150, "minimumHealthyPercent": 50}
    deploys = {"deploymentCircuitBreaker": breaker, **percents}
    world.serve(world.define(), 0, target, tags=[TAG], deploymentConfiguration=deploys, **told)
    service = world.service()
    assert {name: service[name] for name in told} == told
    assert service["capacityProviderStrategy"] == [{"capacityProvider": "web", "weight": 1, "base": 0}]
    assert "launchType" not in service
    assert service["deploymentConfiguration"] | percents == service["deploymentConfiguration"]
    assert service["deploymentConfiguration"]["deploymentCircuitBreaker"] == breaker
    assert "tags" not in service
    tagged = world.ecs.describe_services(cluster="web", services=["web"], include=["TAGS"])["services"][0]
    assert tagged["tags"] == [TAG]
    more = {"key": "more", "value": "1"}
    world.ecs.tag_resource(resourceArn=service["serviceArn"], tags=[more])
    assert more in world.ecs.list_tags_for_resource(resourceArn=service["serviceArn"])["tags"]


def test_eight_gibibytes_on_c6i_large_stay_provisioning_with_the_sentence_of_ecs(world: World) -> None:
    world.cluster(most=3)
    world.serve(world.define(8192))
    world.aws.sleep(600)
    service = world.service()
    assert (service["runningCount"], service["pendingCount"]) == (0, 1)
    (task,) = world.tasks(serviceName="web")
    assert task["lastStatus"] == "PROVISIONING"
    assert len(world.instances()) == 1, "a task larger than the smallest type never makes the group grow"
    assert any(message.endswith("Developer Guide.") and SHORT_OF_MEMORY in message for message in world.messages())


def test_a_rolling_update_waits_for_room_and_finishes_when_the_group_may_grow(world: World) -> None:
    world.cluster()
    world.serve(world.define(3584, 2048))
    world.stable()
    world.ecs.update_service(cluster="web", service="web", taskDefinition=world.define(3584, 2048))
    world.aws.sleep(900)
    service = world.service()
    counts = [(one["status"], one["runningCount"]) for one in service["deployments"]]
    assert counts == [("PRIMARY", 0), ("ACTIVE", 1)]
    assert [one["lastStatus"] for one in world.tasks(serviceName="web")] == ["RUNNING", "PROVISIONING"]
    world.asg.update_auto_scaling_group(AutoScalingGroupName="web", MaxSize=2)
    world.aws.sleep(300)
    service = world.stable()
    assert [(one["rolloutState"], one["runningCount"]) for one in service["deployments"]] == [("COMPLETED", 1)]
    assert service["taskDefinition"].endswith("web:2")
    group = world.asg.describe_auto_scaling_groups()["AutoScalingGroups"][0]
    assert group["DesiredCapacity"] == len(group["Instances"]) == 2
    world.aws.sleep(3600)
    group = world.asg.describe_auto_scaling_groups()["AutoScalingGroups"][0]
    assert group["DesiredCapacity"] == len(group["Instances"]) == 1, "the empty instance is scaled in"
    assert [one["runningTasksCount"] for one in world.instances()] == [1]


def test_the_circuit_breaker_rolls_back_to_the_last_completed_deployment(world: World) -> None:
    world.cluster()
    breaker = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}
    good = world.define()
    world.serve(good, deploymentConfiguration=breaker)
    first = world.stable()["deployments"][0]["id"]
    reason = "CannotPullContainerError: web: not found"
    world.ecs.update_service(cluster="web", service="web", taskDefinition=world.define(outcome={"fails": reason}))
    world.aws.sleep(600)
    service = world.stable()
    assert service["taskDefinition"] == good
    assert [(one["id"], one["rolloutState"]) for one in service["deployments"]] == [(first, "COMPLETED")]
    stopped = world.tasks(serviceName="web", desiredStatus="STOPPED")
    assert [(one["stopCode"], one["stoppedReason"]) for one in stopped] == [("TaskFailedToStart", reason)] * 3
    assert f"(service web) rolling back to deployment {first}." in world.messages()
    listed = world.ecs.list_service_deployments(cluster="web", service="web")["serviceDeployments"]
    assert [one["status"] for one in listed] == ["ROLLBACK_SUCCESSFUL", "SUCCESSFUL"]
    (shown,) = world.ecs.describe_service_deployments(serviceDeploymentArns=[listed[0]["serviceDeploymentArn"]])[
        "serviceDeployments"
    ]
    assert shown["deploymentCircuitBreaker"] == {"status": "TRIGGERED", "failureCount": 3, "threshold": 3}
    revision = shown["targetServiceRevision"]["arn"]
    (described,) = world.ecs.describe_service_revisions(serviceRevisionArns=[revision])["serviceRevisions"]
    assert described["taskDefinition"].endswith("web:2")


def test_unhealthy_targets_are_replaced_until_the_breaker_trips(world: World) -> None:
    world.cluster()
    target = world.balancer()
    outcome = {"healthy": False, "unhealthy_reason": "Health checks failed with these codes: [301]"}
    breaker = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}
    world.serve(world.define(outcome=outcome), 1, target, deploymentConfiguration=breaker)
    world.aws.sleep(900)
    service = world.service()
    assert service["deployments"][0]["rolloutState"] == "FAILED"
    assert service["deployments"][0]["failedTasks"] == 3
    assert service["deployments"][0]["rolloutStateReason"] == "ECS deployment circuit breaker: tasks failed to start."
    assert any("is unhealthy in (target-group" in message and "[301]" in message for message in world.messages())
    stopped = world.tasks(serviceName="web", desiredStatus="STOPPED")
    assert {one["stoppedReason"] for one in stopped} == {f"Task failed ELB health checks in (target-group {target})"}


def test_the_waiters_of_others_get_there_in_the_tries_they_have(world: World) -> None:
    """The AWS CLI tries 40 times, 15 seconds apart; here without the pauses."""
    world.cluster()
    target = world.balancer()
    tries = {"Delay": 0, "MaxAttempts": 40}
    world.serve(world.define(), 1, target)
    world.ecs.get_waiter("services_stable").wait(cluster="web", services=["web"], WaiterConfig=tries)
    world.ecs.update_service(cluster="web", service="web", taskDefinition=world.define())
    world.ecs.get_waiter("services_stable").wait(cluster="web", services=["web"], WaiterConfig=tries)
    assert [one["runningCount"] for one in world.service()["deployments"]] == [1]
    before = world.ecs.describe_services(cluster="web", services=["web"])["services"][0]["events"][0]["createdAt"]
    assert before == world.service()["events"][0]["createdAt"]


def test_describing_changes_nothing(world: World) -> None:
    world.cluster()
    world.serve(world.define())
    world.stable()
    seen = [(one["taskArn"], one["lastStatus"]) for _ in range(20) for one in world.tasks(serviceName="web")]
    assert len(set(seen)) == 1
    assert seen[0][1] == "RUNNING"


def test_awsvpc_tasks_have_addresses_and_interfaces_of_their_own(world: World) -> None:
    world.cluster(kind="c6i.large")
    target = world.balancer("ip")
    network = {"awsvpcConfiguration": {"subnets": world.subnets}}
    world.serve(world.define(256, networkMode="awsvpc"), 3, target, networkConfiguration=network)
    world.aws.sleep(300)
    service = world.service()
    assert (service["runningCount"], service["pendingCount"]) == (2, 1), "c6i.large has three interfaces, one its own"
    health = world.elb.describe_target_health(TargetGroupArn=target)["TargetHealthDescriptions"]
    running = [one for one in world.tasks(serviceName="web") if one["lastStatus"] == "RUNNING"]
    details = [{item["name"]: item["value"] for item in one["attachments"][0]["details"]} for one in running]
    assert {one["Target"]["Id"] for one in health} == {one["privateIPv4Address"] for one in details}
    world.ecs.delete_service(cluster="web", service="web", force=True)
    world.aws.sleep(120)
    left = world.ec2.describe_network_interfaces()["NetworkInterfaces"]
    assert not {one["networkInterfaceId"] for one in details} & {one["NetworkInterfaceId"] for one in left}


def test_draining_moves_tasks_to_another_instance(world: World) -> None:
    world.cluster(least=2, most=2)
    world.serve(world.define())
    world.stable()
    (task,) = world.tasks(serviceName="web")
    world.ecs.update_container_instances_state(
        cluster="web", containerInstances=[task["containerInstanceArn"]], status="DRAINING"
    )
    world.aws.sleep(120)
    (moved,) = world.tasks(serviceName="web")
    assert moved["containerInstanceArn"] != task["containerInstanceArn"]
    assert moved["lastStatus"] == "RUNNING"


def test_managed_termination_protection_spares_the_instances_that_have_tasks(world: World) -> None:
    arn = world.group(least=2, most=2)
    world.asg.update_auto_scaling_group(AutoScalingGroupName="web", NewInstancesProtectedFromScaleIn=True)
    provider = {"autoScalingGroupArn": arn, "managedScaling": {"status": "ENABLED"}}
    protected = {**provider, "managedTerminationProtection": "ENABLED"}
    world.ecs.create_capacity_provider(name="web", autoScalingGroupProvider=protected)
    strategy = [{"capacityProvider": "web", "weight": 1}]
    world.ecs.create_cluster(clusterName="web", capacityProviders=["web"], defaultCapacityProviderStrategy=strategy)
    world.aws.sleep(120)
    world.serve(world.define())
    world.stable()
    (task,) = world.tasks(serviceName="web")
    busy = {one["containerInstanceArn"]: one["ec2InstanceId"] for one in world.instances()}[
        task["containerInstanceArn"]
    ]
    (group,) = world.asg.describe_auto_scaling_groups(AutoScalingGroupNames=["web"])["AutoScalingGroups"]
    assert {one["InstanceId"]: one["ProtectedFromScaleIn"] for one in group["Instances"]} == {
        one["InstanceId"]: one["InstanceId"] == busy for one in group["Instances"]
    }


def test_an_image_that_is_not_in_the_registry_or_not_for_the_platform_is_not_pulled(world: World) -> None:
    world.cluster()
    world.aws.client("ecr").create_repository(repositoryName="web")
    registry = f"{world.aws.account_id}.dkr.ecr.{world.aws.region}.amazonaws.com"
    breaker = {"deploymentCircuitBreaker": {"enable": True, "rollback": False}}
    asked = {"family": "own", "memory": "256", "runtimePlatform": {"cpuArchitecture": "X86_64"}}
    exits = "Essential container in task exited"  # the log would say: exec format error
    for tag, failure in (("1.0.0", ""), ("9.9.9", "not found"), ("1.0.0-amd64", ""), ("1.0.0-arm64", exits)):
        container = {"name": "web", "image": f"{registry}/web:{tag}"}
        world.ecs.register_task_definition(containerDefinitions=[container], **asked)
        name = f"tag-{tag.replace('.', '-')}"
        world.ecs.create_service(
            cluster="web", serviceName=name, taskDefinition="own", desiredCount=1, deploymentConfiguration=breaker
        )
        world.aws.sleep(300)
        (service,) = world.ecs.describe_services(cluster="web", services=[name])["services"]
        assert service["deployments"][0]["rolloutState"] == ("FAILED" if failure else "COMPLETED")
        reasons = {one["stoppedReason"] for one in world.tasks(serviceName=name, desiredStatus="STOPPED")}
        assert all(reason.endswith(failure) for reason in reasons)
        assert bool(reasons) == bool(failure)


# Tasks


def test_run_task_says_which_resource_is_missing(world: World) -> None:
    world.cluster(scaling="DISABLED")
    assert world.refused("run_task", cluster="web", taskDefinition=world.define()).startswith("InvalidParameter")
    world.aws.sleep(120)
    for memory, cpu, reason in ((8192, 256, "RESOURCE:MEMORY"), (512, 4096, "RESOURCE:CPU")):
        answer = world.ecs.run_task(cluster="web", taskDefinition=world.define(memory, cpu))
        assert (answer["tasks"], answer["failures"][0]["reason"]) == ([], reason)


def test_a_task_runs_and_stops(world: World) -> None:
    world.cluster()
    world.aws.sleep(120)
    answer = world.ecs.run_task(cluster="web", taskDefinition=world.define(outcome={"exits_after": 30, "exit_code": 3}))
    arn = answer["tasks"][0]["taskArn"]
    world.ecs.get_waiter("tasks_running").wait(cluster="web", tasks=[arn], WaiterConfig=FAST)
    world.ecs.get_waiter("tasks_stopped").wait(cluster="web", tasks=[arn], WaiterConfig=FAST)
    (task,) = world.tasks(family="web", desiredStatus="STOPPED")
    assert (task["stopCode"], task["containers"][0]["exitCode"]) == ("EssentialContainerExited", 3)


def test_start_task_goes_where_it_is_told(world: World) -> None:
    world.cluster()
    world.aws.sleep(120)
    (one,) = world.instances()
    places = [one["containerInstanceArn"], "0" * 32]
    answer = world.ecs.start_task(cluster="web", taskDefinition=world.define(), containerInstances=places)
    assert [task["containerInstanceArn"] for task in answer["tasks"]] == places[:1]
    assert [failure["reason"] for failure in answer["failures"]] == ["MISSING"]
    full = world.ecs.start_task(cluster="web", taskDefinition=world.define(3000), containerInstances=places[:1])
    assert [failure["reason"] for failure in full["failures"]] == ["RESOURCE:MEMORY"]


def test_constraints_ask_for_attributes(world: World) -> None:
    world.cluster(scaling="DISABLED")
    world.aws.sleep(120)
    (one,) = world.instances()
    rule = [{"type": "memberOf", "expression": "attribute:stack == production"}]
    asked = {"cluster": "web", "taskDefinition": world.define(), "placementConstraints": rule}
    assert not world.ecs.run_task(**asked)["tasks"]
    attribute = {"name": "stack", "value": "production", "targetId": one["containerInstanceArn"]}
    world.ecs.put_attributes(cluster="web", attributes=[attribute])
    assert world.ecs.run_task(**asked)["tasks"]
    listed = world.ecs.list_attributes(cluster="web", targetType="container-instance", attributeName="stack")
    assert listed["attributes"] == [attribute]


def test_what_is_not_simulated_says_so(world: World) -> None:
    world.cluster()
    asked = {"cluster": "web", "serviceName": "web", "taskDefinition": world.define()}
    for given in ({"launchType": "FARGATE"}, {"schedulingStrategy": "DAEMON"}, {"deploymentController": EXTERNAL}):
        assert "is not simulated by the embedded AWS" in world.refused("create_service", **asked, **given)
    fargate = {"capacityProviders": ["web", "FARGATE"], "defaultCapacityProviderStrategy": []}
    world.ecs.put_cluster_capacity_providers(cluster="web", **fargate)
    strategy = [{"capacityProvider": "FARGATE", "weight": 1}]
    assert "is not simulated" in world.refused("create_service", **asked, capacityProviderStrategy=strategy)


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("create_task_set", {"taskDefinition": "web"}),
        ("describe_task_sets", {}),
        ("update_task_set", {"taskSet": "one", "scale": {"value": 50, "unit": "PERCENT"}}),
        ("update_service_primary_task_set", {"primaryTaskSet": "one"}),
        ("delete_task_set", {"taskSet": "one"}),
    ],
)
def test_task_sets_are_refused_by_name(world: World, operation: str, params: dict[str, Any]) -> None:
    world.cluster()
    world.serve(world.define())
    assert "a task set is not simulated" in world.refused(operation, cluster="web", service="web", **params)


def test_a_service_that_is_refused_leaves_nothing_behind(world: World) -> None:
    world.cluster()
    wrong = world.define(outcome={"no_such_field": 1})
    asked = {"cluster": "web", "serviceName": "web", "desiredCount": 1}
    assert "docker label slpnb.outcome" in world.refused("create_service", taskDefinition=wrong, **asked)
    answer = world.ecs.describe_services(cluster="web", services=["web"])
    assert ([one["reason"] for one in answer["failures"]], answer["services"]) == (["MISSING"], [])
    assert world.serve(world.define())["status"] == "ACTIVE"


def test_an_update_that_is_refused_leaves_the_service_as_it_was(world: World) -> None:
    world.cluster()
    world.serve(world.define())
    wrong = {"taskDefinition": world.define(outcome={"no_such_field": 1}), "propagateTags": "SERVICE"}
    assert "docker label slpnb.outcome" in world.refused("update_service", cluster="web", service="web", **wrong)
    (found,) = world.ecs.describe_services(cluster="web", services=["web"])["services"]
    assert found.get("propagateTags", "NONE") == "NONE"


@pytest.mark.parametrize("expression", ["(((", "attribute:ecs.instance-type =~ [", ""])
def test_a_constraint_that_is_no_query_is_refused_before_it_stops_the_clock(world: World, expression: str) -> None:
    world.cluster()
    rules = [{"type": "memberOf", "expression": expression}]
    asked = {"cluster": "web", "taskDefinition": world.define(), "placementConstraints": rules}
    answer = "InvalidParameterException: Invalid expression: placement constraint"
    assert world.refused("create_service", serviceName="web", desiredCount=1, **asked).startswith(answer)
    assert world.refused("run_task", **asked).startswith(answer)
    containers = [{"name": "web", "image": "nginx", "memory": 64}]
    define = {"family": "web", "containerDefinitions": containers, "placementConstraints": rules}
    assert world.refused("register_task_definition", **define).startswith(answer)
    world.serve(world.define())
    assert world.refused("update_service", service="web", **asked).startswith(answer)
    world.aws.sleep(60)


def test_fewer_than_no_tasks_are_refused(world: World) -> None:
    world.cluster()
    asked = {"cluster": "web", "taskDefinition": world.define(), "desiredCount": -1}
    answer = "InvalidParameterException: desiredCount cannot be negative."
    assert world.refused("create_service", serviceName="web", **asked) == answer
    world.serve(world.define())
    assert world.refused("update_service", service="web", **asked) == answer


def test_execute_command_says_that_no_container_runs(world: World) -> None:
    world.cluster()
    world.serve(world.define(), enableExecuteCommand=True)
    world.stable()
    (task,) = world.tasks(serviceName="web")
    asked = {"cluster": "web", "task": task["taskArn"], "command": "true", "interactive": True}
    assert "no container runs" in world.refused("execute_command", **asked)


# Refusals


def test_a_service_is_created_once(world: World) -> None:
    world.cluster()
    definition = world.define()
    world.serve(definition)
    again = {"cluster": "web", "serviceName": "web", "taskDefinition": definition, "desiredCount": 1}
    assert world.refused("create_service", **again) == (
        "InvalidParameterException: Creation of service was not idempotent."
    )


def test_launch_type_and_strategy_exclude_each_other(world: World) -> None:
    world.cluster()
    strategy = [{"capacityProvider": "web", "weight": 1}]
    asked = {"cluster": "web", "taskDefinition": world.define(), "launchType": "EC2"}
    for operation, more in (("run_task", {}), ("create_service", {"serviceName": "web"})):
        refused = world.refused(operation, **asked, **more, capacityProviderStrategy=strategy)
        assert refused == (
            "InvalidParameterException: Specify either Launch Type or Capacity Provider Strategy, but not both."
        )


def test_deleting_out_of_order_is_refused(world: World) -> None:
    world.cluster()
    world.serve(world.define())
    world.stable()
    assert world.refused("delete_cluster", cluster="web").startswith("ClusterContainsServicesException")
    gone = {"cluster": "web", "capacityProviders": [], "defaultCapacityProviderStrategy": []}
    assert world.refused("put_cluster_capacity_providers", **gone).startswith("ResourceInUseException")
    assert "scaled above 0" in world.refused("delete_service", cluster="web", service="web")
    world.ecs.delete_service(cluster="web", service="web", force=True)
    world.ecs.get_waiter("services_inactive").wait(cluster="web", services=["web"], WaiterConfig=FAST)
    world.aws.sleep(60)
    assert world.refused("delete_cluster", cluster="web").startswith("ClusterContainsContainerInstancesException")
    kept = world.ecs.delete_capacity_provider(capacityProvider="web")["capacityProvider"]
    assert (kept["status"], kept["updateStatus"]) == ("ACTIVE", "DELETE_FAILED")
    world.ecs.put_cluster_capacity_providers(**gone)
    assert world.ecs.delete_capacity_provider(capacityProvider="web")["capacityProvider"]["status"] == "INACTIVE"
    world.asg.delete_auto_scaling_group(AutoScalingGroupName="web", ForceDelete=True)
    world.aws.sleep(600)
    assert world.ecs.delete_cluster(cluster="web")["cluster"]["status"] == "INACTIVE"
    assert not any(arn.endswith("/web") for arn in world.ecs.list_clusters()["clusterArns"])


def test_a_group_has_one_capacity_provider_and_the_tag_of_ecs(world: World) -> None:
    world.cluster()
    group = world.asg.describe_auto_scaling_groups()["AutoScalingGroups"][0]
    assert "AmazonECSManaged" in {tag["Key"] for tag in group["Tags"]}
    provider = {"autoScalingGroupArn": group["AutoScalingGroupARN"]}
    refused = world.refused("create_capacity_provider", name="other", autoScalingGroupProvider=provider)
    assert "already being used by another capacity provider" in refused


# The rest of the API


def test_a_cluster_shows_what_is_asked_for(world: World) -> None:
    world.cluster()
    world.serve(world.define())
    world.stable()
    (bare,) = world.ecs.describe_clusters(clusters=["web"])["clusters"]
    (full,) = world.ecs.describe_clusters(clusters=["web"], include=["TAGS", "SETTINGS"])["clusters"]
    assert (bare["tags"], bare["settings"], full["tags"]) == ([], [], [TAG])
    assert full["settings"] == [{"name": "containerInsights", "value": "disabled"}]
    assert full["capacityProviders"] == ["web"]
    counts = ("registeredContainerInstancesCount", "runningTasksCount", "pendingTasksCount", "activeServicesCount")
    assert [full[name] for name in counts] == [1, 1, 0, 1]


def test_lists_come_in_pages(world: World) -> None:
    world.cluster()
    arns = [world.define() for _ in range(3)]
    first = world.ecs.list_task_definitions(maxResults=2)
    assert first["taskDefinitionArns"] == arns[:2]
    assert world.ecs.list_task_definitions(nextToken=first["nextToken"])["taskDefinitionArns"] == arns[2:]
    for number in range(12):
        world.ecs.create_service(cluster="web", serviceName=f"s{number}", taskDefinition=arns[0], desiredCount=0)
    assert len(world.ecs.list_services(cluster="web")["serviceArns"]) == 10
    pages = world.ecs.get_paginator("list_services").paginate(cluster="web")
    assert len([arn for page in pages for arn in page["serviceArns"]]) == 12


def test_task_definitions_are_deregistered_and_deleted(world: World) -> None:
    arn = world.define()
    world.ecs.deregister_task_definition(taskDefinition=arn)
    assert arn not in world.ecs.list_task_definitions()["taskDefinitionArns"]
    assert arn in world.ecs.list_task_definitions(status="INACTIVE")["taskDefinitionArns"]
    assert not world.ecs.delete_task_definitions(taskDefinitions=[arn])["failures"]


def test_auto_scaling_finds_the_service(world: World) -> None:
    world.cluster()
    world.serve(world.define())
    scaling = world.aws.client("application-autoscaling")
    target = {"ServiceNamespace": "ecs", "ScalableDimension": "ecs:service:DesiredCount"}
    scaling.register_scalable_target(ResourceId="service/web/web", MinCapacity=1, MaxCapacity=5, **target)
    with pytest.raises(ClientError, match="doesn't exist"):
        scaling.register_scalable_target(ResourceId="service/web/none", MinCapacity=1, MaxCapacity=5, **target)


def test_force_new_deployment_replaces_the_tasks(world: World) -> None:
    world.cluster()
    world.serve(world.define())
    before = world.stable()["deployments"][0]["id"]
    (old,) = world.tasks(serviceName="web")
    world.ecs.update_service(cluster="web", service="web", forceNewDeployment=True)
    after = world.stable()["deployments"]
    (new,) = world.tasks(serviceName="web")
    assert [one["id"] for one in after] != [before]
    assert new["taskArn"] != old["taskArn"]
    assert new["startedBy"] == after[0]["id"]


def test_a_volume_plugin_that_no_instance_has_is_a_missing_attribute(world: World) -> None:
    world.cluster(scaling="DISABLED")
    world.aws.sleep(120)
    volume = {"name": "data", "dockerVolumeConfiguration": {"driver": "rexray/ebs"}}
    answer = world.ecs.run_task(cluster="web", taskDefinition=world.define(volumes=[volume]))
    assert (answer["tasks"], [one["reason"] for one in answer["failures"]]) == ([], ["ATTRIBUTE"])
