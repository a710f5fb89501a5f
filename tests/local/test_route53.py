"""The embedded Route 53 goes by name and type, as AWS does."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from slpnb.aws import error_code

ADDRESS = {"Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "198.51.100.30"}]}
OTHER = {"Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "198.51.100.31"}]}


@pytest.fixture
def change(aws):
    (zone,) = aws.client("route53").list_hosted_zones()["HostedZones"]

    def submit(action, content):
        changes = [{"Action": action, "ResourceRecordSet": {"Name": "new.slp.example", **content}}]
        aws.client("route53").change_resource_record_sets(HostedZoneId=zone["Id"], ChangeBatch={"Changes": changes})

    return submit


@pytest.mark.parametrize("written", ["*.new.slp.example", r"\052.new.slp.example"])
def test_a_wildcard_is_answered_as_route_53_writes_it(aws, change, written):
    (zone,) = aws.client("route53").list_hosted_zones()["HostedZones"]
    change("CREATE", {"Name": "*.new.slp.example", **ADDRESS})
    listed = aws.client("route53").list_resource_record_sets(HostedZoneId=zone["Id"])["ResourceRecordSets"]
    assert r"\052.new.slp.example." in [one["Name"] for one in listed]
    change("DELETE", {"Name": written, **ADDRESS})
    change("CREATE", {"Name": "*.new.slp.example", **ADDRESS})


def test_what_was_deleted_can_be_created_again(change):
    for action in ("CREATE", "DELETE", "CREATE"):
        change(action, ADDRESS)


def test_what_exists_is_not_created_again_with_other_values(change):
    change("CREATE", ADDRESS)
    with pytest.raises(ClientError) as refused:
        change("CREATE", OTHER)
    assert error_code(refused.value) == "InvalidChangeBatch"
