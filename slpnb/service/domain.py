"""The names of 80_service: the existing certificate and hosted zone, and the DNS aliases to the load balancer.

A network on subdomains has a name for every site, and users create sites at any time: one wildcard alias points
them all to the load balancer, and the certificate must be valid for them. Route 53 records carry no tags. An
alias is the kit's when it leads to the kit's own load balancer; any other record of the name is somebody
else's, and is neither changed nor deleted. Source of the rules: Amazon Route 53 Developer Guide ("Values
specific for alias records", "Routing traffic to an ELB load balancer", "DNS domain name format"), AWS
Certificate Manager API Reference (ListCertificates), WordPress Advanced Administration Handbook ("Create A
Network").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from slpnb.aws import Aws
from slpnb.config import Config
from slpnb.errors import Refusal
from slpnb.plan import Call, Found, Kind, Resource, Wait, Wanted
from slpnb.plan.values import Ref

KEY_ALGORITHMS = ("RSA_2048", "RSA_3072", "RSA_4096", "EC_prime256v1", "EC_secp384r1")  # what a listener accepts


def desired(config: Config) -> Wanted:
    """An alias from each of the service's names to its load balancer. Pure."""
    return tuple(_alias(key, name) for key, name in _possible(config).items() if name in config.service.names)


def _possible(config: Config) -> dict[str, str]:
    """Every name that the service may have had, by the key of its alias: a network may once have used subdomains."""
    host = config.service.host_name
    return {"dns-alias": host, "dns-alias/sites": f"*.{host}"}


def _alias(key: str, name: str) -> Resource:
    attributes = {
        "type": "A",
        "hosted_zone": Ref("hosted-zone"),
        "load_balancer": Ref("load-balancer"),
        "evaluate_target_health": True,
    }
    of_sites = "every site of the network, including future ones; " if name.startswith("*.") else ""
    reason = f"{of_sites}an alias follows the load balancer's addresses, which change"
    return Resource(key, "DNS alias", name, attributes, reason)


def observe(aws: Aws, load_balancer: Found | None, zone: Found | None) -> dict[str, Found]:
    """The records of the service's names, each the kit's if it points to ``load_balancer`` and the kit made that."""
    if zone is None:
        return {}
    looked = {key: _record(aws, zone, name) for key, name in _possible(aws.config).items()}
    return {key: _found(key, record, load_balancer, zone) for key, record in looked.items() if record}


def _record(aws: Aws, zone: Found, name: str) -> Mapping[str, Any] | None:
    start = {"StartRecordName": name, "StartRecordType": "A", "MaxItems": "3"}
    answer = aws.read("route53", "list_resource_record_sets", HostedZoneId=zone.id, **start)
    records = [one for one in answer["ResourceRecordSets"] if _plain(one["Name"]) == name]
    return next((one for one in records if one["Type"] in ("A", "CNAME")), None)


def _found(key: str, record: Mapping[str, Any], load_balancer: Found | None, zone: Found) -> Found:
    name, alias = _plain(record["Name"]), record.get("AliasTarget", {})
    target = _plain(alias.get("DNSName", "")).removeprefix("dualstack.")
    own = load_balancer is not None and target == _plain(load_balancer.facts["dns_name"])
    attributes = {
        "type": record["Type"],
        "hosted_zone": zone.id,
        "load_balancer": load_balancer.id if load_balancer and own else target,
        "evaluate_target_health": alias.get("EvaluateTargetHealth", False),
    }
    step = load_balancer.step if load_balancer and own else ""
    return Found(key, "DNS alias" if step else "DNS record", name, name, attributes, step, {"record": record})


def _plain(name: str) -> str:
    """A DNS name as people write it. Route 53 adds a dot and writes * as \\052; a load balancer's has capitals."""
    return name.rstrip(".").lower().replace("\\052", "*")


def find_hosted_zone(aws: Aws) -> dict[str, Found]:
    """The existing public hosted zone. Raises `Refusal` when none has the name, or more than one does."""
    name = aws.config.service.hosted_zone
    zones = aws.pages("route53", "list_hosted_zones", "HostedZones")
    public = [one for one in zones if _plain(one["Name"]) == name and not one["Config"].get("PrivateZone")]
    if len(public) != 1:
        raise Refusal(f"{len(public)} public hosted zones are named {name} (service.hosted_zone); there must be one")
    identifier = public[0]["Id"].removeprefix("/hostedzone/")
    return {"hosted-zone": Found("hosted-zone", "hosted zone", name, identifier, {"name": name})}


def find_certificate(aws: Aws) -> dict[str, Found]:
    """The existing ACM certificate of service.certificate_domain: of those for all names, the one valid longest.

    Raises `Refusal` when none of this region is ISSUED, for a listener takes no other, and when none
    is valid for every name of the service, for browsers would refuse the others.
    """
    domain, issued = aws.config.service.certificate_domain, _issued(aws)
    valid = [one for one in issued if not uncovered(_names(one), aws.config)]
    if not valid:
        raise Refusal(_not_for_all(aws.config, issued))
    chosen = max(valid, key=lambda one: (str(one.get("NotAfter", "")), one["CertificateArn"]))
    names = {"names": _names(chosen)}
    return {"certificate": Found("certificate", "ACM certificate", domain, chosen["CertificateArn"], names)}


def _issued(aws: Aws) -> list[dict[str, Any]]:
    domain = aws.config.service.certificate_domain
    # ListCertificates leaves out every key but RSA_2048's unless it is asked for them.
    listed = aws.pages(
        "acm", "list_certificates", "CertificateSummaryList", Includes={"keyTypes": list(KEY_ALGORITHMS)}
    )
    details = [_certificate(aws, one["CertificateArn"]) for one in listed if one["DomainName"] == domain]
    issued = [one for one in details if one["Status"] == "ISSUED"]
    if not issued:
        states = ", ".join(sorted(one["Status"] for one in details)) or "none exists"
        raise Refusal(
            f"no ACM certificate of {domain} in {aws.region} is ISSUED ({states}); an HTTPS listener needs it"
        )
    return issued


def _names(certificate: Mapping[str, Any]) -> list[str]:
    return sorted({certificate["DomainName"], *certificate.get("SubjectAlternativeNames", [])})


def _not_for_all(config: Config, issued: Sequence[Mapping[str, Any]]) -> str:
    missing = sorted({name for one in issued for name in uncovered(_names(one), config)})
    names = sorted({name for one in issued for name in _names(one)})
    network = f"; service.multisite is {config.service.multisite}" if any(name[0] == "*" for name in missing) else ""
    return (
        f"the ACM certificate of {config.service.certificate_domain} is for {', '.join(names)}, not for "
        f"{', '.join(missing)}: browsers would refuse it; request one for {', '.join(config.service.names)}{network}"
    )


def _certificate(aws: Aws, arn: str) -> dict[str, Any]:
    answer = aws.read("acm", "describe_certificate", CertificateArn=arn)
    return dict(answer["Certificate"])


def covers(names: Sequence[str], host: str) -> bool:
    """Whether a certificate for these names covers a host: a wildcard stands for one label (RFC 6125). Pure."""
    return any(name == host or (name.startswith("*.") and name[2:] == host.partition(".")[2]) for name in names)


def uncovered(names: Sequence[str], config: Config) -> list[str]:
    """The service's names that a certificate for these names does not cover. Pure."""
    return [name for name in config.service.names if not covers(names, name)]


# --- how it is written --------------------------------------------------------------------------------------


def _create(resource: Resource) -> list[Call]:
    # CREATE, not UPSERT: a record that someone made in the meantime must not be overwritten.
    return [_change("CREATE", resource)]


def _update(resource: Resource, _found: Found, _changed: frozenset[str]) -> list[Call]:
    return [_change("UPSERT", resource)]


def _change(action: str, resource: Resource) -> Call:
    alias = {
        "HostedZoneId": Ref("load-balancer", "zone_id"),
        "DNSName": Ref("load-balancer", "dns_name"),
        "EvaluateTargetHealth": resource.attributes["evaluate_target_health"],
    }
    record = {"Name": resource.name, "Type": resource.attributes["type"], "AliasTarget": alias}
    return _submit(resource.key, resource.attributes["hosted_zone"], action, record)


def _submit(key: str, zone: Any, action: str, record: Mapping[str, Any]) -> Call:
    """One change of a record, and the wait until all of Route 53's name servers have it."""
    batch = {"Changes": [{"Action": action, "ResourceRecordSet": record}]}
    params = {"HostedZoneId": zone, "ChangeBatch": batch}
    in_sync = Wait("get_change", {"Id": Ref(key, "change")}, "ChangeInfo.Status", "INSYNC")
    return Call("route53", "change_resource_record_sets", params, {"change": "ChangeInfo.Id"}, in_sync)


def _delete(found: Found) -> list[Call]:
    # Route 53 deletes only a record that is given exactly as it is.
    return [_submit(found.key, found.attributes["hosted_zone"], "DELETE", found.facts["record"])]


KINDS: dict[str, Kind] = {
    "DNS alias": Kind("DNS alias", _create, _delete, _update, fixed=frozenset({"hosted_zone"})),
}
