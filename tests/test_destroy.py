from __future__ import annotations

from dataclasses import replace

import pytest

from slpnb import destroy, efs, network
from slpnb.config import load
from slpnb.errors import Refusal
from slpnb.plan import Found

UPLOADS = Found("file-system", "file system", "uploads", "fs-1", {}, "30_efs", {"bytes": 6144})


def verdicts(environment="staging", size=6144, **given):
    config = load(environment, {"destroy": given})
    return destroy.refusals(config, {"file-system": replace(UPLOADS, facts={"bytes": size})})


def test_staging_may_go_and_production_needs_its_own_confirmation():
    assert verdicts()
    with pytest.raises(Refusal, match=r'production is destroyed only with destroy.confirm "destroy production"'):
        verdicts("production").demand()
    assert not verdicts("production", confirm="production")
    assert verdicts("production", confirm="destroy production")


def test_a_file_system_that_holds_data_stays_unless_told():
    with pytest.raises(Refusal, match=r"uploads holds 1,048,576 bytes: deleted only with destroy.delete_data true"):
        verdicts(size=1_048_576).demand()
    assert verdicts(size=1_048_576, delete_data=True)
    assert verdicts(size=destroy.EMPTY_FILE_SYSTEM_BYTES)
    assert not verdicts(size=destroy.EMPTY_FILE_SYSTEM_BYTES + 1)


def test_what_there_is_is_counted_and_planned_last_made_first(aws):
    for module in (network, efs):
        module.plan(module.desired(aws.config), module.observe(aws)).apply(aws)
    counted = destroy.count(destroy.observe(aws))
    assert counted.loc["20_network", "resources"] == 3
    assert counted.loc["30_efs", "resources"] == 5
    keys = [change.key for change in destroy.plan(aws).pending]
    assert keys[-3:] == ["security-group/efs", "security-group/instances", "security-group/load-balancer"]
    targets = {"mount-target/us-east-1a", "mount-target/us-east-1b"}
    assert set(keys[:5]) == {"file-system", "file-system-policy", "access-point", *targets}
    assert not destroy.absent(aws)
    destroy.plan(aws).apply(aws)
    assert destroy.absent(aws)
    assert not destroy.plan(aws)


def test_another_environments_resources_stay(account):
    staging = account()
    network.plan(network.desired(staging.config), network.observe(staging)).apply(staging)
    from slpnb.aws import connect

    config = load("production", {"apply": True, "confirm": "production"})
    production = connect(config, endpoint_url=staging.endpoint_url, sleep=staging.sleep)
    network.plan(network.desired(config), network.observe(production)).apply(production)
    destroy.plan(production).apply(production)
    assert not network.plan(network.desired(staging.config), network.observe(staging))
