"""Tasks that are real containers, through the API: limits, secrets, shared files, ends, health, and what is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from slpnb import engine, local
from slpnb.aws import connect
from slpnb.config import load
from slpnb.engine import leftovers
from slpnb.image import emulation
from slpnb.local.containers.companions import IMAGE, ensure_image
from tests import tiny
from tests.engines import needs_engine
from tests.local.test_ecs import World
from tests.waiting import eventually

pytestmark = needs_engine
PACE = 30.0
SERVE = "mkdir -p /tmp/www && echo {0} > /tmp/www/VERSION.txt && exec httpd -f -p 80 -h /tmp/www"
EXECUTION_ROLE = "arn:aws:iam::123456789012:role/tiny-execution"


@pytest.fixture(scope="module")
def found() -> Iterator[engine.Engine]:
    with engine.find() as found:
        tiny.make(found)
        ensure_image(found)
        yield found


@pytest.fixture(scope="module")
def embedded(found: engine.Engine) -> Iterator[local.Embedded]:
    with local.start(PACE) as running:
        run = local.real(running.endpoint_url)["run"]
        yield running
    assert left(found, run) == []


class Real(World):
    """A cluster whose tasks are containers of the tiny image."""

    url = ""

    def begin(self) -> None:
        self.cluster(scaling="DISABLED", kind="c6i.xlarge")
        self.aws.sleep(120)

    def task(self, script: str, *, image: str = tiny.TINY, name: str = "web", **more: Any) -> dict[str, Any]:
        given: dict[str, Any] = {
            "memory": 64,
            "essential": True,
            "stopTimeout": 2,
            "portMappings": [{"containerPort": 80}],
            **more,
        }
        volumes = given.pop("volumes", [])
        mode = given.pop("networkMode", "bridge")
        container = {"name": name, "image": image, "command": ["sh", "-c", script], **given}
        whole = {"family": "tiny", "containerDefinitions": [container], "volumes": volumes, "networkMode": mode}
        return whole | ({"executionRoleArn": EXECUTION_ROLE} if "secrets" in given else {})

    def register(self, script: str, **more: Any) -> str:
        answer = self.ecs.register_task_definition(**self.task(script, **more))
        return str(answer["taskDefinition"]["taskDefinitionArn"])

    def run(self, script: str, **more: Any) -> str:
        """Run one task; its ARN."""
        answer = self.ecs.run_task(cluster="web", taskDefinition=self.register(script, **more))
        assert answer["failures"] == []
        return str(answer["tasks"][0]["taskArn"])

    def shown(self, arn: str) -> dict[str, Any]:
        return dict(self.ecs.describe_tasks(cluster="web", tasks=[arn])["tasks"][0])

    def until(self, arn: str, status: str) -> dict[str, Any]:
        """The task when it has this status; a task that stopped instead is shown in the failure."""
        eventually(lambda: self.shown(arn)["lastStatus"] in (status, "STOPPED"))
        shown = self.shown(arn)
        assert shown["lastStatus"] == status, (
            f"{shown.get('stoppedReason')}: {[one.get('reason') for one in shown['containers']]}"
        )
        return shown

    def ended(self, script: str, **more: Any) -> dict[str, Any]:
        return self.until(self.run(script, **more), "STOPPED")

    def loopback(self, arn: str, port: int = 80) -> str:
        return str(local.real(self.url)["tasks"][arn.rpartition("/")[2]]["ports"][str(port)])

    def container(self, client: Any, arn: str) -> Any:
        (id,) = local.real(self.url)["tasks"][arn.rpartition("/")[2]]["containers"].values()
        return client.containers.get(id)


@pytest.fixture
def real(embedded: local.Embedded) -> Real:
    local.reset(embedded.endpoint_url)
    return opened(embedded.endpoint_url)


def opened(url: str) -> Real:
    config = load("staging", {"apply": True})
    world = Real(connect(config, endpoint_url=url, sleep=lambda s: local.advance(url, s), simulated="test"))
    world.url = url
    world.begin()
    return world


def left(found: engine.Engine, run: str) -> list[str]:
    """What a run has in the engine."""
    labelled = {"filters": {"label": f"{engine.LABEL}={run}"}}
    client = found.client
    ids = [one.id for one in client.containers.list(all=True, sparse=True, **labelled)]
    return ids + [one.name for one in (*client.networks.list(**labelled), *client.volumes.list(**labelled))]


# What a task runs with


def test_a_task_runs_with_the_limits_of_its_definition(real: Real, found: engine.Engine) -> None:
    drop = {"capabilities": {"drop": ["NET_RAW"]}, "tmpfs": [{"containerPath": "/tmp", "size": 1}]}
    arn = real.run(
        "sleep 1000", memoryReservation=32, cpu=512, readonlyRootFilesystem=True, linuxParameters=drop,
        environment=[{"name": "COLOUR", "value": "green"}],
    )  # fmt: skip
    real.until(arn, "RUNNING")
    container = real.container(found.client, arn)
    settings = container.attrs["HostConfig"]
    assert (settings["Memory"], settings["MemoryReservation"]) == (64 * 1024**2, 32 * 1024**2)
    assert settings["CpuShares"] == 512
    assert "COLOUR=green" in container.attrs["Config"]["Env"]
    assert container.exec_run(["touch", "/tmp/x"]).exit_code == 0
    assert container.exec_run(["touch", "/x"]).exit_code != 0
    bits = container.exec_run(["cat", "/proc/self/status"]).output.decode().partition("CapBnd:")[2].split()[0]
    assert not int(bits, 16) & 1 << 13  # NET_RAW
    limit = container.exec_run(
        ["sh", "-c", "cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes"]
    )
    assert str(64 * 1024**2) in limit.output.decode()


def test_a_port_answers_on_the_loopback_and_only_there(real: Real, found: engine.Engine) -> None:
    arn = real.run(SERVE.format("one"))
    real.until(arn, "RUNNING")
    assert eventually(lambda: tiny.get(real.loopback(arn), "/VERSION.txt")) == (200, "one\n")
    bindings = real.container(found.client, arn).attrs["HostConfig"]["PortBindings"]["80/tcp"]
    assert [one["HostIp"] for one in bindings] == ["127.0.0.1"]


def test_secrets_are_read_by_key_and_whole(real: Real, found: engine.Engine) -> None:
    made = real.aws.client("secretsmanager").create_secret(Name="deep", SecretString=json.dumps({"word": "s3cret"}))
    secrets = [{"name": "WORD", "valueFrom": f"{made['ARN']}:word::"}, {"name": "WHOLE", "valueFrom": made["ARN"]}]
    arn = real.run("sleep 1000", secrets=secrets)
    real.until(arn, "RUNNING")
    environment = real.container(found.client, arn).exec_run(["env"]).output.decode()
    assert "WORD=s3cret\n" in environment
    assert 'WHOLE={"word": "s3cret"}\n' in environment


def test_what_a_container_writes_is_in_its_log_group(real: Real) -> None:
    logs = real.aws.client("logs")
    logs.create_log_group(logGroupName="/ecs/tiny")
    options = {"awslogs-group": "/ecs/tiny", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "p"}
    shown = real.ended("echo one; echo two >&2; exit 3", logConfiguration={"logDriver": "awslogs", "options": options})
    stream = f"p/web/{shown['taskArn'].rpartition('/')[2]}"
    events = logs.get_log_events(logGroupName="/ecs/tiny", logStreamName=stream)["events"]
    assert sorted(event["message"] for event in events) == ["one", "two"]


# Files


def files(real: Real, *, mounted: bool = True) -> dict[str, Any]:
    """A file system with an access point of user 33, as a volume."""
    efs = real.aws.client("efs")
    id = efs.create_file_system(CreationToken="t", Encrypted=True)["FileSystemId"]
    real.aws.sleep(60)
    for subnet in real.subnets if mounted else ():
        efs.create_mount_target(FileSystemId=id, SubnetId=subnet)
    owner = {"OwnerUid": 33, "OwnerGid": 33, "Permissions": "750"}
    point = efs.create_access_point(
        ClientToken="t", FileSystemId=id, PosixUser={"Uid": 33, "Gid": 33},
        RootDirectory={"Path": "/uploads", "CreationInfo": owner},
    )["AccessPointId"]  # fmt: skip
    real.aws.sleep(120)
    point_of = {"accessPointId": point, "iam": "ENABLED"}
    mount = {"fileSystemId": id, "transitEncryption": "ENABLED", "authorizationConfig": point_of}
    return {"name": "uploads", "efsVolumeConfiguration": mount}


def test_two_tasks_see_the_same_files_and_a_third_after_both(real: Real) -> None:
    mounts = {
        "volumes": [files(real)],
        "mountPoints": [{"sourceVolume": "uploads", "containerPath": "/shared"}],
        "user": "33:33",
    }
    first = real.run("echo hello > /shared/from-first; sleep 1000", **mounts)
    real.until(first, "RUNNING")
    second = real.ended("for i in 1 2 3 4 5 6 7 8 9; do test -f /shared/from-first && exit 41; sleep 1; done", **mounts)
    assert second["containers"][0]["exitCode"] == 41
    real.ecs.stop_task(cluster="web", task=first)
    real.until(first, "STOPPED")
    owned = 'test "$(stat -c %u:%a /shared)" = 33:750 && test -f /shared/from-first && exit 42'
    third = real.ended(owned, **mounts)
    assert third["containers"][0]["exitCode"] == 42


def test_a_volume_that_cannot_be_mounted_is_the_drivers_words(real: Real) -> None:
    shown = real.ended("sleep 1", volumes=[files(real, mounted=False)])
    assert shown["stopCode"] == "TaskFailedToStart"
    assert "VolumeDriver.Create: mounting volume failed: Failed to resolve" in shown["stoppedReason"]
    assert "exitCode" not in shown["containers"][0]


# Ends


def test_an_essential_container_that_ends_ends_its_task(real: Real) -> None:
    shown = real.ended("exit 7")
    assert (shown["stopCode"], shown["stoppedReason"]) == (
        "EssentialContainerExited",
        "Essential container in task exited",
    )
    assert shown["containers"][0]["exitCode"] == 7


def test_a_container_over_its_limit_is_reported_as_out_of_memory(real: Real) -> None:
    shown = real.ended("exec tail /dev/zero", memory=24)
    assert shown["stoppedReason"] == "Essential container in task exited"
    (container,) = shown["containers"]
    assert container["exitCode"] == 137
    assert container["reason"] == "OutOfMemoryError: Container killed due to memory usage"


@pytest.mark.skipif(emulation.registered("arm64"), reason="this kernel emulates arm64")
def test_an_image_for_another_machine_dies_of_exec_format_error(real: Real) -> None:
    logs = real.aws.client("logs")
    logs.create_log_group(logGroupName="/ecs/tiny")
    options = {"awslogs-group": "/ecs/tiny", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "p"}
    logging = {"logDriver": "awslogs", "options": options}
    shown = real.ended("true", image=tiny.FOREIGN, logConfiguration=logging)
    (container,) = shown["containers"]
    stream = f"p/web/{shown['taskArn'].rpartition('/')[2]}"
    said = [event["message"] for event in logs.get_log_events(logGroupName="/ecs/tiny", logStreamName=stream)["events"]]
    assert "exec format error" in " ".join([*said, container.get("reason", "")])
    assert container.get("exitCode") in (1, 255, None)


def test_a_missing_secret_is_a_resource_that_could_not_be_initialized(real: Real) -> None:
    arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:gone-AbCdEf"
    shown = real.ended("sleep 1", secrets=[{"name": "WORD", "valueFrom": arn}])
    assert shown["stopCode"] == "TaskFailedToStart"
    assert shown["stoppedReason"].startswith("ResourceInitializationError: unable to pull secrets or registry auth")
    assert "Secrets Manager can't find the specified secret" in shown["stoppedReason"]


def test_a_missing_log_group_is_the_log_drivers_words(real: Real) -> None:
    options = {"awslogs-group": "/ecs/none", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "p"}
    shown = real.ended("sleep 1", logConfiguration={"logDriver": "awslogs", "options": options})
    assert shown["stoppedReason"] == "Task failed to start"
    reason = shown["containers"][0]["reason"]
    assert reason.startswith("CannotStartContainerError: Error response from daemon: failed to create task")
    assert "The specified log group does not exist" in reason


def test_a_command_that_is_not_there_cannot_be_started(real: Real) -> None:
    shown = real.ended("", command=["/nothing"])
    assert shown["stopCode"] == "TaskFailedToStart"
    assert shown["containers"][0]["reason"].startswith("CannotStartContainerError: Error response from daemon:")


def test_a_container_that_does_not_hear_is_killed_after_its_stop_time_out(real: Real) -> None:
    arn = real.run("trap '' TERM; while true; do sleep 1; done", stopTimeout=2)
    real.until(arn, "RUNNING")
    before = time.monotonic()
    real.ecs.stop_task(cluster="web", task=arn, reason="enough")
    shown = real.until(arn, "STOPPED")
    assert time.monotonic() - before >= 2
    assert (shown["stopCode"], shown["stoppedReason"]) == ("UserInitiated", "enough")
    assert shown["containers"][0]["exitCode"] == 137
    assert "reason" not in shown["containers"][0]


def test_a_container_that_hears_ends_as_it_wants(real: Real) -> None:
    arn = real.run("trap 'exit 5' TERM; while true; do sleep 0.1; done", stopTimeout=20)
    real.until(arn, "RUNNING")
    real.ecs.stop_task(cluster="web", task=arn)
    assert real.until(arn, "STOPPED")["containers"][0]["exitCode"] == 5


# Health


def check(command: str) -> dict[str, Any]:
    return {"command": ["CMD-SHELL", command], "interval": 5, "timeout": 2, "retries": 2, "startPeriod": 0}


def test_a_services_task_with_a_failing_health_check_is_replaced(real: Real) -> None:
    definition = real.register("sleep 1000", healthCheck=check("exit 1"))
    real.serve(definition)
    stopped = eventually(lambda: real.tasks(desiredStatus="STOPPED"))
    assert stopped[0]["stoppedReason"] == "Task failed container health checks"


def test_a_task_is_healthy_when_its_check_first_passes(real: Real) -> None:
    real.serve(real.register("sleep 1; touch /tmp/ready; sleep 1000", healthCheck=check("test -f /tmp/ready")))
    real.ecs.get_waiter("services_stable").wait(cluster="web", services=["web"], WaiterConfig={"Delay": 0})
    eventually(lambda: [one["healthStatus"] for one in real.tasks()] == ["HEALTHY"])


# What is left


def test_nothing_is_left_after_a_kill(found: engine.Engine) -> None:
    with local.start(PACE) as running:
        run = leftovers.run_id(running.pid)
        world = opened(running.endpoint_url)
        world.until(world.run("sleep 1000"), "RUNNING")
        assert left(found, run)
        os.kill(running.pid, signal.SIGKILL)
        eventually(lambda: left(found, run) == [] and not leftovers.path(run).exists())


# The front door


def balanced(real: Real, *, delay: int = 20) -> str:
    """A target group behind a load balancer that ends TLS and sends everybody there."""
    made = real.elb.create_target_group(
        Name="web", Protocol="HTTP", Port=80, VpcId=real.vpc, HealthCheckPath="/VERSION.txt",
        HealthCheckIntervalSeconds=5, HealthCheckTimeoutSeconds=2, UnhealthyThresholdCount=2,
    )  # fmt: skip
    arn = str(made["TargetGroups"][0]["TargetGroupArn"])
    attributes = [{"Key": "deregistration_delay.timeout_seconds", "Value": str(delay)}]
    real.elb.modify_target_group_attributes(TargetGroupArn=arn, Attributes=attributes)
    balancer = real.elb.create_load_balancer(Name="web", Subnets=real.subnets)["LoadBalancers"][0]["LoadBalancerArn"]
    certificate = real.aws.client("acm").list_certificates()["CertificateSummaryList"][0]["CertificateArn"]
    forward = [{"Type": "forward", "TargetGroupArn": arn}]
    redirect = {"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301"}
    real.elb.create_listener(
        LoadBalancerArn=balancer, Protocol="HTTPS", Port=443, DefaultActions=forward,
        Certificates=[{"CertificateArn": certificate}],
    )  # fmt: skip
    action = [{"Type": "redirect", "RedirectConfig": redirect}]
    real.elb.create_listener(LoadBalancerArn=balancer, Protocol="HTTP", Port=80, DefaultActions=action)
    return arn


INIT = {"initProcessEnabled": True}  # hands SIGTERM on: busybox's web server then ends at once, with its requests


def serving(version: str, *, healthy: bool = True) -> str:
    """A web server whose /cgi-bin/slow takes four seconds."""
    file = "VERSION.txt" if healthy else "other.txt"
    slow = r'printf "#!/bin/sh\nsleep 4\nprintf \"Content-Type: text/plain\\\\r\\\\n\\\\r\\\\nslow\"\n"'
    return (
        f"mkdir -p /tmp/www/cgi-bin && echo {version} > /tmp/www/{file} && {slow} > /tmp/www/cgi-bin/slow"
        " && chmod 755 /tmp/www/cgi-bin/slow && exec httpd -f -p 80 -h /tmp/www"
    )


def steady(real: Real) -> None:
    """One deployment, COMPLETED: its tasks are healthy. The API's waiter looks at neither."""

    def is_steady() -> bool:
        deployments = real.service()["deployments"]
        return [one["rolloutState"] for one in deployments] == ["COMPLETED"]

    eventually(is_steady)


def door(real: Real) -> str:
    return str(local.real(real.url)["front_door"]).removeprefix("https://")


class Visitors(threading.Thread):
    """Somebody who asks for the version again and again, and remembers every answer."""

    def __init__(self, address: str) -> None:
        super().__init__(daemon=True)
        self.address, self.answers, self.over = address, [], threading.Event()

    def run(self) -> None:
        while not self.over.wait(0.02):
            self.answers.append(tiny.get(self.address, "/VERSION.txt", tls=True))

    def seen(self) -> set[Any]:
        return {answer and (answer[0], answer[1].strip()) for answer in self.answers}


def test_the_front_door_ends_tls_and_sends_clear_requests_there(real: Real) -> None:
    real.serve(real.register(serving("one"), linuxParameters=INIT), target=balanced(real))
    steady(real)
    assert tiny.get(door(real), "/VERSION.txt", tls=True) == (200, "one\n")
    clear = local.real(real.url)["front_door_clear"].removeprefix("http://")
    assert tiny.get(clear, "/VERSION.txt")[0] == 301


def test_a_rolling_update_under_load_loses_no_request(real: Real) -> None:
    real.serve(real.register(serving("one"), linuxParameters=INIT), 2, target=balanced(real))
    steady(real)
    visitors = Visitors(door(real))
    visitors.start()
    real.ecs.update_service(
        cluster="web", service="web", taskDefinition=real.register(serving("two"), linuxParameters=INIT)
    )
    steady(real)
    eventually(lambda: visitors.answers[-1] == (200, "two\n"))
    visitors.over.set()
    visitors.join()
    assert visitors.seen() == {(200, "one"), (200, "two")}
    assert len(visitors.answers) > 20


def test_a_version_that_fails_its_checks_is_never_forwarded_to_and_is_rolled_back(real: Real) -> None:
    breaker = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}
    first = real.register(serving("one"), linuxParameters=INIT)
    real.serve(first, 1, target=balanced(real), deploymentConfiguration=breaker)
    steady(real)
    visitors = Visitors(door(real))
    visitors.start()
    broken = real.register(serving("two", healthy=False), linuxParameters=INIT)
    real.ecs.update_service(cluster="web", service="web", taskDefinition=broken)
    eventually(lambda: real.service()["taskDefinition"] == first, 120)
    visitors.over.set()
    visitors.join()
    assert visitors.seen() == {(200, "one")}
    ends = {one["stoppedReason"] for one in real.tasks(desiredStatus="STOPPED")}
    assert any(end.startswith("Task failed ELB health checks in (target-group") for end in ends)
    said = " ".join(real.messages())
    assert "Health checks failed with these codes: [404]" in said


def test_a_stopping_task_finishes_the_request_that_it_has_begun(real: Real) -> None:
    real.serve(real.register(serving("one"), linuxParameters=INIT), 1, target=balanced(real))
    steady(real)
    answers: list[Any] = []
    address = door(real)
    asked = threading.Thread(target=lambda: answers.append(tiny.get(address, "/cgi-bin/slow", tls=True)))
    asked.start()
    time.sleep(0.5)  # the request is under way, and has more than three seconds to go
    real.ecs.update_service(cluster="web", service="web", desiredCount=0)
    eventually(lambda: real.service()["runningCount"] == 0)
    asked.join()
    assert answers == [(200, "slow")]


def test_the_database_of_a_secret_is_there_for_the_task(real: Real) -> None:
    host = real.aws.client("rds").describe_db_instances()["DBInstances"][0]["Endpoint"]["Address"]
    value = {"host": host, "username": "wp", "password": "p'w\\", "dbname": "site"}
    secret = real.aws.client("secretsmanager").create_secret(Name="db", SecretString=json.dumps(value))["ARN"]
    named = {"HOST": "host", "USER": "username", "PASSWORD": "password", "NAME": "dbname"}
    secrets = [{"name": name, "valueFrom": f"{secret}:{key}::"} for name, key in named.items()]
    query = 'mariadb -h "$HOST" -u "$USER" -p"$PASSWORD" "$NAME" -e "create table t (a int); insert into t values (6); select a*7 from t" | grep -q 42 && exit 43'  # noqa: E501
    shown = real.ended(query, image=IMAGE, secrets=secrets)
    assert shown["containers"][0]["exitCode"] == 43
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert "p'w" not in listed


def test_who_starts_next_removes_what_a_dead_run_left(found: engine.Engine) -> None:
    dead, living = "4194304-1", leftovers.run_id()  # no process has a number beyond the kernel's largest
    made = [
        found.client.containers.create(tiny.TINY, ["true"], labels={engine.LABEL: run}) for run in (dead, living, "x")
    ]
    leftovers.folder(dead)
    try:
        leftovers.sweep(found)
        assert left(found, dead) == []
        assert not leftovers.path(dead).exists()
        assert len(left(found, living)) == len(left(found, "x")) == 1
    finally:
        for one in made[1:]:
            leftovers.remove_container(one)


def test_a_service_without_checks_is_steady_too(real: Real) -> None:
    real.serve(real.register("sleep 1000"), 2)
    steady(real)
    assert [one["lastStatus"] for one in real.tasks()] == ["RUNNING", "RUNNING"]


def test_failing_checks_are_held_against_a_task_after_its_grace_period(real: Real) -> None:
    definition = real.register(serving("one", healthy=False), linuxParameters=INIT)
    real.serve(definition, target=balanced(real), healthCheckGracePeriodSeconds=60)
    (first,) = eventually(lambda: [one for one in real.tasks() if one["lastStatus"] == "RUNNING"])
    shown = real.until(first["taskArn"], "STOPPED")
    assert (shown["stoppingAt"] - shown["startedAt"]).total_seconds() >= 60
    assert shown["stoppedReason"].startswith("Task failed ELB health checks")
