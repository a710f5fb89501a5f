from __future__ import annotations

import json
import subprocess

import pytest

from slpnb import local, service, task
from slpnb.aws import tag_list
from slpnb.config import load
from slpnb.errors import AwsError, Refusal, VerificationError
from slpnb.plan import Found
from slpnb.plan.shown import show
from slpnb.plan.values import Ref, substitute
from slpnb.service import health, scaling, stability
from slpnb.service.alarms import ALARMS
from slpnb.steps import STEPS, step
from tests.conftest import again, cases, opened
from tests.interruption import counting, dying
from tests.plan.test_awscli import run_script

EARLIER = [step(name) for name in STEPS if name < service.STEP]
OUTCOME = "slpnb.outcome"  # a docker label by which a task of the embedded AWS is told how to behave


@pytest.fixture(scope="module")
def embedded_here():
    with local.start() as running:
        yield running


@pytest.fixture(scope="module")
def prepared(embedded_here):
    """Staging up to the task definition, made once: each test leaves it without a service."""
    aws = opened(embedded_here.endpoint_url)
    for module in EARLIER:
        module.plan(module.desired(aws.config), module.observe(aws)).apply(aws)
    return aws


@pytest.fixture
def ready(prepared):
    """Everything that the service needs, and nothing of its own."""
    yield opened(prepared.endpoint_url)
    service.plan((), service.observe(prepared)).apply(prepared)
    for arn in revisions(prepared)[1:]:
        prepared.client("ecs").deregister_task_definition(taskDefinition=arn)


@pytest.fixture
def running(ready):
    planned(ready).apply(ready)
    stability.watch(ready)
    return ready


def planned(aws):
    return service.plan(service.desired(aws.config), service.observe(aws))


def revisions(aws):
    arns = aws.client("ecs").list_task_definitions(familyPrefix=aws.config.task.family, status="ACTIVE")
    return arns["taskDefinitionArns"]


def register(aws, **outcome):
    """One more revision, whose tasks fare as told."""
    answer = aws.client("ecs").describe_task_definition(taskDefinition=revisions(aws)[-1], include=["TAGS"])
    names = {"family", "cpu", "memory", "networkMode", "volumes", "taskRoleArn", "executionRoleArn"}
    names |= {"requiresCompatibilities", "runtimePlatform", "containerDefinitions"}
    document = {name: value for name, value in answer["taskDefinition"].items() if name in names}
    document["containerDefinitions"][0]["dockerLabels"] = {OUTCOME: json.dumps(outcome)}
    aws.client("ecs").register_task_definition(**document, tags=answer["tags"])


def described(aws):
    config = aws.config
    (found,) = aws.client("ecs").describe_services(cluster=config.cluster.name, services=[config.service.name])[
        "services"
    ]
    return found


# --- what is asked for --------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", cases("service"))
def test_the_parameters_become_calls(case):
    want = service.desired(load("staging", case["given"]))
    plan = service.plan(want, {})
    calls = [call for change in plan.changes for call in change.calls if call.operation == case["operation"]]
    params = [json.loads(json.dumps(substitute(call.params, str))) for call in calls]
    assert len(params) == 1, [call.operation for call in calls]
    assert {name: params[0].get(name) for name in case["params"]} == case["params"]
    assert not set(case.get("absent", ())) & params[0].keys()


def test_what_is_made_first_is_what_the_next_needs():
    keys = [resource.key for resource in service.desired(load("production"))]
    assert keys[:5] == ["target-group", "load-balancer", "listener/https", "listener/http", "service"]
    assert keys.index("scalable-target") < keys.index("scaling-policy")
    assert keys[-2:] == ["dns-alias", "dns-alias/sites"]


def test_staging_has_no_alarms_and_production_those_whose_metrics_exist():
    def names(environment, **given):
        return {r.key.removeprefix("alarm/") for r in service.desired(load(environment, given)) if r.kind == "alarm"}

    every = {alarm.name for alarm in ALARMS}
    assert names("staging") == set()
    assert names("production") == every - {"uploads-burst-credits"}
    assert "uploads-burst-credits" in names("production", efs={"throughput_mode": "bursting"})
    assert "uploads-at-their-limit" not in names("production", efs={"performance_mode": "maxIO"})
    assert "tasks-missing" not in names("production", cluster={"container_insights": "disabled"})


def test_an_alarm_names_the_load_balancer_by_the_end_of_its_arn():
    plan = service.plan(service.desired(load("production")), {})
    (put,) = [call for change in plan.changes if change.key == "alarm/unhealthy-targets" for call in change.calls]
    arns = {
        "load-balancer": "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/slp-saas-lb/50dc6c49",
        "target-group": "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/slp-saas-tg/73e2d6bc",
    }
    dimensions = substitute(put.params["Dimensions"], lambda ref: ref.of(arns[ref.key]))
    assert {one["Name"]: one["Value"] for one in dimensions} == {
        "LoadBalancer": "app/slp-saas-lb/50dc6c49",
        "TargetGroup": "targetgroup/slp-saas-tg/73e2d6bc",
    }


def test_a_shell_names_it_by_the_end_of_its_arn_too():
    plan = service.plan(service.desired(load("production")), {})
    commands = service.part(plan, "alarm/unhealthy-targets").commands()
    arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/slp-saas-lb/50dc6c49"
    script = f'LOAD_BALANCER_ID={arn}; TARGET_GROUP_ID=x; aws() {{ printf "%s\\n" "$@"; }}; {commands}'
    shown = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout
    assert '{"Name": "LoadBalancer", "Value": "app/slp-saas-lb/50dc6c49"}' in shown


# --- applied ------------------------------------------------------------------------------------------------


def test_applied_it_runs_reads_back_and_has_nothing_left_to_do(running):
    verdicts = service.verify(running, service.desired(running.config))
    assert verdicts, verdicts.failed
    assert [v.subject for v in verdicts if v.status == "SKIP"] == ["targets in us-east-1b", "version"]
    assert not planned(running)


def test_no_id_is_ever_shown(running):
    shown = [repr(planned(running)), repr(stability.watch(running)), repr(service.verify(running, ()))]
    shown += [repr(planned(again(running, service={"max_tasks": 4}))), planned(running).commands()]
    ids = [value for found in service.observe(running).values() for value in found.identifiers() if "arn:" in value]
    assert ids
    assert not [value for value in ids for text in shown if value in text]


def test_the_desired_count_belongs_to_auto_scaling(running):
    own = {"cluster": running.config.cluster.name, "service": running.config.service.name}
    running.client("ecs").update_service(**own, desiredCount=2)
    assert not planned(running)
    stability.watch(running)
    assert service.verify(running, service.desired(running.config))


@pytest.mark.parametrize(
    ("given", "changed", "kept"),
    [
        ({"service": {"max_tasks": 4}}, "max_tasks: 5 -> 4", "service"),
        ({"service": {"cpu_target_percent": 60}}, "target_percent: 70.0 -> 60.0", "service"),
        ({"service": {"cooldown_seconds": 120}}, "scale_in_cooldown_seconds: 300 -> 120", "service"),
        ({"service": {"maximum_percent": 150}}, "maximum_percent: 200 -> 150", "scalable-target"),
        ({"service": {"placement": "binpack"}}, "zone_rebalancing: ENABLED -> DISABLED", "scalable-target"),
        ({"service": {"health_check_grace_seconds": 300}}, "health_check_grace_seconds: 120 -> 300", "target-group"),
        ({"service": {"circuit_breaker": False}}, "circuit_breaker", "scalable-target"),
        (
            {"service": {"ecs_exec": True}, "task": {"read_only_root": False}},
            "ecs_exec: false -> true",
            "scalable-target",
        ),
    ],
)
def test_what_can_change_is_changed(running, given, changed, kept):
    aws = again(running, **given)
    plan = planned(aws)
    assert changed in repr(plan)
    assert kept not in {change.key for change in plan.pending}
    plan.apply(aws)
    assert not planned(aws)


def test_a_new_revision_is_an_update_and_nothing_else(running):
    register(running)
    plan = planned(running)
    assert [change.action + change.key for change in plan.pending] == ["~service"]
    old, new = (arn.rpartition("/")[2] for arn in revisions(running))
    assert f"task_definition: {old} -> {new}" in repr(plan)
    (call,) = plan.pending[0].calls
    assert set(call.params) == {"cluster", "service", "taskDefinition"}
    plan.apply(running)
    watched = stability.watch(running)
    assert watched.task_definition == new
    assert watched.looks[0].outcome == "waiting"
    assert watched.looks[-1].outcome == "completed"
    assert not planned(running)


# --- waiting ------------------------------------------------------------------------------------------------


def test_a_rollback_is_a_failure_though_the_service_is_stable_again(running):
    register(running, fails="CannotPullContainerError: pull image manifest has been retried 1 time(s): not found")
    planned(running).apply(running)
    with pytest.raises(VerificationError) as failed:
        stability.watch(running)
    sentence = str(failed.value)
    new, old = (revisions(running)[place].rpartition("/")[2] for place in (-1, 0))
    assert f"does not run {new}: rolled back from {new} to {old}" in sentence
    assert "CannotPullContainerError" in sentence
    assert "cause: the image cannot be pulled" in sentence
    assert "arn:" not in sentence
    running.client("ecs").get_waiter("services_stable").wait(
        cluster=running.config.cluster.name, services=[running.config.service.name]
    )
    verdicts = {verdict.subject: verdict for verdict in service.verify(running, service.desired(running.config))}
    assert verdicts["deployment"].status == "NG"


def test_a_task_that_never_fits_is_said_with_the_numbers(ready):
    aws = again(ready, task={"memory_mib": 8192, "container_memory_mib": 2048}, service={"stable_timeout_minutes": 5})
    aws.client("ecs").register_task_definition(
        **oversized(aws, "8192"), tags=tag_list(aws.config.tags(task.STEP, "slp-saas-test"), "key", "value")
    )
    planned(aws).apply(aws)
    with pytest.raises(VerificationError) as failed:
        stability.watch(aws)
    sentence = str(failed.value)
    assert "after 5 minutes 0 of 1 run slp-saas-test:" in sentence
    assert "one task asks for 8192 MiB and 2048 CPU units; of 1 instance the one with the most has 7507 MiB" in sentence
    assert "cause:" in sentence


def oversized(aws, memory):
    answer = aws.client("ecs").describe_task_definition(taskDefinition=revisions(aws)[-1])["taskDefinition"]
    kept = ("family", "cpu", "networkMode", "requiresCompatibilities", "runtimePlatform", "containerDefinitions")
    kept += ("executionRoleArn", "taskRoleArn")
    return {name: answer[name] for name in (*kept, "volumes")} | {"memory": memory}


def test_progress_is_told_line_by_line(ready):
    planned(ready).apply(ready)
    told: list[str] = []
    watched = stability.watch(ready, tell=told.append)
    assert told == [f"slp-saas-test-service: {look.seen}" for look in watched.looks]
    assert len(set(told)) == len(told)


def test_without_a_service_there_is_nothing_to_wait_for(ready):
    with pytest.raises(VerificationError, match="service slp-saas-test-service is not active"):
        stability.watch(ready)


def test_a_stable_service_may_be_a_failed_release(running):
    shown = stability.as_rolled_back(stability.describe(running), "slp-saas-test:0")
    assert stability.judge(shown, "slp-saas-test:1", 1).outcome == "failed"
    assert "rolled back from slp-saas-test:1 to slp-saas-test:0" in stability.judge(shown, "slp-saas-test:1", 1).seen


# --- what is not the kit's ----------------------------------------------------------------------------------


def record(aws, **content):
    zone = service.observe(aws)["hosted-zone"].id
    changed = {"Action": "UPSERT", "ResourceRecordSet": {"Name": aws.config.service.host_name, **content}}
    aws.client("route53").change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": [changed]})


def forget(aws, **content):
    zone = service.observe(aws)["hosted-zone"].id
    changed = {"Action": "DELETE", "ResourceRecordSet": {"Name": aws.config.service.host_name, **content}}
    aws.client("route53").change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": [changed]})


@pytest.mark.parametrize(
    "content",
    [
        {"Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "198.51.100.30"}]},
        {"Type": "CNAME", "TTL": 60, "ResourceRecords": [{"Value": "www.slp.example"}]},
    ],
)
def test_somebody_elses_record_is_refused_and_never_overwritten(ready, content):
    record(ready, **content)
    with pytest.raises(Refusal, match="record that does not lead to the kit's load balancer"):
        planned(ready)
    service.plan((), service.observe(ready)).apply(ready)
    assert service.observe(ready)["dns-alias"].facts["record"]["ResourceRecords"] == content["ResourceRecords"]
    forget(ready, **content)


def test_a_record_made_in_the_meantime_is_not_overwritten_either(ready):
    plan = planned(ready)
    content = {"Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "198.51.100.30"}]}
    record(ready, **content)
    with pytest.raises(AwsError, match="change_resource_record_sets"):
        plan.apply(ready)
    assert service.observe(ready)["dns-alias"].step == ""
    forget(ready, **content)


def test_a_record_that_was_pointed_elsewhere_survives_the_destruction(running):
    content = {"Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "198.51.100.30"}]}
    record(running, **content)
    plan = service.plan((), service.observe(running))
    assert "dns-alias" not in {change.key for change in plan.changes}
    plan.apply(running)
    assert service.observe(running)["dns-alias"].facts["record"]["ResourceRecords"] == content["ResourceRecords"]
    forget(running, **content)


def test_every_site_of_a_network_on_subdomains_has_a_name(running):
    have = service.observe(running)
    assert have["dns-alias/sites"].name == "*.saas-test.slp.example"
    assert have["dns-alias/sites"].attributes == have["dns-alias"].attributes


def test_a_network_on_paths_needs_no_other_name():
    want = service.desired(load("staging", {"service": {"multisite": "subdirectory"}}))
    assert [resource.name for resource in want if resource.kind == "DNS alias"] == ["saas-test.slp.example"]


def test_a_network_that_moves_to_paths_loses_its_wildcard(running):
    aws = again(running, service={"multisite": "subdirectory"})
    (change,) = [change for change in planned(aws).changes if change.key == "dns-alias/sites"]
    assert change.action == "-"


def test_a_service_of_the_same_name_that_somebody_made_is_refused(ready):
    own = {"cluster": ready.config.cluster.name, "serviceName": ready.config.service.name}
    ready.client("ecs").create_service(**own, taskDefinition=revisions(ready)[0], desiredCount=0)
    with pytest.raises(Refusal, match="service slp-saas-test-service exists already"):
        planned(ready)
    assert not service.plan((), service.observe(ready))
    ready.client("ecs").delete_service(cluster=own["cluster"], service=own["serviceName"], force=True)


def test_a_topic_that_is_not_there_is_refused(ready):
    with pytest.raises(Refusal, match="no SNS topic is named nobody"):
        service.observe(again(ready, service={"alarm_topic": "nobody"}))


def test_alarms_notify_the_existing_topic_and_change_with_it(ready):
    aws = again(ready, service={"alarms": True, "alarm_topic": "operations"})
    planned(aws).apply(aws)
    alarms = aws.client("cloudwatch").describe_alarms(AlarmNamePrefix="slp-saas-test-unhealthy")["MetricAlarms"]
    assert [name.rpartition(":")[2] for name in alarms[0]["AlarmActions"]] == ["operations"]
    assert not planned(aws)
    quiet = again(ready, service={"alarms": True})
    assert {change.action for change in planned(quiet).pending} == {"~"}
    planned(quiet).apply(quiet)
    assert not planned(quiet)
    none = again(ready)
    assert {change.action + change.title for change in planned(none).pending} == {"-alarm"}


def test_once_made_it_can_be_destroyed_without_certificate_or_zone(running):
    given = {"host_name": "saas.other.example", "hosted_zone": "other.example", "certificate_domain": "*.other.example"}
    gone = again(running, service=given)
    have = service.observe(gone)
    assert "certificate" not in have
    assert "- ECS service slp-saas-test-service" in repr(service.plan((), have))


def test_a_service_that_is_still_draining_is_not_made_again():
    name = load("staging").service.name
    have = {"service": Found("service", "service", name, "arn:x", {}, service.STEP, {"status": "DRAINING"})}
    with pytest.raises(Refusal, match="is still DRAINING"):
        service.plan(service.desired(load("staging")), have)


# --- read back ----------------------------------------------------------------------------------------------


def test_a_closed_port_is_noticed(running):
    have = dict(service.observe(running))
    group = have["security-group/load-balancer"]
    only = [rule for rule in group.attributes["ingress"] if rule["from_port"] == 80]
    have[group.key] = Found(group.key, group.kind, group.name, group.id, {"ingress": only}, group.step)
    verdict = health.reachable(running.config, have)
    assert verdict.status == "NG"
    assert "listeners on 443 cannot be reached" in verdict.seen


@pytest.mark.parametrize(
    ("states", "desired", "statuses"),
    [
        ({"i-a": "healthy", "i-b": "healthy"}, 2, ["OK", "OK"]),
        ({"i-a": "healthy"}, 1, ["OK", "SKIP"]),
        ({"i-a": "healthy"}, 2, ["OK", "WARN"]),
        ({"i-a": "unhealthy"}, 1, ["NG", "SKIP"]),
        ({"i-a": "initial", "i-b": "healthy"}, 2, ["NG", "OK"]),
        ({}, 2, ["WARN", "WARN"]),
    ],
)
def test_targets_are_judged_zone_by_zone(states, desired, statuses):
    zones = {"i-a": "us-east-1a", "i-b": "us-east-1b"}
    targets = [{"Target": {"Id": name}, "TargetHealth": {"State": state}} for name, state in states.items()]
    found = health.targets_by_zone(load("staging"), targets, zones, desired)
    assert [verdict.status for verdict in found] == statuses


def test_a_service_with_a_launch_type_never_makes_the_group_grow(running):
    have = dict(service.observe(running))
    raw = {**have["service"].facts["described"], "launchType": "EC2", "capacityProviderStrategy": []}
    found = have["service"]
    have["service"] = Found(found.key, found.kind, found.name, found.id, {}, found.step, {"described": raw})
    assert health.capacity(have).status == "NG"
    assert health.capacity(service.observe(running)).status == "OK"


# --- interrupted, repeated by hand, destroyed ---------------------------------------------------------------


def end_state(aws):
    have = service.observe(aws)
    return {key: show(found.attributes, have) for key, found in have.items() if found.step == service.STEP}


def test_a_run_killed_after_any_write_is_finished_by_the_next(ready):
    with counting(ready) as (counted, writes):
        planned(counted).apply(counted)
    wanted = end_state(ready)
    assert len(writes) == 11
    for number in range(1, len(writes)):
        service.plan((), service.observe(ready)).apply(ready)
        with dying(ready, number) as killed:
            planned(killed).apply(killed)
        fresh = again(ready)
        planned(fresh).apply(fresh)
        assert not planned(fresh), writes[number - 1]
        assert end_state(fresh) == wanted, writes[number - 1]


def test_a_destruction_killed_after_any_write_is_finished_by_the_next(ready):
    planned(ready).apply(ready)
    with counting(ready) as (counted, writes):
        service.plan((), service.observe(counted)).apply(counted)
    for number in range(1, len(writes)):
        planned(again(ready)).apply(again(ready))
        with dying(ready, number) as killed:
            service.plan((), service.observe(killed)).apply(killed)
        service.plan((), service.observe(ready)).apply(ready)
        assert not end_state(ready), writes[number - 1]


def test_the_commands_do_what_the_plan_would(ready):
    run_script(planned(ready).commands(ids=True), ready)
    assert not planned(ready)
    stability.watch(ready)
    assert service.verify(ready, service.desired(ready.config))


def test_destroying_removes_what_was_made_in_an_order_that_works(running):
    plan = service.plan((), service.observe(running))
    assert [change.key for change in plan.changes] == [
        "scaling-policy",
        "scalable-target",
        "dns-alias/sites",
        "dns-alias",
        "service",
        "listener/http",
        "listener/https",
        "load-balancer",
        "target-group",
    ]
    plan.apply(running)
    assert not end_state(running)
    config = running.config
    tasks = running.client("ecs").list_tasks(cluster=config.cluster.name, serviceName=config.service.name)
    assert tasks["taskArns"] == []


def test_scaling_without_a_service_is_found_and_finished(running):
    """Somebody deleted the service by hand: what scaled it is still the kit's to remove."""
    own = {"cluster": running.config.cluster.name, "service": running.config.service.name}
    running.client("ecs").delete_service(**own, force=True)
    running.sleep(600)
    have = service.observe(running)
    assert "service" not in have
    assert have["scalable-target"].step == scaling.STEP
    assert "- scalable target" in repr(service.plan((), have))


def test_references_name_the_step_that_makes_them():
    want = service.desired(load("staging", {"task": {"network_mode": "awsvpc"}}))
    refs: list[Ref] = []
    substitute([resource.attributes for resource in want], refs.append)
    own = {resource.key for resource in want}
    looked_up = {"vpc", "certificate", "hosted-zone", "subnet/us-east-1a", "subnet/us-east-1b"}
    assert {ref.step for ref in refs if ref.key not in own | looked_up} == {"20_network", "50_cluster", "70_task"}
    assert Ref("task-definition", "revision", "70_task") in refs
