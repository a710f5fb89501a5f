"""The parameters of the runbook, typed: one section per notebook, units in the names.

The description of each field is what the notebooks and the JSON schema show. What no field can
say alone is in `slpnb.config.consistency`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

Mib = Annotated[int, Field(ge=6, le=25_165_824)]  # ECS accepts no less than 6 MiB
Seconds = Annotated[int, Field(ge=0, le=86_400)]
Count = Annotated[int, Field(ge=0, le=5000)]
Port = Annotated[int, Field(ge=0, le=65_535)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9/_.-]{0,126}$")]
Architecture = Literal["arm64", "x86_64"]
ManagedPolicy = Annotated[
    str, Field(pattern=r"^(arn:aws[a-z-]*:iam::(aws|\d{12}):policy/)?(?:[\w+=,.@-]+/)*[\w+=,.@-]{1,128}$")
]


def _written_out(value: object) -> object:
    """What ``papermill -p apply true`` means: papermill makes a boolean of True and False only, spelt so."""
    words = {"true": True, "false": False, "local": "local"}
    return words.get(value.lower(), value) if isinstance(value, str) else value


Apply = Annotated[bool | Literal["local"], BeforeValidator(_written_out)]


class Section(BaseModel):
    """A section: unknown keys are errors, values are not coerced, nothing changes after loading."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True)

    @classmethod
    def __pydantic_init_subclass__(cls, **_: object) -> None:
        """Join each description into one line, however the source wraps it."""
        for field in cls.model_fields.values():
            field.description = " ".join((field.description or "").split()) or None


class AwsSection(Section):
    """Which account, and with which credentials."""

    account_id: Annotated[str, Field(pattern=r"^(\d{12})?$")] = ""
    """twelve digits; on backend aws it must be the caller's account"""
    region: Annotated[str, Field(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")] = "us-east-1"
    """region for everything in this environment"""
    profile: str = ""
    """profile in ~/.aws/config; empty: the default credential chain"""


class StartSection(Section):
    """00_start: where the containers run."""

    compute: Literal["ec2", "fargate", "external"] = "ec2"
    """the research notebook chose EC2 instances; the kit builds nothing else"""


class ImageSection(Section):
    """10_image: the repository and the image in it."""

    repository: Name
    """ECR repository; created by the kit"""
    tag: Annotated[str, Field(pattern=r"^[\w][\w.-]{0,127}$")]
    """version of the image, as /VERSION.txt reports it; tags are immutable"""
    digest: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
    """digest of the image that the task definition runs, so that moving a tag cannot change it"""
    keep_images: Annotated[int, Field(ge=1, le=1000)] = 20
    """number of images that the lifecycle policy keeps"""
    encryption: Literal["AES256", "KMS"] = "AES256"
    """how ECR encrypts the layers; fixed at creation"""


class NetworkSection(Section):
    """20_network: the existing VPC, and the security groups that the kit makes."""

    vpc_name: Name = "slp-cluster-vpc"
    """Name tag of the existing VPC"""
    vpc_cidr: str = "172.30.0.0/16"
    """its IPv4 range; a VPC of this name with another range is refused"""
    vpc_tenancy: Literal["default", "dedicated"] = "default"
    """its tenancy"""
    subnets: Annotated[dict[str, str], Field(min_length=1)]
    """Name tag of the existing subnet to use in each availability zone"""
    security_group: Name = "MySLP-ECS-Services"
    """group of the load balancer: HTTPS, and HTTP for the redirect, from anywhere"""
    http_from_cidr: str = "0.0.0.0/0"
    """who may connect to ports 443 and 80 of the load balancer"""
    ports_open: list[Literal[80, 443]] = [80, 443]
    """ports that the load balancer's group opens; nothing else is ever open to the world"""
    ssh_from_cidr: str = ""
    """one address (a /32) that may connect to port 22 of the instances; empty: none"""
    nfs_from: Literal["auto", "instances", "tasks", "nobody"] = "auto"
    """whose group may connect to port 2049 of the file system; auto: whoever mounts it in the task's network mode"""


class EfsSection(Section):
    """30_efs: the shared uploads."""

    name: Name
    """Name tag of the file system; created by the kit"""
    vpc_name: str = ""
    """VPC of the mount targets; empty: network.vpc_name. EFS can only be mounted within its VPC"""
    throughput_mode: Literal["elastic", "bursting", "provisioned"] = "elastic"
    """set explicitly: the API's default is bursting, the console's is elastic"""
    provisioned_mibps: Annotated[float, Field(ge=1, le=3414)] | None = None
    """MiB/s, only with throughput mode provisioned"""
    performance_mode: Literal["generalPurpose", "maxIO"] = "generalPurpose"
    """fixed at creation"""
    transition_to_ia_days: Literal[1, 7, 14, 30, 60, 90, 180, 270, 365] | None = 30
    """days without access until a file moves to Infrequent Access; null: never"""
    backups: bool = True
    """daily AWS Backup of the file system"""
    uid: Annotated[int, Field(ge=0, le=65_534)] = 33
    """POSIX user of the access point; 33 is www-data in Debian and Ubuntu images"""
    gid: Annotated[int, Field(ge=0, le=65_534)] = 33
    """POSIX group of the access point"""
    directory: Annotated[str, Field(pattern=r"^/[\w./-]*$")] = "/uploads"
    """directory of the file system that the access point presents as its root"""
    permissions: Annotated[str, Field(pattern=r"^0?[0-7]{3}$")] = "0755"
    """permissions of that directory, set when the access point creates it"""


class SecretsSection(Section):
    """40_secrets: keys, secrets and roles."""

    kms_alias: Annotated[str, Field(pattern=r"^alias/[\w/-]+$")]
    """alias of the key that encrypts this environment's secrets"""
    prefix: Name
    """prefix of the names of secrets and roles"""
    database_instance: Name
    """identifier of the existing RDS instance; never changed by the kit"""
    database_name: Annotated[str, Field(pattern=r"^\w{1,64}$")] = "wordpress"
    """database of the WordPress network"""
    database_user: Annotated[str, Field(pattern=r"^\w{1,32}$")] = "wordpress"
    """MySQL user of the service; its password is generated, once"""
    recovery_days: Annotated[int, Field(ge=7, le=30)] = 7
    """days during which a deleted secret or key can be recovered"""
    execution_policies: list[ManagedPolicy] = []
    """further managed policies of the execution role: names of AWS's own, or ARNs; any other is detached"""
    task_policies: list[ManagedPolicy] = []
    """further managed policies of the task role, such as one for S3 or SES that a plugin needs"""
    instance_policies: list[ManagedPolicy] = []
    """further managed policies of the instance role, such as CloudWatchAgentServerPolicy"""

    def role_name(self, role: str) -> str:
        """The name of a role, and of the instance role's profile: ``<prefix>-execution`` and so on."""
        return f"{self.prefix}-{role}"


class ClusterSection(Section):
    """50_cluster: the instances."""

    name: Name
    """ECS cluster"""
    instance_type: str
    """EC2 instance type of the Auto Scaling group"""
    ami_parameter: str = ""
    """SSM parameter of the AMI; empty: the ECS-optimized Amazon Linux 2023 of the task's architecture"""
    min_instances: Count = 1
    """minimum size of the group"""
    max_instances: Annotated[int, Field(ge=1, le=5000)] = 3
    """maximum size of the group"""
    reserved_memory_mib: Annotated[int, Field(ge=0, le=1_048_576)] = 256
    """ECS_RESERVED_MEMORY: withheld from tasks for the agent, Docker and the kernel"""
    target_capacity_percent: Annotated[int, Field(ge=1, le=100)] = 100
    """managed scaling: how full the instances may be"""
    instance_warmup_seconds: Annotated[int, Field(ge=0, le=10_000)] = 300
    """managed scaling: time until a new instance counts as capacity"""
    termination_protection: bool = False
    """managed termination protection: instances with tasks are not scaled in"""
    root_volume_gib: Annotated[int, Field(ge=30, le=16_384)] = 30
    """encrypted gp3 volume of each instance; the AMI's snapshot needs 30"""
    public_ip: bool = True
    """instances get a public address, by which they reach ECR and ECS from public subnets without NAT"""
    container_insights: Literal["enabled", "enhanced", "disabled"] = "enabled"
    """CloudWatch Container Insights"""
    session_manager: bool = True
    """instances carry AmazonSSMManagedInstanceCore: a shell by Session Manager, without a key or an open port"""
    awsvpc_trunking: bool = False
    """the account, or the instance role, has opted in to ENI trunking: more awsvpc tasks per instance"""


class SizingSection(Section):
    """60_sizing: what the choice in the parameters is compared with."""

    candidates: Annotated[list[str], Field(min_length=1)] = [
        "c6i.large",
        "c6g.large",
        "c6g.xlarge",
        "c7g.xlarge",
        "m7g.large",
    ]
    """instance types in the comparison"""
    memory_sizes_mib: Annotated[list[Mib], Field(min_length=1)] = [1024, 2048, 2560, 3584, 4096, 8192]
    """task sizes in the comparison"""


class ContainerHealthCheck(Section):
    """The container's own health check: PHP, database and uploads, inside the container."""

    command: Annotated[list[str], Field(min_length=1)] = [
        "CMD-SHELL",
        "curl -fsS http://127.0.0.1/healthz/deep || exit 1",
    ]
    """CMD or CMD-SHELL, then the command's words"""
    interval_seconds: Annotated[int, Field(ge=5, le=300)] = 30
    """time between two checks"""
    timeout_seconds: Annotated[int, Field(ge=2, le=60)] = 5
    """time after which a check has failed"""
    retries: Annotated[int, Field(ge=1, le=10)] = 3
    """failures until the container is UNHEALTHY"""
    start_period_seconds: Annotated[int, Field(ge=0, le=300)] = 60
    """failures during this time do not count"""


class TaskSection(Section):
    """70_task: the task definition."""

    family: Name
    """family of the task definition"""
    container_name: Name = "slp-saas-fe-be"
    """its one container"""
    architecture: Architecture = "arm64"
    """CPU architecture of runtimePlatform; image, AMI and instance type must agree"""
    cpu_units: Annotated[int, Field(ge=128, le=196_608)] = 2048
    """1024 units are one vCPU"""
    memory_mib: Mib = 2560
    """task memory: what ECS subtracts from an instance"""
    container_memory_mib: Mib = 2048
    """hard limit: above it the container is killed"""
    container_reservation_mib: Mib = 2048
    """soft limit"""
    gpus: Count = 0
    """GPUs of the container"""
    network_mode: Literal["bridge", "awsvpc", "host", "none"] = "bridge"
    """bridge: Docker's network on the instance, a host port per task; awsvpc: an ENI and address of its own;
    host: the instance's ports; none: no network"""
    container_port: Annotated[int, Field(ge=1, le=65_535)] = 80
    """port on which nginx listens"""
    container_protocol: Literal["HTTP", "HTTPS"] = "HTTP"
    """protocol that it speaks there"""
    host_port: Port = 0
    """port of the instance in bridge mode; 0: a free one for each task"""
    uploads_volume: Literal["efs", "ebs", "host"] = "efs"
    """what holds the uploads; only efs is shared among instances"""
    volume_name: Name = "efs-uploads"
    """name of the volume in the task definition"""
    uploads_path: Annotated[str, Field(pattern=r"^/")] = "/var/www/html/wp-content/uploads"
    """where the container mounts it"""
    read_only_root: bool = True
    """the container's own file system is read-only; uploads and tmpfs are writable"""
    stop_timeout_seconds: Annotated[int, Field(ge=2, le=120)] = 60
    """time between SIGTERM and SIGKILL, for requests in flight"""
    cron_minutes: Annotated[int, Field(ge=0, le=60)] = 5
    """how often WordPress runs due cron events, on all sites, in one container at a time; 0: never"""
    open_files: Annotated[int, Field(ge=1024, le=1_048_576)] = 65_536
    """ulimit nofile"""
    log_retention_days: Literal[1, 3, 5, 7, 14, 30, 60, 90, 180, 365] = 30
    """how long CloudWatch Logs keeps the container's log"""
    health_check: ContainerHealthCheck = ContainerHealthCheck()
    """the container's own health check"""


class HealthCheck(Section):
    """The load balancer's health check of a target."""

    path: Annotated[str, Field(pattern=r"^/")] = "/VERSION.txt"
    """path that nginx itself answers whatever the Host header: a multisite would redirect"""
    interval_seconds: Annotated[int, Field(ge=5, le=300)] = 30
    """time between two checks"""
    timeout_seconds: Annotated[int, Field(ge=2, le=120)] = 5
    """time after which a check has failed"""
    healthy_count: Annotated[int, Field(ge=2, le=10)] = 5
    """successes until a target is healthy"""
    unhealthy_count: Annotated[int, Field(ge=2, le=10)] = 2
    """failures until a target is unhealthy"""


class ServiceSection(Section):
    """80_service: the load balancer, the service and its scaling."""

    name: Name
    """ECS service (replica, rolling update)"""
    vpc_name: str = ""
    """VPC of load balancer and tasks; empty: network.vpc_name"""
    desired_tasks: Count = 1
    """initial number of tasks; afterwards auto scaling decides"""
    min_tasks: Count = 1
    """minimum number of tasks for auto scaling"""
    max_tasks: Annotated[int, Field(ge=1, le=5000)] = 5
    """maximum number of tasks for auto scaling"""
    minimum_healthy_percent: Annotated[int, Field(ge=0, le=100)] = 100
    """share of the desired tasks kept running during a deployment (rounded up)"""
    maximum_percent: Annotated[int, Field(ge=100, le=400)] = 200
    """share of the desired tasks allowed during a deployment (rounded down)"""
    ecs_exec: bool = False
    """ECS Exec: a shell in a container, which holds the secrets; needs task.read_only_root false"""
    circuit_breaker: bool = True
    """give up a deployment whose tasks keep failing, and roll back"""
    placement: Literal["az_balanced_spread", "az_balanced_binpack", "binpack", "one_per_instance"] = (
        "az_balanced_spread"
    )
    """placement template, by the console's names"""
    load_balancer: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,32}$")]
    """Application Load Balancer"""
    target_group: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,32}$")]
    """target group"""
    target_protocol: Literal["HTTP", "HTTPS"] = "HTTP"
    """protocol from the load balancer to the container: TLS ends at the load balancer"""
    tls_policy: str = "ELBSecurityPolicy-TLS13-1-2-2021-06"
    """security policy of the HTTPS listener"""
    certificate_domain: str
    """domain of the existing ACM certificate, valid for every name of the service"""
    host_name: str
    """name under which the service is reached: a DNS alias to the load balancer"""
    multisite: Literal["subdomain", "subdirectory"] = "subdomain"
    """sites of the network: names below host_name, or paths of it; fixed once installed"""
    hosted_zone: str
    """existing Route 53 zone that holds that name"""
    health_check: HealthCheck = HealthCheck()
    """the load balancer's health check"""
    health_check_grace_seconds: Seconds = 120
    """time during which failing health checks do not stop a new task; AWS's default is 0"""
    deregistration_delay_seconds: Annotated[int, Field(ge=0, le=3600)] = 60
    """time for requests in flight when a target leaves; AWS's default is 300"""
    scaling_policy: Name
    """target tracking policy"""
    cpu_target_percent: Annotated[int, Field(ge=10, le=90)] = 70
    """ECSServiceAverageCPUUtilization to maintain"""
    cooldown_seconds: Seconds = 300
    """time between two scaling activities, out or in"""
    deletion_protection: bool = False
    """deletion protection of the load balancer"""
    alarms: bool = False
    """CloudWatch alarms on unhealthy targets, errors, and missing capacity"""
    alarm_topic: str = ""
    """name of an existing SNS topic that the alarms notify; empty: none"""
    stable_timeout_minutes: Annotated[int, Field(ge=1, le=120)] = 30
    """how long the runbook waits for the requested revision"""

    @property
    def names(self) -> tuple[str, ...]:
        """The names that visitors use: the host name and, for a network on subdomains, all names below it."""
        return (self.host_name, f"*.{self.host_name}") if self.multisite == "subdomain" else (self.host_name,)


class DestroySection(Section):
    """99_destroy: what may go."""

    confirm: str = ""
    """production is destroyed only with "destroy production" here"""
    delete_data: bool = False
    """delete a file system that holds data"""


class Parameters(Section):
    """Everything a run needs to know."""

    environment: Literal["staging", "production"]
    """which params file overrides base.yaml"""
    backend: Literal["local", "aws"] = "local"
    """local: the embedded AWS; aws: the account in the aws section"""
    apply: Apply = "local"
    """true: write; false: plan only; local: write on the embedded AWS only"""
    confirm: Literal["", "production"] = ""
    """production is applied only with confirm: production"""
    aws: AwsSection = AwsSection()
    start: StartSection = StartSection()
    image: ImageSection
    network: NetworkSection
    efs: EfsSection
    secrets: SecretsSection
    cluster: ClusterSection
    sizing: SizingSection = SizingSection()
    task: TaskSection
    service: ServiceSection
    destroy: DestroySection = DestroySection()

    @property
    def zones(self) -> list[str]:
        """Availability zones in use, sorted."""
        return sorted(self.network.subnets)

    @property
    def mounts_from(self) -> Literal["instances", "tasks"]:
        """Who connects to port 2049: the instance's volume driver, or in awsvpc mode the task's own ENI."""
        return "tasks" if self.task.network_mode == "awsvpc" else "instances"
