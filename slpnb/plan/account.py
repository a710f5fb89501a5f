"""The account itself: what the ARNs of things that do not exist yet are made of."""

from __future__ import annotations

from slpnb.aws import Aws
from slpnb.plan.model import Found
from slpnb.plan.values import Join, Ref


def find_account(aws: Aws) -> dict[str, Found]:
    """The caller's account. Fact: ``partition``, such as aws or aws-cn."""
    partition = aws.caller["Arn"].split(":")[1]
    return {"account": Found("account", "account", "account", aws.account_id, {}, facts={"partition": partition})}


def arn(service: str, resource: str, region: str = "") -> Join:
    """The ARN of something of this account; IAM's have no region."""
    return Join(("arn:", Ref("account", "partition"), f":{service}:{region}:", Ref("account"), f":{resource}"))
