"""What moto gets wrong outside ECS, asked of the embedded AWS through boto3: it answers as AWS does."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

import pytest
from botocore.exceptions import ClientError

from slpnb import local
from slpnb.aws import Aws, error_code, tag_map
from slpnb.local.base import registry
from slpnb.local.corrections.iam import SPREAD_SECONDS

AMI = "/aws/service/ecs/optimized-ami/amazon-linux-2023"


@pytest.fixture
def vpc(aws: Aws) -> dict[str, Any]:
    """The existing VPC: its id, and its subnets by zone."""
    named = [{"Name": "tag:Name", "Values": ["slp-cluster-vpc"]}]
    identifier = aws.client("ec2").describe_vpcs(Filters=named)["Vpcs"][0]["VpcId"]
    inside = [{"Name": "vpc-id", "Values": [identifier]}]
    subnets = aws.client("ec2").describe_subnets(Filters=inside)["Subnets"]
    return {"id": identifier, "subnets": {s["AvailabilityZone"]: s["SubnetId"] for s in subnets}}


@pytest.fixture
def group(aws: Aws, vpc: dict[str, Any]) -> str:
    return make_group(aws, vpc, "a")


def make_group(aws: Aws, vpc: dict[str, Any], name: str) -> str:
    made = aws.client("ec2").create_security_group(GroupName=name, Description=name, VpcId=vpc["id"])
    return str(made["GroupId"])


def refused(call: Any, **params: Any) -> str:
    """The error code that AWS answers."""
    with pytest.raises(ClientError) as error:
        call(**params)
    return error_code(error.value)


# --- EC2 ----------------------------------------------------------------------------------------------------


def test_a_security_group_that_another_ones_rule_names_is_in_use(aws, vpc, group):
    ec2, other = aws.client("ec2"), make_group(aws, vpc, "b")
    rule = {"IpProtocol": "tcp", "FromPort": 2049, "ToPort": 2049, "UserIdGroupPairs": [{"GroupId": group}]}
    ec2.authorize_security_group_ingress(GroupId=other, IpPermissions=[rule])
    assert refused(ec2.delete_security_group, GroupId=group) == "DependencyViolation"
    ec2.revoke_security_group_ingress(GroupId=other, IpPermissions=[rule])
    ec2.delete_security_group(GroupId=group)


def test_a_rule_is_added_once(aws, group):
    rule = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    call = aws.client("ec2").authorize_security_group_ingress
    ids = [r["SecurityGroupRuleId"] for r in call(GroupId=group, IpPermissions=[rule])["SecurityGroupRules"]]
    assert refused(call, GroupId=group, IpPermissions=[rule]) == "InvalidPermission.Duplicate"
    assert len(ids) == 1


def test_the_databases_security_group_is_in_use(aws):
    instance = aws.client("rds").describe_db_instances()["DBInstances"][0]
    group = instance["VpcSecurityGroups"][0]["VpcSecurityGroupId"]
    assert refused(aws.client("ec2").delete_security_group, GroupId=group) == "DependencyViolation"


def test_the_default_security_group_stays(aws, vpc):
    inside = [{"Name": "vpc-id", "Values": [vpc["id"]]}, {"Name": "group-name", "Values": ["default"]}]
    group = aws.client("ec2").describe_security_groups(Filters=inside)["SecurityGroups"][0]["GroupId"]
    assert refused(aws.client("ec2").delete_security_group, GroupId=group) == "CannotDelete"


def test_a_subnet_with_an_interface_is_in_use(aws, vpc):
    subnet = vpc["subnets"]["us-east-1a"]  # a foreign mount target is in it
    assert refused(aws.client("ec2").delete_subnet, SubnetId=subnet) == "DependencyViolation"
    aws.client("ec2").delete_subnet(SubnetId=vpc["subnets"]["us-east-1c"])


def test_a_template_version_begins_from_its_source_version(aws):
    ec2 = aws.client("ec2")
    data = {"InstanceType": "c6g.large", "UserData": "ZWNobw=="}
    ec2.create_launch_template(LaunchTemplateName="nodes", LaunchTemplateData=data)
    changed = {"LaunchTemplateName": "nodes", "LaunchTemplateData": {"InstanceType": "c6g.xlarge"}}
    new = ec2.create_launch_template_version(SourceVersion="1", **changed)["LaunchTemplateVersion"]
    bare = ec2.create_launch_template_version(**changed)["LaunchTemplateVersion"]
    assert new["LaunchTemplateData"] == {"InstanceType": "c6g.xlarge", "UserData": "ZWNobw=="}
    assert "UserData" not in bare["LaunchTemplateData"]


# --- EC2 Auto Scaling ---------------------------------------------------------------------------------------


@pytest.fixture
def fleet(aws: Aws, vpc: dict[str, Any], group: str) -> dict[str, Any]:
    """An Auto Scaling group of three over two zones, with an instance profile."""
    iam = aws.client("iam")
    image = aws.client("ssm").get_parameter(Name=f"{AMI}/arm64/recommended/image_id")["Parameter"]["Value"]
    iam.create_instance_profile(InstanceProfileName="p")
    data = {
        "ImageId": image,
        "InstanceType": "c6g.large",
        "UserData": "ZWNobw==",
        "IamInstanceProfile": {"Name": "p"},
        "NetworkInterfaces": [{"DeviceIndex": 0, "AssociatePublicIpAddress": True, "Groups": [group]}],
        "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 30, "Encrypted": True}}],
    }
    aws.client("ec2").create_launch_template(LaunchTemplateName="nodes", LaunchTemplateData=data)
    aws.sleep(SPREAD_SECONDS)
    aws.client("autoscaling").create_auto_scaling_group(
        AutoScalingGroupName="g",
        MinSize=1,
        MaxSize=4,
        DesiredCapacity=3,
        VPCZoneIdentifier=",".join(vpc["subnets"][zone] for zone in ("us-east-1a", "us-east-1b")),
        LaunchTemplate={"LaunchTemplateName": "nodes", "Version": "$Latest"},
        Tags=[{"Key": "Name", "Value": "node", "PropagateAtLaunch": True}],
    )
    return {"group": group, "image": image}


def instances(aws: Aws, *states: str) -> list[dict[str, Any]]:
    found = aws.pages("ec2", "describe_instances", "Reservations[].Instances[]")
    return [instance for instance in found if instance["State"]["Name"] in (states or ("running",))]


def test_instances_are_spread_and_get_what_their_template_says(aws, fleet):
    running = instances(aws)
    assert sorted(i["Placement"]["AvailabilityZone"] for i in running) == ["us-east-1a", "us-east-1a", "us-east-1b"]
    for instance in running:
        assert instance["IamInstanceProfile"]["Arn"].endswith(":instance-profile/p")
        assert instance["Architecture"] == "arm64"
        assert [g["GroupId"] for g in instance["SecurityGroups"]] == [fleet["group"]]
        assert tag_map(instance["Tags"])["Name"] == "node"
        assert "PublicIpAddress" in instance
    assert {(v["Size"], v["Encrypted"]) for v in aws.pages("ec2", "describe_volumes", "Volumes")} == {(30, True)}


@pytest.mark.usefixtures("fleet")
def test_scaling_in_takes_from_the_fuller_zone_and_terminates(aws):
    aws.client("autoscaling").set_desired_capacity(AutoScalingGroupName="g", DesiredCapacity=2)
    assert sorted(i["Placement"]["AvailabilityZone"] for i in instances(aws)) == ["us-east-1a", "us-east-1b"]
    assert len(instances(aws, "terminated")) == 1
    latest = aws.client("autoscaling").describe_scaling_activities(AutoScalingGroupName="g")["Activities"][0]
    assert latest["Description"].startswith("Terminating EC2 instance: i-")


@pytest.mark.usefixtures("fleet")
def test_protected_instances_are_not_scaled_in(aws):
    scaling = aws.client("autoscaling")
    ids = [instance["InstanceId"] for instance in instances(aws)]
    scaling.set_instance_protection(AutoScalingGroupName="g", InstanceIds=ids, ProtectedFromScaleIn=True)
    scaling.set_desired_capacity(AutoScalingGroupName="g", DesiredCapacity=1)
    assert len(instances(aws)) == 3


@pytest.mark.usefixtures("fleet")
def test_desired_capacity_stays_between_the_groups_limits(aws):
    call = aws.client("autoscaling").set_desired_capacity
    assert refused(call, AutoScalingGroupName="g", DesiredCapacity=5) == "ValidationError"
    assert refused(call, AutoScalingGroupName="g", DesiredCapacity=0) == "ValidationError"


@pytest.mark.usefixtures("fleet")
@pytest.mark.parametrize("sizes", [{"DesiredCapacity": 5}, {"DesiredCapacity": 0}, {"MinSize": 5}, {"MaxSize": 0}])
def test_an_update_that_contradicts_the_groups_sizes_is_refused(aws, sizes):
    scaling = aws.client("autoscaling")
    assert refused(scaling.update_auto_scaling_group, AutoScalingGroupName="g", **sizes) == "ValidationError"
    scaling.update_auto_scaling_group(AutoScalingGroupName="g", MinSize=5, MaxSize=6)
    assert len(instances(aws)) == 5


def test_a_group_with_instances_is_deleted_by_force_only_and_its_instances_with_it(aws, fleet):
    scaling = aws.client("autoscaling")
    assert refused(scaling.delete_auto_scaling_group, AutoScalingGroupName="g") == "ResourceInUse"
    assert refused(aws.client("ec2").delete_security_group, GroupId=fleet["group"]) == "DependencyViolation"
    scaling.delete_auto_scaling_group(AutoScalingGroupName="g", ForceDelete=True)
    assert scaling.describe_auto_scaling_groups()["AutoScalingGroups"][0]["Status"] == "Delete in progress"
    aws.sleep(60)
    assert scaling.describe_auto_scaling_groups()["AutoScalingGroups"] == []
    assert instances(aws) == []
    aws.client("ec2").delete_security_group(GroupId=fleet["group"])


@pytest.mark.usefixtures("fleet")
def test_a_group_name_is_used_once(aws, vpc):
    params = {
        "AutoScalingGroupName": "g",
        "MinSize": 0,
        "MaxSize": 1,
        "LaunchTemplate": {"LaunchTemplateName": "nodes"},
    }
    call = aws.client("autoscaling").create_auto_scaling_group
    assert refused(call, VPCZoneIdentifier=vpc["subnets"]["us-east-1a"], **params) == "AlreadyExists"


# --- EFS ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"PerformanceMode": "fast"}, "ValidationException"),
        ({"ThroughputMode": "fast"}, "ValidationException"),
        ({"ThroughputMode": "provisioned"}, "BadRequest"),
        ({"ThroughputMode": "elastic", "ProvisionedThroughputInMibps": 8.0}, "BadRequest"),
        ({"ThroughputMode": "elastic", "PerformanceMode": "maxIO"}, "BadRequest"),
    ],
)
def test_a_file_system_of_no_mode_that_efs_has_is_refused(aws, params, code):
    assert refused(aws.client("efs").create_file_system, CreationToken="x", **params) == code


@pytest.fixture
def files(aws: Aws) -> str:
    made = aws.client("efs").create_file_system(CreationToken="x", Encrypted=True, ThroughputMode="elastic")
    aws.sleep(10)
    return str(made["FileSystemId"])


def test_a_file_system_takes_a_moment(aws, vpc):
    efs = aws.client("efs")
    files = efs.create_file_system(CreationToken="x")["FileSystemId"]
    subnet = vpc["subnets"]["us-east-1a"]
    code = refused(efs.create_mount_target, FileSystemId=files, SubnetId=subnet)
    assert code == "IncorrectFileSystemLifeCycleState"
    aws.sleep(10)
    efs.create_mount_target(FileSystemId=files, SubnetId=subnet)


def test_backup_policy_throughput_and_policy_can_be_set(aws, files):
    efs = aws.client("efs")
    efs.put_backup_policy(FileSystemId=files, BackupPolicy={"Status": "ENABLED"})
    assert efs.describe_backup_policy(FileSystemId=files)["BackupPolicy"] == {"Status": "ENABLED"}
    efs.update_file_system(FileSystemId=files, ThroughputMode="provisioned", ProvisionedThroughputInMibps=8.0)
    seen = efs.describe_file_systems(FileSystemId=files)["FileSystems"][0]
    assert (seen["ThroughputMode"], seen["ProvisionedThroughputInMibps"]) == ("provisioned", 8.0)
    efs.put_file_system_policy(FileSystemId=files, Policy='{"Version": "2012-10-17"}')
    assert json.loads(efs.describe_file_system_policy(FileSystemId=files)["Policy"]) == {"Version": "2012-10-17"}
    efs.delete_file_system_policy(FileSystemId=files)
    assert refused(efs.describe_file_system_policy, FileSystemId=files) == "PolicyNotFound"


def test_an_access_point_needs_its_file_system_and_is_made_once(aws, files):
    call = aws.client("efs").create_access_point
    assert refused(call, ClientToken="t", FileSystemId="fs-0123456789abcdef0") == "FileSystemNotFound"
    call(ClientToken="t", FileSystemId=files)
    assert refused(call, ClientToken="t", FileSystemId=files) == "AccessPointAlreadyExists"


def test_mount_targets_come_and_go_in_their_own_time(aws, vpc, group, files):
    efs = aws.client("efs")
    subnet = vpc["subnets"]["us-east-1a"]
    target = efs.create_mount_target(FileSystemId=files, SubnetId=subnet, SecurityGroups=[group])["MountTargetId"]

    def state() -> str:
        return str(efs.describe_mount_targets(MountTargetId=target)["MountTargets"][0]["LifeCycleState"])

    assert state() == "creating"
    aws.sleep(60)
    assert state() == "available"
    assert refused(efs.delete_file_system, FileSystemId=files) == "FileSystemInUse"
    efs.delete_mount_target(MountTargetId=target)
    assert state() == "deleting"
    assert refused(aws.client("ec2").delete_security_group, GroupId=group) == "DependencyViolation"
    aws.sleep(60)
    aws.client("ec2").delete_security_group(GroupId=group)
    efs.delete_file_system(FileSystemId=files)


def test_a_file_system_goes_in_the_background_with_its_access_points(aws, files):
    efs = aws.client("efs")
    efs.create_access_point(ClientToken="t", FileSystemId=files)
    efs.delete_file_system(FileSystemId=files)
    assert efs.describe_file_systems(FileSystemId=files)["FileSystems"][0]["LifeCycleState"] == "deleting"
    aws.sleep(10)
    assert refused(efs.describe_file_systems, FileSystemId=files) == "FileSystemNotFound"
    assert efs.describe_access_points()["AccessPoints"] == []


# --- load balancing and certificates ------------------------------------------------------------------------


@pytest.fixture
def balancer(aws: Aws, vpc: dict[str, Any], group: str) -> dict[str, Any]:
    """A load balancer with an HTTPS listener in front of a target group."""
    elb, certificate = aws.client("elbv2"), aws.client("acm").list_certificates()["CertificateSummaryList"][0]
    subnets = [vpc["subnets"][zone] for zone in ("us-east-1a", "us-east-1b")]
    made = elb.create_load_balancer(Name="lb", Subnets=subnets, SecurityGroups=[group])["LoadBalancers"][0]
    target = elb.create_target_group(Name="tg", Protocol="HTTP", Port=80, VpcId=vpc["id"])["TargetGroups"][0]
    elb.create_listener(
        LoadBalancerArn=made["LoadBalancerArn"],
        Protocol="HTTPS",
        Port=443,
        Certificates=[{"CertificateArn": certificate["CertificateArn"]}],
        DefaultActions=[{"Type": "forward", "TargetGroupArn": target["TargetGroupArn"]}],
    )
    return {
        "arn": made["LoadBalancerArn"],
        "target group": target["TargetGroupArn"],
        "certificate": certificate["CertificateArn"],
        "subnets": subnets,
        "group": group,
    }


def test_a_load_balancer_is_provisioned_and_then_active(aws, balancer):
    elb = aws.client("elbv2")

    def seen() -> dict[str, Any]:
        return dict(elb.describe_load_balancers(LoadBalancerArns=[balancer["arn"]])["LoadBalancers"][0])

    assert seen()["State"]["Code"] == "provisioning"
    aws.sleep(120)
    assert seen()["State"]["Code"] == "active"
    assert seen()["CanonicalHostedZoneId"] == "Z35SXDOTRQ7X7K"


def test_the_same_load_balancer_again_is_the_same_and_another_is_refused(aws, balancer, vpc):
    call = aws.client("elbv2").create_load_balancer
    again = call(Name="lb", Subnets=balancer["subnets"], SecurityGroups=[balancer["group"]])["LoadBalancers"][0]
    assert again["LoadBalancerArn"] == balancer["arn"]
    assert refused(call, Name="lb", Subnets=list(vpc["subnets"].values())) == "DuplicateLoadBalancerName"
    assert refused(call, Name="one-zone", Subnets=balancer["subnets"][:1]) == "ValidationError"


def test_the_same_target_group_again_is_the_same_and_another_is_refused(aws, balancer, vpc):
    call = aws.client("elbv2").create_target_group
    again = call(Name="tg", Protocol="HTTP", Port=80, VpcId=vpc["id"])["TargetGroups"][0]
    assert again["TargetGroupArn"] == balancer["target group"]
    code = refused(call, Name="tg", Protocol="HTTP", Port=8080, VpcId=vpc["id"])
    assert code == "DuplicateTargetGroupName"


def test_what_a_listener_uses_is_in_use(aws, balancer):
    elb, acm = aws.client("elbv2"), aws.client("acm")
    assert refused(elb.delete_target_group, TargetGroupArn=balancer["target group"]) == "ResourceInUse"
    assert refused(acm.delete_certificate, CertificateArn=balancer["certificate"]) == "ResourceInUseException"
    users = acm.describe_certificate(CertificateArn=balancer["certificate"])["Certificate"]["InUseBy"]
    assert users == [balancer["arn"]]


def test_a_deleted_load_balancer_lets_go_of_its_security_group_a_little_later(aws, balancer):
    ec2 = aws.client("ec2")
    aws.client("elbv2").delete_load_balancer(LoadBalancerArn=balancer["arn"])
    assert refused(ec2.delete_security_group, GroupId=balancer["group"]) == "DependencyViolation"
    aws.sleep(60)
    ec2.delete_security_group(GroupId=balancer["group"])


def test_deletion_protection_protects(aws, balancer):
    elb, arn = aws.client("elbv2"), balancer["arn"]
    on = [{"Key": "deletion_protection.enabled", "Value": "true"}]
    elb.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=on)
    assert refused(elb.delete_load_balancer, LoadBalancerArn=arn) == "OperationNotPermitted"


@pytest.mark.usefixtures("fleet")
def test_two_tasks_on_one_instance_are_two_targets(aws, balancer):
    elb, instance = aws.client("elbv2"), instances(aws)[0]["InstanceId"]
    targets = [{"Id": instance, "Port": 32768}, {"Id": instance, "Port": 32769}]
    elb.register_targets(TargetGroupArn=balancer["target group"], Targets=targets)

    def states() -> dict[int, str]:
        answer = elb.describe_target_health(TargetGroupArn=balancer["target group"])["TargetHealthDescriptions"]
        return {health["Target"]["Port"]: health["TargetHealth"]["State"] for health in answer}

    assert states() == {32768: "healthy", 32769: "healthy"}
    elb.deregister_targets(TargetGroupArn=balancer["target group"], Targets=targets[:1])
    assert states() == {32768: "draining", 32769: "healthy"}
    aws.sleep(300)
    assert states() == {32769: "healthy"}


def test_a_target_group_without_a_listener_is_not_in_use(aws, vpc):
    elb = aws.client("elbv2")
    params = {"Name": "alone", "Protocol": "HTTP", "Port": 80, "VpcId": vpc["id"], "TargetType": "ip"}
    arn = elb.create_target_group(**params)["TargetGroups"][0]["TargetGroupArn"]
    elb.register_targets(TargetGroupArn=arn, Targets=[{"Id": "172.30.0.10"}])
    health = elb.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"][0]["TargetHealth"]
    assert (health["State"], health["Reason"]) == ("unused", "Target.NotInUse")


# --- ECR ----------------------------------------------------------------------------------------------------


@pytest.fixture
def repository(aws: Aws) -> str:
    aws.client("ecr").create_repository(repositoryName="slp-saas-test", imageTagMutability="IMMUTABLE")
    return "slp-saas-test"


def manifest(aws: Aws, repository: str, **image: str) -> dict[str, Any]:
    answer = aws.client("ecr").batch_get_image(repositoryName=repository, imageIds=[image])
    return dict(json.loads(answer["images"][0]["imageManifest"]))


def test_the_parameters_digest_is_that_of_the_image_that_ci_pushed(aws, repository):
    assert aws.config.image.digest == registry.digest(aws.config.image.tag)
    index = manifest(aws, repository, imageDigest=aws.config.image.digest)
    assert {m["platform"]["architecture"] for m in index["manifests"]} == {"arm64", "amd64"}
    details = aws.client("ecr").describe_images(
        repositoryName=repository, imageIds=[{"imageTag": aws.config.image.tag}]
    )["imageDetails"][0]
    assert details["imageDigest"] == aws.config.image.digest
    assert details["imageTags"] == ["1.0.0"]
    assert details["imageManifestMediaType"] == "application/vnd.oci.image.index.v1+json"


def test_the_architecture_of_a_single_manifest_is_in_its_config(aws, repository):
    single = manifest(aws, repository, imageTag="1.0.0-amd64")
    where = aws.client("ecr").get_download_url_for_layer(
        repositoryName=repository, layerDigest=single["config"]["digest"]
    )
    with urllib.request.urlopen(where["downloadUrl"]) as answer:
        content = answer.read()
    assert json.loads(content)["architecture"] == "amd64"
    assert len(content) == single["config"]["size"]


def test_a_digest_is_the_hash_of_the_manifest_or_refused(aws, repository):
    ecr = aws.client("ecr")
    params = {"repositoryName": repository, "imageManifest": '{"schemaVersion":2}', "imageTag": "x"}
    params["imageManifestMediaType"] = "application/vnd.oci.image.manifest.v1+json"
    code = refused(ecr.put_image, imageDigest="sha256:" + "0" * 64, **params)
    assert code == "ImageDigestDoesNotMatchException"
    made = ecr.put_image(**params)["image"]["imageId"]["imageDigest"]
    assert manifest(aws, repository, imageDigest=made) == {"schemaVersion": 2}


def test_an_absent_image_is_named_in_the_failure(aws, repository):
    missing = {"imageDigest": "sha256:" + "0" * 64}
    answer = aws.client("ecr").batch_get_image(repositoryName=repository, imageIds=[missing])
    assert [failure["imageId"] for failure in answer["failures"]] == [missing]
    code = refused(aws.client("ecr").describe_images, repositoryName=repository, imageIds=[missing])
    assert code == "ImageNotFoundException"


# --- the rest -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "architecture"), [("arm64/recommended", "arm64"), ("recommended", "x86_64"), ("gpu/recommended", "x86_64")]
)
def test_the_recommended_ami_is_json_and_of_its_architecture(aws, path, architecture):
    facts = json.loads(aws.client("ssm").get_parameter(Name=f"{AMI}/{path}")["Parameter"]["Value"])
    plain = aws.client("ssm").get_parameter(Name=f"{AMI}/{path}/image_id")["Parameter"]["Value"]
    image = aws.client("ec2").describe_images(ImageIds=[facts["image_id"]])["Images"][0]
    assert plain == facts["image_id"]
    assert image["Architecture"] == architecture
    assert image["BlockDeviceMappings"][0]["Ebs"]["VolumeSize"] == 30


def test_a_keys_deletion_is_scheduled_by_its_arn(aws):
    kms = aws.client("kms")
    arn = kms.create_key()["KeyMetadata"]["Arn"]
    assert kms.schedule_key_deletion(KeyId=arn, PendingWindowInDays=7)["KeyState"] == "PendingDeletion"
    assert kms.describe_key(KeyId=arn)["KeyMetadata"]["KeyState"] == "PendingDeletion"


def test_quotas_answer(aws):
    quotas = aws.client("service-quotas")
    vcpus = quotas.get_service_quota(ServiceCode="ec2", QuotaCode="L-1216C47A")["Quota"]
    assert vcpus["Value"] == 256
    for service in ("ecs", "elasticfilesystem", "elasticloadbalancing", "vpc"):
        assert quotas.list_service_quotas(ServiceCode=service)["Quotas"]
    code = refused(quotas.get_service_quota, ServiceCode="ec2", QuotaCode="L-00000000")
    assert code == "NoSuchResourceException"


def test_an_operation_that_is_not_simulated_says_so_and_is_not_retried(aws):
    with pytest.raises(ClientError) as error:
        aws.client("ec2").describe_ipv6_pools()
    assert error_code(error.value) == "NotImplemented"
    assert "embedded AWS" in str(error.value)
    assert error.value.response["ResponseMetadata"]["RetryAttempts"] == 0


def test_the_account_is_seeded_the_same_each_time(aws, embedded):
    def account() -> Any:
        vpcs = aws.pages("ec2", "describe_vpcs", "Vpcs[].VpcId")
        files = aws.pages("efs", "describe_file_systems", "FileSystems[].FileSystemId")
        group = aws.client("ec2").create_security_group(GroupName="x", Description="x", VpcId=vpcs[1])["GroupId"]
        return vpcs, files, group

    first = account()
    local.reset(embedded.endpoint_url)
    assert account() == first


def test_the_name_of_a_secret_that_waits_for_its_end_is_taken_and_it_can_be_restored(aws):
    secrets = aws.client("secretsmanager")
    secrets.create_secret(Name="x", SecretString="one")
    assert refused(secrets.create_secret, Name="x", SecretString="two") == "ResourceExistsException"
    secrets.delete_secret(SecretId="x", RecoveryWindowInDays=7)
    assert refused(secrets.create_secret, Name="x", SecretString="two") == "InvalidRequestException"
    secrets.restore_secret(SecretId="x")
    assert secrets.get_secret_value(SecretId="x")["SecretString"] == "one"


def test_a_record_set_is_created_once_and_deleted_by_its_own_values(aws):
    route53 = aws.client("route53")
    zone = route53.list_hosted_zones()["HostedZones"][0]["Id"]

    def change(action: str, dns_name: str = "lb-1.us-east-1.elb.amazonaws.com") -> dict[str, Any]:
        alias = {"HostedZoneId": "Z35SXDOTRQ7X7K", "DNSName": dns_name, "EvaluateTargetHealth": True}
        record = {"Name": "saas.slp.example", "Type": "A", "AliasTarget": alias}
        return {"HostedZoneId": zone, "ChangeBatch": {"Changes": [{"Action": action, "ResourceRecordSet": record}]}}

    call = route53.change_resource_record_sets
    assert refused(call, **change("DELETE")) == "InvalidChangeBatch"
    call(**change("CREATE"))
    assert refused(call, **change("CREATE")) == "InvalidChangeBatch"
    answer = route53.test_dns_answer(HostedZoneId=zone, RecordName="saas.slp.example", RecordType="A")
    assert (answer["ResponseCode"], len(answer["RecordData"])) == ("NOERROR", 2)
    assert refused(call, **change("DELETE", "other.us-east-1.elb.amazonaws.com")) == "InvalidChangeBatch"
    call(**change("DELETE"))
    answer = route53.test_dns_answer(HostedZoneId=zone, RecordName="saas.slp.example", RecordType="A")
    assert answer["ResponseCode"] == "NXDOMAIN"


def test_scaling_a_target_that_was_never_registered_is_not_found(aws):
    scaling = aws.client("application-autoscaling")
    service = {
        "ServiceNamespace": "ecs",
        "ResourceId": "service/legacy/x",
        "ScalableDimension": "ecs:service:DesiredCount",
    }
    assert refused(scaling.deregister_scalable_target, **service) == "ObjectNotFoundException"
    assert refused(scaling.delete_scaling_policy, PolicyName="p", **service) == "ObjectNotFoundException"
    track = {
        "TargetValue": 70.0,
        "PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"},
    }
    policy = {"PolicyType": "TargetTrackingScaling", "TargetTrackingScalingPolicyConfiguration": track}
    assert refused(scaling.put_scaling_policy, PolicyName="p", **policy, **service) == "ObjectNotFoundException"


def test_a_log_groups_key_can_be_set(aws):
    logs = aws.client("logs")
    logs.create_log_group(logGroupName="/ecs/x")
    logs.associate_kms_key(logGroupName="/ecs/x", kmsKeyId="arn:aws:kms:us-east-1:123456789012:key/k")
    assert logs.describe_log_groups(logGroupNamePrefix="/ecs/x")["logGroups"][0]["kmsKeyId"].endswith(":key/k")
    logs.disassociate_kms_key(logGroupName="/ecs/x")
    assert "kmsKeyId" not in logs.describe_log_groups(logGroupNamePrefix="/ecs/x")["logGroups"][0]


def test_a_port_has_one_listener_and_one_in_clear_no_tls_policy(aws, balancer):
    elb = aws.client("elbv2")
    clear = {"Protocol": "HTTP", "DefaultActions": [{"Type": "forward", "TargetGroupArn": balancer["target group"]}]}
    listener = elb.create_listener(LoadBalancerArn=balancer["arn"], Port=80, **clear)["Listeners"][0]
    assert "SslPolicy" not in listener
    assert refused(elb.create_listener, LoadBalancerArn=balancer["arn"], Port=443, **clear) == "DuplicateListener"


def test_a_target_group_forgets_a_load_balancer_that_is_gone(aws, balancer):
    elb = aws.client("elbv2")

    def users() -> list[str]:
        groups = elb.describe_target_groups(TargetGroupArns=[balancer["target group"]])["TargetGroups"]
        return list(groups[0]["LoadBalancerArns"])

    assert users() == [balancer["arn"]]
    elb.delete_load_balancer(LoadBalancerArn=balancer["arn"])
    assert users() == []
    elb.delete_target_group(TargetGroupArn=balancer["target group"])


@pytest.mark.usefixtures("fleet")
def test_the_key_that_a_service_makes_for_itself_is_not_the_customers(aws):
    assert aws.client("kms").describe_key(KeyId="alias/aws/ebs")["KeyMetadata"]["KeyManager"] == "AWS"
