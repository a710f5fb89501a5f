from __future__ import annotations

import pytest

from slpnb import network, plan as plans
from slpnb.config import load
from slpnb.errors import Refusal
from slpnb.plan import Found, resolve
from slpnb.service import domain, load_balancer as balancer
from tests.conftest import again


@pytest.fixture
def ways_in(aws):
    """A load balancer with its target group and listeners, and nothing behind it."""
    network.plan(network.desired(aws.config), network.observe(aws)).apply(aws)
    planned(aws).apply(aws)
    return aws


def observed(aws):
    return {**network.observe(aws), **domain.find_certificate(aws), **balancer.observe(aws)}


def planned(aws, want=None):
    return plans.compare(
        balancer.STEP, balancer.KINDS, balancer.desired(aws.config) if want is None else want, observed(aws)
    )


def listeners(aws):
    (found,) = aws.client("elbv2").describe_load_balancers(Names=["slp-saas-test-lb"])["LoadBalancers"]
    answer = aws.client("elbv2").describe_listeners(LoadBalancerArn=found["LoadBalancerArn"])
    return {listener["Port"]: listener for listener in answer["Listeners"]}


def test_a_second_plan_is_empty(ways_in):
    assert not planned(ways_in)


def test_https_forwards_with_the_existing_certificate(ways_in):
    https = listeners(ways_in)[443]
    (certificate,) = ways_in.client("acm").list_certificates()["CertificateSummaryList"]
    assert https["Protocol"] == "HTTPS"
    assert https["SslPolicy"] == "ELBSecurityPolicy-TLS13-1-2-2021-06"
    assert [one["CertificateArn"] for one in https["Certificates"]] == [certificate["CertificateArn"]]
    assert https["DefaultActions"][0]["Type"] == "forward"


def test_http_only_redirects(ways_in):
    (action,) = listeners(ways_in)[80]["DefaultActions"]
    assert action["Type"] == "redirect"
    assert action["RedirectConfig"]["Protocol"] == "HTTPS"
    assert action["RedirectConfig"]["StatusCode"] == "HTTP_301"


@pytest.mark.parametrize(
    ("given", "changed"),
    [
        ({"health_check": {"path": "/healthz"}}, "health_check_path: /VERSION.txt -> /healthz"),
        ({"health_check": {"interval_seconds": 15}}, "health_check_interval_seconds: 30 -> 15"),
        ({"deregistration_delay_seconds": 120}, "deregistration_delay_seconds: 60 -> 120"),
        ({"deletion_protection": True}, "deletion_protection: false -> true"),
        ({"tls_policy": "ELBSecurityPolicy-TLS13-1-3-2021-06"}, "-> ELBSecurityPolicy-TLS13-1-3-2021-06"),
    ],
)
def test_what_can_change_is_changed(ways_in, given, changed):
    aws = again(ways_in, service=given)
    plan = planned(aws)
    assert changed in repr(plan)
    plan.apply(aws)
    assert not planned(aws)


@pytest.mark.parametrize(
    ("by_hand", "changed"),
    [
        ({"HealthCheckPort": "8080"}, "health_check_port: 8080 -> traffic-port"),
        ({"HealthCheckPath": "/"}, "health_check_path: / -> /VERSION.txt"),
        ({"Matcher": {"HttpCode": "200-499"}}, "matcher: 200-499 -> 200"),
    ],
)
def test_what_someone_changed_by_hand_is_taken_back(ways_in, by_hand, changed):
    group = balancer.find_target_group(ways_in)["target-group"].id
    ways_in.client("elbv2").modify_target_group(TargetGroupArn=group, **by_hand)
    plan = planned(ways_in)
    assert changed in repr(plan)
    plan.apply(ways_in)
    assert not planned(ways_in)


def test_one_more_zone_is_one_more_subnet(ways_in):
    three = {"us-east-1a": "slp-cluster-vpc-a", "us-east-1b": "slp-cluster-vpc-b", "us-east-1c": "slp-cluster-vpc-c"}
    aws = again(ways_in, network={"subnets": three})
    plan = planned(aws)
    assert [(change.action, change.key) for change in plan.pending] == [("~", "load-balancer")]
    plan.apply(aws)
    assert not planned(aws)


@pytest.mark.parametrize(
    "given",
    [
        {"service": {"target_protocol": "HTTPS"}},
        {"service": {"load_balancer": "other-lb"}},
        {"service": {"target_group": "other-tg"}},
        {"task": {"container_port": 8080}},
        {"task": {"network_mode": "awsvpc"}},
    ],
)
def test_what_cannot_change_is_refused(ways_in, given):
    aws = again(ways_in, **given)
    with pytest.raises(Refusal, match="AWS cannot change it"):
        planned(aws)


def test_somebody_elses_target_group_of_the_same_name_has_no_step(aws):
    taken = again(aws, service={"target_group": "legacy-web"})
    found = balancer.find_target_group(taken)["target-group"]
    assert found.step == ""
    with pytest.raises(Refusal, match="target group legacy-web exists already"):
        plans.compare(balancer.STEP, balancer.KINDS, balancer.desired(taken.config), {found.key: found})


def test_another_environments_is_not_this_ones(ways_in):
    assert "load-balancer" not in balancer.find_load_balancer(again(ways_in, environment="production"))


def test_a_listener_added_by_hand_is_not_the_kits(ways_in):
    arn = listeners(ways_in)[443]["LoadBalancerArn"]
    redirect = {"Type": "redirect", "RedirectConfig": {"Protocol": "HTTPS", "StatusCode": "HTTP_301"}}
    ways_in.client("elbv2").create_listener(LoadBalancerArn=arn, Protocol="HTTP", Port=8080, DefaultActions=[redirect])
    plan = planned(ways_in, want=())
    assert "listener/8080" not in {change.key for change in plan.changes}
    plan.apply(ways_in)
    assert not balancer.observe(ways_in)


def test_destroying_goes_from_the_listeners_to_the_target_group(ways_in):
    plan = planned(ways_in, want=())
    assert [change.key for change in plan.changes] == [
        "listener/http",
        "listener/https",
        "load-balancer",
        "target-group",
    ]


def test_deletion_protection_is_lifted_before_the_load_balancer_goes(ways_in):
    aws = again(ways_in, service={"deletion_protection": True})
    planned(aws).apply(aws)
    (change,) = [change for change in planned(aws, want=()).changes if change.key == "load-balancer"]
    assert [call.operation for call in change.calls] == ["modify_load_balancer_attributes", "delete_load_balancer"]
    planned(aws, want=()).apply(aws)
    assert not balancer.observe(aws)


def test_without_an_issued_certificate_there_is_no_listener(aws):
    given = {"host_name": "saas.other.example", "hosted_zone": "other.example", "certificate_domain": "*.other.example"}
    other = again(aws, service=given)
    with pytest.raises(Refusal, match=r"no ACM certificate of \*\.other\.example in us-east-1 is ISSUED \(none"):
        domain.find_certificate(other)
    aws.client("acm").request_certificate(DomainName="*.other.example", ValidationMethod="DNS")
    with pytest.raises(Refusal, match=r"is ISSUED \(PENDING_VALIDATION\)"):
        domain.find_certificate(other)


def test_a_certificate_that_is_not_for_the_sites_is_refused(aws):
    """*.slp.example stands for one label: no site of a network on subdomains is below it."""
    new = {"host_name": "new.slp.example"}
    with pytest.raises(Refusal, match=r"not for \*\.new\.slp\.example: browsers .* service\.multisite is subdomain"):
        domain.find_certificate(again(aws, service=new))
    on_paths = again(aws, service={**new, "multisite": "subdirectory"})
    assert "*.slp.example" in domain.find_certificate(on_paths)["certificate"].attributes["names"]


@pytest.mark.parametrize(
    ("names", "host", "covered"),
    [
        (["*.slp.example"], "saas-test.slp.example", True),
        (["saas.slp.example"], "saas.slp.example", True),
        (["slp.example", "*.slp.example"], "slp.example", True),
        (["*.slp.example"], "slp.example", False),
        (["*.slp.example"], "a.b.slp.example", False),
        (["*.slp.example"], "saas.slp.example.evil", False),
        (["*.slp.example"], "*.saas.slp.example", False),
        (["*.slp.example", "*.saas.slp.example"], "*.saas.slp.example", True),
        ([], "saas.slp.example", False),
    ],
)
def test_a_wildcard_stands_for_one_label(names, host, covered):
    assert domain.covers(names, host) is covered


def test_a_hosted_zone_that_is_not_there_is_refused(aws):
    given = {"host_name": "saas.other.example", "hosted_zone": "other.example", "certificate_domain": "*.other.example"}
    with pytest.raises(Refusal, match=r"0 public hosted zones are named other\.example"):
        domain.find_hosted_zone(again(aws, service=given))


def test_plans_refer_to_what_does_not_exist_yet():
    want = {resource.key: resource for resource in balancer.desired(load("staging"))}
    have = {"vpc": Found("vpc", "VPC", "slp-cluster-vpc", "vpc-1", {})}
    assert resolve(want["target-group"], have).attributes["vpc"] == "vpc-1"
    assert str(resolve(want["listener/https"], have).attributes["load_balancer"]) == "<load-balancer>"
