"""00_start: who is calling, what exists, and every refusal that follows, before anything is created.

Nothing is written here. What a later step would refuse for reasons that the parameters and the
account already show is refused now: the research notebook's first two attempts failed hours
later, for reasons that were there from the beginning.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from slpnb import catalog, cluster, efs, image, secrets, sizing
from slpnb.aws import Aws, observation
from slpnb.config import Config, given, lay_over, load
from slpnb.errors import AwsError, Refusal
from slpnb.plan import Found, Observed
from slpnb.start import contradictions
from slpnb.steps import STEPS, step
from slpnb.verdict import Verdict, Verdicts, ng, ok, skip, warn


@dataclass(frozen=True)
class Survey:
    """What all steps find together: every resource, and what should exist and does not."""

    found: Observed
    missing: Verdicts


@observation
def survey(aws: Aws) -> Survey:
    """Let each step observe, and collect what it finds; a missing prerequisite is a verdict, not an abort."""
    found: dict[str, Found] = {}
    missing: list[Verdict] = []
    for name in STEPS:
        try:
            found |= step(name).observe(aws)
        except Refusal as refusal:
            missing.append(ng(f"{name} looks up what exists", str(refusal)))
    if "database" not in found:  # 40_secrets works without it, so that it can be destroyed when the database is gone
        name = aws.config.secrets.database_instance
        missing.append(
            ng("40_secrets looks up what exists", f"no RDS instance is named {name} (secrets.database_instance)")
        )
    return Survey(found, Verdicts.of(dict.fromkeys(missing)))


def caller(aws: Aws) -> pd.DataFrame:
    """Whose credentials these are: what (index), value; the account number masked but for its last digits."""
    identity = aws.caller
    kind = identity["Arn"].split(":")[5].split("/")[0]
    rows = [
        ("account", "•" * 8 + identity["Account"][-4:]),
        ("caller", kind),
        ("region", aws.region),
        ("environment", aws.config.environment),
        ("AWS", aws.simulated or "the real one"),
    ]
    return pd.DataFrame(rows, columns=["what", "value"]).set_index("what")


def existing(survey: Survey) -> pd.DataFrame:
    """What was there before the kit, found by name: key (index), kind, name. It is used and never changed. Pure."""
    rows = [
        (found.key, found.kind, found.name)
        for found in survey.found.values()
        if not found.step and found.kind != "account"
    ]
    return pd.DataFrame(sorted(rows), columns=["key", "kind", "name"]).set_index("key")


def made(survey: Survey) -> pd.DataFrame:
    """What the kit made already for this environment: step (index), resources. Pure."""
    counts = [(name, sum(found.step == name for found in survey.found.values())) for name in STEPS]
    return pd.DataFrame(counts, columns=["step", "resources"]).set_index("step")


def compute_choices() -> pd.DataFrame:
    """Where ECS can run containers: choice (index), servers, shared uploads, price of idle, for the kit. Pure."""
    rows = [
        ("ec2", "yours, in an Auto Scaling group", "EFS", "per instance", "chosen: built here"),
        ("fargate", "none to look after", "EFS", "per vCPU and GiB of the task", "not built"),
        (
            "external",
            "yours, anywhere (ECS Anywhere)",
            "none from AWS; no load balancer",
            "per agent hour",
            "not built",
        ),
    ]
    columns = ["choice", "servers", "shared uploads", "priced", "this kit"]
    return pd.DataFrame(rows, columns=columns).set_index("choice")


@dataclass(frozen=True)
class Quota:
    """A service quota worth knowing, and what the parameters need of it."""

    service: str
    code: str
    meaning: str
    needed: int


def quotas(config: Config) -> tuple[Quota, ...]:
    """The quotas that a plan of this size can meet (Service Quotas console; codes are AWS's). Pure."""
    vcpus = catalog.instance_type(config.cluster.instance_type).vcpus * config.cluster.max_instances
    tasks = config.service.max_tasks * config.service.maximum_percent // 100
    return (
        Quota("ec2", "L-1216C47A", "vCPUs of running on-demand standard instances", vcpus),
        Quota("ecs", "L-46458851", "tasks of one service", tasks),
        Quota("elasticloadbalancing", "L-7E6692B2", "targets of one Application Load Balancer", tasks),
    )


def quota_verdicts(aws: Aws) -> Verdicts:
    """Compare each quota with what the parameters need at their largest."""
    return Verdicts.of(_quota(aws, quota) for quota in quotas(aws.config))


def _quota(aws: Aws, quota: Quota) -> Verdict:
    params = {"ServiceCode": quota.service, "QuotaCode": quota.code}
    absent = ("NoSuchResourceException",)
    try:
        answer = aws.read("service-quotas", "get_service_quota", absent=absent, **params)
        answer = answer or aws.read("service-quotas", "get_aws_default_service_quota", absent=absent, **params)
    except AwsError as error:
        return skip(quota.meaning, f"{quota.needed} needed at most; how many are allowed: {error.brief}")
    if not answer:
        return skip(quota.meaning, f"{quota.needed} needed at most; AWS does not say how many are allowed")
    allowed = int(answer["Quota"]["Value"])
    seen = f"{quota.needed} needed at most, {allowed} allowed"
    if allowed < quota.needed:
        return ng(quota.meaning, f"{seen}: request an increase ({quota.code}) before anything is created")
    return ok(quota.meaning, seen) if allowed >= 2 * quota.needed else warn(quota.meaning, f"{seen}: little room")


def what_if(config: Config, *assignments: str) -> Config:
    """The same parameters with some overridden, such as "task.memory_mib=8192", to see what would be refused."""
    return load(config.environment, lay_over(config.model_dump(), given(assignments)))


# What the account shows, in what a step observes before it has made anything.
OBSERVED = {
    image.STEP: image.agreement,
    efs.STEP: efs.resolvable,
    secrets.STEP: secrets.roles.attachable,
    cluster.STEP: cluster.preflight,
}

# Subjects that two rooms check. The verdict of the room listed here is dropped: sizing has the numbers, 30_efs each
# zone, and 10_image, where the account can be asked, all four sides.
SAID_BETTER = {contradictions: ("memory", "architecture", "port 2049"), sizing: ("GPU",)}
ASKED_BETTER = ("architecture",)


def refusals(config: Config, survey: Survey) -> Verdicts:
    """Every reason not to begin that the parameters and the account already show, each given once. Pure."""
    if survey.missing.failed:
        return survey.missing + predictable(config)
    asked = sum((check(config, survey.found) for check in OBSERVED.values()), survey.missing)
    return asked + _without(predictable(config), ASKED_BETTER)


def predictable(config: Config) -> Verdicts:
    """Every reason not to begin that the parameters alone show, each given once. Pure."""
    checks = (
        _without(sizing.refusals(config), SAID_BETTER[sizing]),
        _without(contradictions.check(config), SAID_BETTER[contradictions]),
        efs.preflight(config),
    )
    return sum(checks, Verdicts())


def demand(config: Config, step: str, have: Observed) -> None:
    """Before a step writes, with what it observed: raise the `Refusal` that `refusals` would give. Pure."""
    if step in OBSERVED:
        OBSERVED[step](config, have).demand()
    predictable(config).demand()


def _without(verdicts: Verdicts, subjects: tuple[str, ...]) -> Verdicts:
    return Verdicts.of(verdict for verdict in verdicts if verdict.subject not in subjects)
