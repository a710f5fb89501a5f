"""What the company already has when the runbook starts.

The research notebook's account: the VPC slp-cluster-vpc with public subnets in three zones, two MariaDB
instances, a certificate, a hosted zone, and other people's resources that the kit must never touch.
Fixed by `SEED`, so that the same calls give the same ids.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from moto.acm.models import CertBundle
from moto.moto_api._internal import mock_random

from slpnb.local.account import amis
from slpnb.local.base import clock
from slpnb.local.base.inprocess import ACCOUNT, REGION, backend, clear, client
from slpnb.local.corrections.iam import LINKED

SEED = 20260302
VPC_NAME = "slp-cluster-vpc"
VPC_CIDR = "172.30.0.0/16"
ZONES = ("a", "b", "c")
DATABASES = ("slp-saas-test-db", "slp-saas-db")
ZONE_NAME = "slp.example"
SETTLED_SECONDS = 600.0  # after which everything seeded is available


def sow() -> None:
    """Empty the account and create the company's resources."""
    clear()
    clock.reset()
    mock_random.seed(SEED)
    amis.register()
    _first_uses()
    vpc, subnets = _network()
    _databases(vpc, subnets)
    _certificate()
    _hosted_zone()
    _others(vpc, subnets)
    clock.advance(SETTLED_SECONDS)
    clock.reset()
    mock_random.seed(SEED + 1)  # whatever was made only the first time, the next ids are the same


def _first_uses() -> None:
    """The services that the company has used have their service-linked roles."""
    for service in LINKED:
        client("iam").create_service_linked_role(AWSServiceName=service)
    clock.advance(SETTLED_SECONDS)


def _network() -> tuple[str, list[str]]:
    """A VPC whose subnets reach the internet: gateway, route table with a default route, public addresses."""
    ec2 = client("ec2")
    vpc = ec2.create_vpc(CidrBlock=VPC_CIDR, TagSpecifications=_named("vpc", VPC_NAME))["Vpc"]["VpcId"]
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    gateway = ec2.create_internet_gateway(TagSpecifications=_named("internet-gateway", VPC_NAME))
    gateway_id = gateway["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway_id, VpcId=vpc)
    table = ec2.create_route_table(VpcId=vpc, TagSpecifications=_named("route-table", f"{VPC_NAME}-public"))
    table_id = table["RouteTable"]["RouteTableId"]
    ec2.create_route(RouteTableId=table_id, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway_id)
    return vpc, [_subnet(vpc, table_id, number, zone) for number, zone in enumerate(ZONES)]


def _subnet(vpc: str, table: str, number: int, zone: str) -> str:
    ec2 = client("ec2")
    subnet = ec2.create_subnet(
        VpcId=vpc,
        CidrBlock=f"172.30.{number * 16}.0/20",
        AvailabilityZone=REGION + zone,
        TagSpecifications=_named("subnet", f"{VPC_NAME}-{zone}"),
    )["Subnet"]["SubnetId"]
    ec2.modify_subnet_attribute(SubnetId=subnet, MapPublicIpOnLaunch={"Value": True})
    ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
    return str(subnet)


def _databases(vpc: str, subnets: list[str]) -> None:
    group = _security_group("slp-database", "MariaDB from inside the VPC", vpc, 3306, VPC_CIDR)
    rds = client("rds")
    rds.create_db_subnet_group(
        DBSubnetGroupName="slp-database", DBSubnetGroupDescription="slp-cluster-vpc", SubnetIds=subnets
    )
    for name in DATABASES:
        rds.create_db_instance(
            DBInstanceIdentifier=name,
            DBInstanceClass="db.t4g.medium",
            Engine="mariadb",
            EngineVersion="10.11.10",
            AllocatedStorage=50,
            StorageType="gp3",
            StorageEncrypted=True,
            MasterUsername="admin",
            ManageMasterUserPassword=True,
            DBSubnetGroupName="slp-database",
            VpcSecurityGroupIds=[group],
            PubliclyAccessible=False,
            BackupRetentionPeriod=7,
        )


def _certificate() -> None:
    """Issued at once: the company validated it long ago, which no API call here can do."""
    bundle = _bundle()
    backend("acm")._certificates[bundle.arn] = bundle
    tags = [{"Key": "Name", "Value": f"*.{ZONE_NAME}"}]
    client("acm").add_tags_to_certificate(CertificateArn=bundle.arn, Tags=tags)


@cache
def _bundle() -> CertBundle:
    """Made once per process: its RSA key takes 60 ms."""
    sites = [f"*.{name}.{ZONE_NAME}" for name in ("saas-test", "saas")]
    bundle = CertBundle.generate_cert(f"*.{ZONE_NAME}", ACCOUNT, REGION, sites)
    bundle.status = "ISSUED"
    return bundle


def _hosted_zone() -> None:
    route53 = client("route53")
    zone = str(route53.create_hosted_zone(Name=ZONE_NAME, CallerReference="company")["HostedZone"]["Id"])
    for name, address in (("www", "198.51.100.10"), ("legacy", "198.51.100.20")):
        record = {"Name": f"{name}.{ZONE_NAME}", "Type": "A", "TTL": 300, "ResourceRecords": [{"Value": address}]}
        change = {"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]}
        route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch=change)


def _others(vpc: str, subnets: list[str]) -> None:
    """Other people's resources in the same account; some carry the kit's tags for another environment."""
    theirs = {"slpnb:environment": "sandbox", "slpnb:step": "30_efs"}
    group = _security_group("legacy-web", "the servers before ECS", vpc, 443, "0.0.0.0/0")
    _security_group("sandbox-efs", "another environment of the kit", vpc, 2049, VPC_CIDR, theirs)
    client("ec2").create_launch_template(
        LaunchTemplateName="legacy-workers",
        LaunchTemplateData={"InstanceType": "t3.medium", "ImageId": amis.image_id("x86_64")},
    )
    client("ecs").create_cluster(clusterName="legacy")
    _file_system("legacy-files", subnets[0], group, {})
    _file_system("sandbox-uploads", subnets[1], group, theirs)
    client("secretsmanager").create_secret(Name="legacy/api-key", SecretString=json.dumps({"key": "not the kit's"}))
    client("logs").create_log_group(logGroupName="/legacy/web", tags={"owner": "operations"})
    client("ecr").create_repository(repositoryName="legacy-tools")
    client("sns").create_topic(Name="operations")
    client("kms").create_alias(
        AliasName="alias/legacy", TargetKeyId=client("kms").create_key(Description="legacy")["KeyMetadata"]["KeyId"]
    )
    trust = {
        "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]
    }
    client("iam").create_role(RoleName="legacy-web", AssumeRolePolicyDocument=json.dumps(trust))
    client("elbv2").create_target_group(Name="legacy-web", Protocol="HTTP", Port=80, VpcId=vpc)


def _security_group(
    name: str, description: str, vpc: str, port: int, source: str, tags: dict[str, str] | None = None
) -> str:
    ec2 = client("ec2")
    group = ec2.create_security_group(
        GroupName=name,
        Description=description,
        VpcId=vpc,
        TagSpecifications=_named("security-group", name, tags),
    )["GroupId"]
    permission = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": source}]}
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[permission])
    return str(group)


def _file_system(name: str, subnet: str, group: str, tags: dict[str, str]) -> None:
    efs = client("efs")
    files = efs.create_file_system(
        CreationToken=name, Encrypted=True, ThroughputMode="elastic", Tags=_tags({"Name": name, **tags})
    )["FileSystemId"]
    clock.advance(SETTLED_SECONDS)
    efs.create_mount_target(FileSystemId=files, SubnetId=subnet, SecurityGroups=[group])


def _named(kind: str, name: str, tags: dict[str, str] | None = None) -> list[dict[str, Any]]:
    return [{"ResourceType": kind, "Tags": _tags({"Name": name, **(tags or {})})}]


def _tags(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]
