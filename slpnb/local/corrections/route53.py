"""Route 53: a record set is created once, deleted by its own values, and can be asked for.

moto creates a second record set of the same name and type, and deletes what is not there. Messages:
Route 53 API reference, "ChangeResourceRecordSets", error InvalidChangeBatch.
"""

from __future__ import annotations

from copy import copy
from typing import Any

from moto.core.responses import ActionResult
from moto.route53 import urls
from moto.route53.models import RecordSet, Route53Backend
from moto.route53.responses import Route53

from slpnb.local.base.refusal import Refusal
from slpnb.local.base.replace import Corrected

ASTERISK = "\\052"  # how Route 53 answers it: "DNS domain name format"
NAME_SERVER = "ns-2048.awsdns-64.com"
LOAD_BALANCER_ADDRESSES = ["203.0.113.10", "203.0.113.11"]  # of RFC 5737, for documentation


class Zones(Corrected, Route53Backend):
    """moto's Route 53, with its refusals."""

    def change_resource_record_sets(self, zoneid: str, change_list: list[dict[str, Any]]) -> None:
        """As moto, once every change of the batch has been found possible."""
        for change in change_list:
            wanted = change["ResourceRecordSet"]
            wanted["Name"] = wanted["Name"].replace(ASTERISK, "*")
            found = self.record(zoneid, wanted["Name"], wanted["Type"])
            _check(change["Action"], wanted, found)
        for change in (change for change in change_list if change["Action"] == "CREATE"):
            # moto's own check takes what was created and deleted before for present if any record sorts after it.
            change["Action"] = "UPSERT"
        super().change_resource_record_sets(zoneid, change_list)

    def list_resource_record_sets(self, *asked: Any, **named: Any) -> tuple[Any, ...]:
        """As moto; names as Route 53 writes them."""
        records, *rest = super().list_resource_record_sets(*asked, **named)
        return [_written(record) for record in records], *rest

    def record(self, zone_id: str, name: str, kind: str) -> RecordSet | None:
        """The record set of this name and type; a trailing dot makes no difference."""
        for record in self.get_hosted_zone(zone_id).rrsets:
            if record.name.rstrip(".") == name.rstrip(".") and record.type == kind:
                return record
        return None


def _written(record: RecordSet) -> RecordSet:
    shown = copy(record)
    shown.name = record.name.replace("*", ASTERISK)
    return shown


def _check(action: str, wanted: dict[str, Any], found: RecordSet | None) -> None:
    """A change that cannot be made is refused; none of its batch is."""
    if why := _refusal(action, wanted, found):
        name = wanted["Name"].rstrip(".") + "."
        tried = f"Tried to {action.lower()} resource record set [name='{name}', type='{wanted['Type']}']"
        raise Refusal("InvalidChangeBatch", f"[{tried} but {why}]")


def _refusal(action: str, wanted: dict[str, Any], found: RecordSet | None) -> str:
    if action == "CREATE" and found:
        return "it already exists"
    if action == "DELETE" and not found:
        return "it was not found"
    if action == "DELETE" and found and not _same(wanted, found):
        return "the values provided do not match the current values"
    return ""


def _same(wanted: dict[str, Any], found: RecordSet) -> bool:
    if wanted.get("AliasTarget") or found.alias_target:
        return _alias(wanted.get("AliasTarget")) == _alias(found.alias_target)
    return sorted(one["Value"] for one in wanted.get("ResourceRecords", [])) == sorted(found.records)


def _alias(target: dict[str, Any] | None) -> list[str]:
    return [str((target or {}).get(key, "")).rstrip(".") for key in ("HostedZoneId", "DNSName")]


class ZonesResponse(Corrected, Route53):
    """moto's answers, and TestDNSAnswer."""

    def test_dns_answer(self) -> ActionResult:
        """What Route 53 would answer; an alias of a load balancer, its addresses."""
        zone, name, kind = (self._get_param(key) for key in ("HostedZoneId", "RecordName", "RecordType"))
        backend = self.backend
        assert isinstance(backend, Zones)  # noqa: S101
        found = backend.record(zone, name, kind)
        data = (LOAD_BALANCER_ADDRESSES if found.alias_target else list(found.records)) if found else []
        answer = {"Nameserver": NAME_SERVER, "RecordName": name, "RecordType": kind, "RecordData": data}
        return ActionResult({**answer, "ResponseCode": "NOERROR" if found else "NXDOMAIN", "Protocol": "UDP"})


urls.url_paths[r"{0}/(?P<api_version>[\d_-]+)/testdnsanswer$"] = ZonesResponse.dispatch
