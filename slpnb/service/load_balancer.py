"""The entry point of 80_service: Application Load Balancer, target group, and the listeners on 443 and 80.

TLS ends at the load balancer unless the container serves it; port 80 only redirects. Source of
the rules: Elastic Load Balancing User Guide for Application Load Balancers ("Create an HTTPS
listener", "Health checks for your target groups", "Edit target group attributes"), Amazon ECS
Developer Guide ("Use an Application Load Balancer for Amazon ECS") and docs/ecs-facts.md, "Health checks and draining".
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from slpnb import network
from slpnb.aws import Aws, batches, tag_list, tag_map
from slpnb.config import Config
from slpnb.plan import Call, Found, Id, Kind, Resource, Wait, Wanted, fields
from slpnb.plan.values import Ref

STEP = "80_service"
# Connections without traffic are closed after this time; nginx must keep its own open for longer, or the
# load balancer answers 502 for a connection that the target has just closed ("HTTP 502: Bad gateway").
IDLE_TIMEOUT_SECONDS = 60
TAGS_AT_ONCE = 20  # DescribeTags takes no more ARNs
PORTS = {443: "https", 80: "http"}
TARGET_GROUP = {"protocol": "Protocol", "port": "Port", "vpc": "VpcId", "target_type": "TargetType"}
HEALTH_CHECK = {
    "health_check_protocol": "HealthCheckProtocol",
    "health_check_path": "HealthCheckPath",
    "health_check_port": "HealthCheckPort",
    "health_check_interval_seconds": "HealthCheckIntervalSeconds",
    "health_check_timeout_seconds": "HealthCheckTimeoutSeconds",
    "healthy_count": "HealthyThresholdCount",
    "unhealthy_count": "UnhealthyThresholdCount",
    "matcher": "Matcher.HttpCode",
}
# What is not in the answers but asked for, and set, one by one; values are text.
OF_TARGET_GROUP = {
    "deregistration_delay_seconds": "deregistration_delay.timeout_seconds",
    "stickiness": "stickiness.enabled",
}
OF_LOAD_BALANCER = {
    "deletion_protection": "deletion_protection.enabled",
    "drop_invalid_headers": "routing.http.drop_invalid_header_fields.enabled",
    "idle_timeout_seconds": "idle_timeout.timeout_seconds",
}


def desired(config: Config) -> Wanted:
    """Target group, load balancer and both listeners, in the order in which they can be made. Pure."""
    return (_target_group(config), _load_balancer(config), _https(config), _http(config))


def _target_group(config: Config) -> Resource:
    service, check, name = config.service, config.service.health_check, config.service.target_group
    attributes = {
        "name": name,
        "vpc": Ref("vpc"),
        "target_type": "ip" if config.task.network_mode == "awsvpc" else "instance",
        "protocol": service.target_protocol,
        "port": config.task.container_port,
        "health_check_path": check.path,
        "health_check_port": "traffic-port",
        "health_check_protocol": service.target_protocol,
        "health_check_interval_seconds": check.interval_seconds,
        "health_check_timeout_seconds": check.timeout_seconds,
        "healthy_count": check.healthy_count,
        "unhealthy_count": check.unhealthy_count,
        "matcher": "200",
        "deregistration_delay_seconds": service.deregistration_delay_seconds,
        "stickiness": False,
    }
    reason = f"tasks register here, and each is kept while {check.path} answers 200"
    return Resource("target-group", "target group", name, attributes, reason, config.tags(STEP, name))


def _load_balancer(config: Config) -> Resource:
    name = config.service.load_balancer
    attributes = {
        "name": name,
        "scheme": "internet-facing",
        "subnets": [Ref(f"subnet/{zone}") for zone in config.zones],
        "security_groups": [Ref("security-group/load-balancer", step=network.STEP)],
        "deletion_protection": config.service.deletion_protection,
        "drop_invalid_headers": True,
        "idle_timeout_seconds": IDLE_TIMEOUT_SECONDS,
    }
    reason = "the service's one address, in every zone that has tasks"
    return Resource("load-balancer", "load balancer", name, attributes, reason, config.tags(STEP, name))


def _https(config: Config) -> Resource:
    action = {"forward": Ref("target-group")}
    reason = f"TLS with the certificate of {config.service.certificate_domain}, then forwarded to the tasks"
    return _listener(config, 443, "HTTPS", Ref("certificate"), config.service.tls_policy, action, reason)


def _http(config: Config) -> Resource:
    return _listener(config, 80, "HTTP", None, None, {"redirect": "HTTPS 443 HTTP_301"}, "nothing is served in clear")


def _listener(
    config: Config, port: int, protocol: str, certificate: Any, tls_policy: Any, action: dict[str, Any], reason: str
) -> Resource:
    attributes = {
        "load_balancer": Ref("load-balancer"),
        "port": port,
        "protocol": protocol,
        "certificate": certificate,
        "tls_policy": tls_policy,
        "action": action,
    }
    name = f"{protocol} {port}"
    tags = config.tags(STEP, f"{config.service.load_balancer}-{port}")
    return Resource(f"listener/{PORTS[port]}", "listener", name, attributes, reason, tags)


# --- what AWS holds -----------------------------------------------------------------------------------------


def observe(aws: Aws) -> dict[str, Found]:
    """Target group, load balancer and its listeners: this environment's, by tag, else whatever else has those names."""
    found = find_target_group(aws) | find_load_balancer(aws)
    return found | (find_listeners(aws, found["load-balancer"].id) if "load-balancer" in found else {})


def find_target_group(aws: Aws) -> dict[str, Found]:
    """The target group of this environment; a foreign one of the same name has no step."""
    groups = aws.pages("elbv2", "describe_target_groups", "TargetGroups")
    picked = pick(groups, _steps(aws, groups, "TargetGroup"), "TargetGroup", aws.config.service.target_group)
    return {"target-group": _found_target_group(aws, *picked)} if picked else {}


def find_load_balancer(aws: Aws) -> dict[str, Found]:
    """The load balancer of this environment; a foreign one of the same name has no step."""
    balancers = aws.pages("elbv2", "describe_load_balancers", "LoadBalancers")
    picked = pick(balancers, _steps(aws, balancers, "LoadBalancer"), "LoadBalancer", aws.config.service.load_balancer)
    return {"load-balancer": _found_load_balancer(aws, *picked)} if picked else {}


Item = Mapping[str, Any]


def pick(items: Sequence[Item], steps: Mapping[str, str], kind: str, name: str) -> tuple[Item, str] | None:
    """The item that this step made, with the step's name; else the one that already has the name. Pure."""
    ours = [item for item in items if steps[item[f"{kind}Arn"]] == STEP]
    named = [item for item in items if item[f"{kind}Name"] == name]
    return next(((item, steps[item[f"{kind}Arn"]]) for item in (*ours, *named)), None)


def _steps(aws: Aws, items: Sequence[Item], kind: str) -> dict[str, str]:
    """Which step made each of these, by its tags."""
    asked = batches([item[f"{kind}Arn"] for item in items], TAGS_AT_ONCE)
    answers = (aws.pages("elbv2", "describe_tags", "TagDescriptions", ResourceArns=arns) for arns in asked)
    return {one["ResourceArn"]: aws.step_of(one.get("Tags")) for answer in answers for one in answer}


def _found_target_group(aws: Aws, group: Item, step: str) -> Found:
    name, arn = group["TargetGroupName"], group["TargetGroupArn"]
    attributes = {
        "name": name,
        **fields.read(TARGET_GROUP | HEALTH_CHECK, group),
        **_extra(OF_TARGET_GROUP, aws, "target_group", TargetGroupArn=arn),
    }
    return Found("target-group", "target group", name, arn, attributes, step)


def _found_load_balancer(aws: Aws, balancer: Item, step: str) -> Found:
    name, arn = balancer["LoadBalancerName"], balancer["LoadBalancerArn"]
    zones = sorted(balancer["AvailabilityZones"], key=lambda zone: str(zone["ZoneName"]))
    attributes = {
        "name": name,
        "scheme": balancer["Scheme"],
        "subnets": [zone["SubnetId"] for zone in zones],
        "security_groups": sorted(balancer.get("SecurityGroups", [])),
        **_extra(OF_LOAD_BALANCER, aws, "load_balancer", LoadBalancerArn=arn),
    }
    facts = {
        "dns_name": balancer["DNSName"],
        "zone_id": balancer["CanonicalHostedZoneId"],
        "state": balancer["State"]["Code"],
    }
    return Found("load-balancer", "load balancer", name, arn, attributes, step, facts)


def _extra(keys: Mapping[str, str], aws: Aws, of: str, **own: str) -> dict[str, Any]:
    values = tag_map(aws.pages("elbv2", f"describe_{of}_attributes", "Attributes", **own))
    return {name: json.loads(values.get(key, "null")) for name, key in keys.items()}


def find_listeners(aws: Aws, load_balancer: str) -> dict[str, Found]:
    """The listeners of a load balancer by port; one that was added by hand has no step."""
    listeners = aws.pages("elbv2", "describe_listeners", "Listeners", LoadBalancerArn=load_balancer)
    steps = _steps(aws, listeners, "Listener")
    found = [_found_listener(listener, steps[listener["ListenerArn"]]) for listener in listeners]
    return {listener.key: listener for listener in sorted(found, key=lambda one: -int(one.attributes["port"]))}


def _found_listener(listener: Item, step: str) -> Found:
    port, certificates = listener["Port"], listener.get("Certificates") or [{}]
    attributes = {
        "load_balancer": listener["LoadBalancerArn"],
        "port": port,
        "protocol": listener["Protocol"],
        "certificate": certificates[0].get("CertificateArn"),
        "tls_policy": listener.get("SslPolicy") if listener["Protocol"] == "HTTPS" else None,
        "action": _found_action(listener["DefaultActions"][0]),
    }
    key, name = f"listener/{PORTS.get(port, port)}", f"{listener['Protocol']} {port}"
    return Found(key, "listener", name, listener["ListenerArn"], attributes, step)


def _found_action(action: Item) -> dict[str, Any]:
    if action["Type"] == "redirect":
        to = action["RedirectConfig"]
        return {"redirect": f"{to.get('Protocol', '#{protocol}')} {to.get('Port', '#{port}')} {to['StatusCode']}"}
    groups = action.get("ForwardConfig", {}).get("TargetGroups", [{}])
    return {action["Type"]: action.get("TargetGroupArn") or groups[0].get("TargetGroupArn")}


# --- how each kind is written -------------------------------------------------------------------------------


def _create_target_group(resource: Resource) -> list[Call]:
    attributes = resource.attributes
    params = {
        "Name": attributes["name"],
        **fields.write(TARGET_GROUP, attributes),
        "HealthCheckEnabled": True,
        **fields.write(HEALTH_CHECK, attributes),
        "Tags": tag_list(resource.tags),
    }
    create = Call("elbv2", "create_target_group", params, {"id": "TargetGroups[0].TargetGroupArn"})
    return [create, _set_target_group(Ref(resource.key), attributes)]


def _set_target_group(own: Id, attributes: Mapping[str, Any]) -> Call:
    params = {"TargetGroupArn": own, "Attributes": _pairs(OF_TARGET_GROUP, attributes)}
    return Call("elbv2", "modify_target_group_attributes", params)


def _pairs(keys: Mapping[str, str], attributes: Mapping[str, Any]) -> list[dict[str, str]]:
    return tag_list({key: json.dumps(attributes[name]) for name, key in keys.items()})


def _update_target_group(resource: Resource, found: Found, changed: frozenset[str]) -> Iterator[Call]:
    if changed & HEALTH_CHECK.keys():
        params = {"TargetGroupArn": found.id, **fields.write(HEALTH_CHECK, resource.attributes)}
        yield Call("elbv2", "modify_target_group", params)
    if changed & OF_TARGET_GROUP.keys():
        yield _set_target_group(found.id, resource.attributes)


def _delete_target_group(found: Found) -> list[Call]:
    return [Call("elbv2", "delete_target_group", {"TargetGroupArn": found.id}, gone=ABSENT)]


ABSENT = ("LoadBalancerNotFound", "TargetGroupNotFound", "ListenerNotFound")


def _create_load_balancer(resource: Resource) -> list[Call]:
    attributes, own = resource.attributes, Ref(resource.key)
    params = {
        "Name": attributes["name"],
        "Type": "application",
        "Scheme": attributes["scheme"],
        "IpAddressType": "ipv4",
        "Subnets": attributes["subnets"],
        "SecurityGroups": attributes["security_groups"],
        "Tags": tag_list(resource.tags),
    }
    binds = {
        "id": "LoadBalancers[0].LoadBalancerArn",
        "dns_name": "LoadBalancers[0].DNSName",
        "zone_id": "LoadBalancers[0].CanonicalHostedZoneId",
    }
    ready = Wait(
        "describe_load_balancers", {"LoadBalancerArns": [own]}, "LoadBalancers[0].State.Code", "active", ("failed",)
    )
    return [Call("elbv2", "create_load_balancer", params, binds, ready), _set_load_balancer(own, attributes)]


def _set_load_balancer(own: Id, attributes: Mapping[str, Any]) -> Call:
    params = {"LoadBalancerArn": own, "Attributes": _pairs(OF_LOAD_BALANCER, attributes)}
    return Call("elbv2", "modify_load_balancer_attributes", params)


def _update_load_balancer(resource: Resource, found: Found, changed: frozenset[str]) -> Iterator[Call]:
    attributes, own = resource.attributes, {"LoadBalancerArn": found.id}
    if "subnets" in changed:
        yield Call("elbv2", "set_subnets", {**own, "Subnets": attributes["subnets"]})
    if "security_groups" in changed:
        yield Call("elbv2", "set_security_groups", {**own, "SecurityGroups": attributes["security_groups"]})
    if changed & OF_LOAD_BALANCER.keys():
        yield _set_load_balancer(found.id, attributes)


def _delete_load_balancer(found: Found) -> Iterator[Call]:
    own = {"LoadBalancerArn": found.id}
    if found.attributes["deletion_protection"]:
        lift = tag_list({"deletion_protection.enabled": "false"})
        yield Call("elbv2", "modify_load_balancer_attributes", {**own, "Attributes": lift}, gone=ABSENT)
    left = Wait("describe_load_balancers", {"LoadBalancerArns": [found.id]}, "length(LoadBalancers)", 0)
    yield Call("elbv2", "delete_load_balancer", own, wait=left, gone=ABSENT)


def _create_listener(resource: Resource) -> list[Call]:
    attributes = resource.attributes
    params = {"LoadBalancerArn": attributes["load_balancer"], **_listens(attributes), "Tags": tag_list(resource.tags)}
    return [Call("elbv2", "create_listener", params, {"id": "Listeners[0].ListenerArn"})]


def _update_listener(resource: Resource, found: Found, _changed: frozenset[str]) -> list[Call]:
    return [Call("elbv2", "modify_listener", {"ListenerArn": found.id, **_listens(resource.attributes)})]


def _listens(attributes: Mapping[str, Any]) -> dict[str, Any]:
    params = {"Protocol": attributes["protocol"], "Port": attributes["port"]}
    if attributes["certificate"] is not None:
        certificates = [{"CertificateArn": attributes["certificate"]}]
        params |= {"SslPolicy": attributes["tls_policy"], "Certificates": certificates}
    return params | {"DefaultActions": [_action(attributes["action"])]}


def _action(action: Mapping[str, Any]) -> dict[str, Any]:
    if "redirect" in action:
        protocol, port, code = action["redirect"].split()
        return {"Type": "redirect", "RedirectConfig": {"Protocol": protocol, "Port": port, "StatusCode": code}}
    return {"Type": "forward", "TargetGroupArn": action["forward"]}


def _delete_listener(found: Found) -> list[Call]:
    return [Call("elbv2", "delete_listener", {"ListenerArn": found.id}, gone=ABSENT)]


KINDS: dict[str, Kind] = {
    "target group": Kind(
        "target group",
        _create_target_group,
        _delete_target_group,
        _update_target_group,
        fixed=frozenset({"name", *TARGET_GROUP}),
    ),
    "load balancer": Kind(
        "load balancer",
        _create_load_balancer,
        _delete_load_balancer,
        _update_load_balancer,
        fixed=frozenset({"name", "scheme"}),
    ),
    "listener": Kind(
        "listener", _create_listener, _delete_listener, _update_listener, fixed=frozenset({"load_balancer", "port"})
    ),
}
