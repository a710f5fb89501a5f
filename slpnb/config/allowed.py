"""The texts that AWS allows where a parameter names something, each as a pattern and in words.

A parameter has its pattern from here, and so has the planned request that its value ends in
(`slpnb.plan.documented`). Patterns are of the kind that Python and the JSON schema of an editor read alike;
a test holds them equal to botocore's service models.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Text:
    """A pattern that must match a whole text, and what it allows, in words that follow "must be"."""

    pattern: str
    words: str

    def allows(self, text: str) -> bool:
        """Whether AWS takes this text. Pure."""
        return re.fullmatch(self.pattern, text) is not None


# Amazon ECS API Reference: CreateCluster, CreateService, RegisterTaskDefinition, CreateCapacityProvider
ECS_NAME = Text(r"[A-Za-z0-9_-]{1,255}", "up to 255 letters, digits, hyphens and underscores")
CAPACITY_PROVIDER = Text(
    r"(?!aws|ecs|fargate)[A-Za-z0-9_-]{1,255}", f"{ECS_NAME.words}, not beginning with aws, ecs or fargate"
)
# The strictest of what is named after it: the IAM role <prefix>-execution has at most 64 characters.
PREFIX = Text(
    r"(?!aws|ecs|fargate)[A-Za-z0-9_-]{1,54}",
    "up to 54 letters, digits, hyphens and underscores, not beginning with aws, ecs or fargate: "
    "roles and a capacity provider are named after it",
)
CONTAINER_PATH = Text(
    r"(/(?!\.\.?(/|$))[A-Za-z0-9_.-]+)+",
    "a folder below /, such as /var/www/html, of letters, digits and _ . -",
)

# Amazon EC2 API Reference: CreateSecurityGroup, IpRange, UserIdGroupPair; EC2 Auto Scaling: CreateAutoScalingGroup
_GROUP = r"[A-Za-z0-9 ._:/()#,@\[\]+=;{}!$*-]"
_GROUP_WORDS = "letters, digits, spaces and . _ - : / ( ) # , @ [ ] + = ; { } ! $ *"
GROUP_NAME = Text(rf"(?!sg-){_GROUP}{{1,255}}", f"up to 255 {_GROUP_WORDS}, not beginning with sg-")
GROUP_DESCRIPTION = Text(rf"{_GROUP}{{0,255}}", f"up to 255 {_GROUP_WORDS}")
LAUNCH_TEMPLATE = Text(r"[A-Za-z0-9()./_-]{3,128}", "3 to 128 letters, digits and ( ) . / _ -")
AUTO_SCALING_GROUP = Text(r"[!-9;-~]{1,255}", "up to 255 ASCII characters without spaces and colons")

# Elastic Load Balancing API Reference: CreateLoadBalancer, CreateTargetGroup
TARGET_GROUP = Text(
    r"(?!-)[A-Za-z0-9-]{1,32}(?<!-)", "up to 32 letters, digits and hyphens, with no hyphen at either end"
)
LOAD_BALANCER = Text(rf"(?!internal-){TARGET_GROUP.pattern}", f"{TARGET_GROUP.words}, not beginning with internal-")
HEALTH_CHECK_PATH = Text(r"/[!-~]{0,1023}", "a path such as /VERSION.txt, up to 1024 ASCII characters without spaces")

# AWS KMS: CreateAlias; AWS Secrets Manager: CreateSecret; Amazon RDS: CreateDBInstance; MySQL 8.0 Reference
# Manual, 11.2
KMS_ALIAS = Text(
    r"alias/(?!aws/)[A-Za-z0-9/_-]{1,250}",
    "alias/ and up to 250 letters, digits, hyphens, underscores and slashes, not beginning with alias/aws/",
)
SECRET = Text(r"[A-Za-z0-9/_+=.@-]{1,512}", "up to 512 letters, digits and / _ + = . @ -")
DATABASE_INSTANCE = Text(
    r"(?=.{1,63}$)[A-Za-z](-?[A-Za-z0-9])*",
    "up to 63 letters, digits and single hyphens, beginning with a letter and not ending with a hyphen",
)
DATABASE_NAME = Text(r"[A-Za-z0-9_]{1,64}", "up to 64 letters, digits and underscores")
DATABASE_USER = Text(r"[A-Za-z0-9_]{1,32}", "up to 32 letters, digits and underscores")

# Amazon ECR: CreateRepository, PutImage; OCI image specification 1.1 (digests)
REPOSITORY = Text(
    r"(?=.{2,256}$)[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*",
    "2 to 256 lower-case letters and digits, with a . _ - or / between them",
)
TAG = Text(
    r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", "up to 128 letters, digits and . _ -, beginning with a letter, digit or _"
)
DIGEST = Text(r"sha256:[0-9a-f]{64}", "sha256: and 64 hexadecimal digits in lower case")

# Amazon EFS API Reference, RootDirectory; of its characters those that need no quoting
DIRECTORY = Text(
    r"(?=.{1,100}$)(/|(/(?!\.)[A-Za-z0-9_.-]+){1,4})",
    "/ or up to four folders such as /a/b/c/d, at most 100 letters, digits and / _ . -, none beginning with .",
)
PERMISSIONS = Text(r"0?[0-7]{3}", "three octal digits, such as 0755")

# Amazon Route 53 Developer Guide, "DNS domain name format"; RFC 1123: what browsers take as a host name
_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
DOMAIN = Text(
    rf"(?=.{{1,253}}$){_LABEL}(\.{_LABEL})*",
    "a domain name such as www.example.com, in lower case, without a dot at the end",
)
CERTIFICATE = Text(rf"(?=.{{1,253}}$)(\*\.)?{_LABEL}(\.{_LABEL})*", f"{DOMAIN.words}, or such a name with *. before it")
RECORD = CERTIFICATE

# Amazon SNS: CreateTopic; AWS Systems Manager: GetParameter; AWS General Reference (accounts, Regions and zones)
TOPIC = Text(r"[A-Za-z0-9_-]{0,256}", "up to 256 letters, digits, hyphens and underscores")
SSM_PARAMETER = Text(r"[A-Za-z0-9_.:/-]{0,2048}", "up to 2048 letters, digits and . _ - / :")
ACCOUNT = Text(r"([0-9]{12})?", "twelve digits")
REGION = Text(r"[a-z]{2}(-[a-z]+)+-[0-9]{1,2}", "a Region such as us-east-1")
ZONE = Text(rf"{REGION.pattern}[a-z]", "an availability zone such as us-east-1a")
NAME = Text(
    r"[A-Za-z0-9][A-Za-z0-9/_.-]{0,126}",
    "up to 127 letters, digits and / _ . -, beginning with a letter or digit",
)
NAME_OR_NONE = Text(rf"({NAME.pattern})?", f"{NAME.words}, or empty")

# Elastic Load Balancing User Guide for Application Load Balancers, "Security policies for your Application Load
# Balancer", read in November 2026
TlsPolicy = Literal[
    "ELBSecurityPolicy-TLS13-1-3-PQ-2025-09",
    "ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09",
    "ELBSecurityPolicy-TLS13-1-2-PQ-2025-09",
    "ELBSecurityPolicy-TLS13-1-2-Ext1-PQ-2025-09",
    "ELBSecurityPolicy-TLS13-1-2-Ext2-PQ-2025-09",
    "ELBSecurityPolicy-TLS13-1-0-PQ-2025-09",
    "ELBSecurityPolicy-TLS13-1-3-2021-06",
    "ELBSecurityPolicy-TLS13-1-2-Res-2021-06",
    "ELBSecurityPolicy-TLS13-1-2-2021-06",
    "ELBSecurityPolicy-TLS13-1-2-Ext1-2021-06",
    "ELBSecurityPolicy-TLS13-1-2-Ext2-2021-06",
    "ELBSecurityPolicy-TLS13-1-1-2021-06",
    "ELBSecurityPolicy-TLS13-1-0-2021-06",
    "ELBSecurityPolicy-TLS13-1-3-FIPS-PQ-2025-09",
    "ELBSecurityPolicy-TLS13-1-2-Res-FIPS-PQ-2025-09",
    "ELBSecurityPolicy-TLS13-1-2-FIPS-PQ-2025-09",
    "ELBSecurityPolicy-TLS13-1-2-Ext0-FIPS-PQ-2025-09",
    "ELBSecurityPolicy-TLS13-1-2-Ext1-FIPS-PQ-2025-09",
    "ELBSecurityPolicy-TLS13-1-2-Ext2-FIPS-PQ-2025-09",
    "ELBSecurityPolicy-TLS13-1-0-FIPS-PQ-2025-09",
    "ELBSecurityPolicy-TLS13-1-3-FIPS-2023-04",
    "ELBSecurityPolicy-TLS13-1-2-Res-FIPS-2023-04",
    "ELBSecurityPolicy-TLS13-1-2-FIPS-2023-04",
    "ELBSecurityPolicy-TLS13-1-2-Ext0-FIPS-2023-04",
    "ELBSecurityPolicy-TLS13-1-2-Ext1-FIPS-2023-04",
    "ELBSecurityPolicy-TLS13-1-2-Ext2-FIPS-2023-04",
    "ELBSecurityPolicy-TLS13-1-1-FIPS-2023-04",
    "ELBSecurityPolicy-TLS13-1-0-FIPS-2023-04",
    "ELBSecurityPolicy-TLS13-1-3-RFC9151-FIPS-2023-07",
    "ELBSecurityPolicy-TLS13-1-2-RFC9151-FIPS-2023-07",
    "ELBSecurityPolicy-TLS13-1-2-Ext0-RFC9151-FIPS-2023-07",
    "ELBSecurityPolicy-TLS13-1-2-RFC9151-INTEROP1-FIPS-2023-07",
    "ELBSecurityPolicy-TLS13-1-2-RFC9151-INTEROP2-FIPS-2023-07",
    "ELBSecurityPolicy-TLS13-1-2-RFC9151-INTEROP3-FIPS-2023-07",
    "ELBSecurityPolicy-TLS13-1-2-RFC9151-INTEROP4-FIPS-2023-07",
    "ELBSecurityPolicy-FS-1-2-Res-2020-10",
    "ELBSecurityPolicy-FS-1-2-Res-2019-08",
    "ELBSecurityPolicy-FS-1-2-2019-08",
    "ELBSecurityPolicy-FS-1-1-2019-08",
    "ELBSecurityPolicy-FS-2018-06",
    "ELBSecurityPolicy-TLS-1-2-Ext-2018-06",
    "ELBSecurityPolicy-TLS-1-2-2017-01",
    "ELBSecurityPolicy-TLS-1-1-2017-01",
    "ELBSecurityPolicy-2016-08",
]
