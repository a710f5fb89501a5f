"""The embedded AWS as a process: started once, shared, told the time, and never left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import pytest
from botocore.exceptions import ClientError

from slpnb import local
from slpnb.aws import connect
from slpnb.config import load
from slpnb.local.server import main as server_module
from slpnb.local.server.front import ApiRequest, called, is_write
from slpnb.local.server.watch import Attached
from slpnb.repository import ROOT

CLIENT = "from slpnb import local; e = local.ensure(); print(e.pid, e.endpoint_url, e.fresh, flush=True); input()"
PATIENCE_SECONDS = 30


class Client:
    """A process that asks for the embedded AWS and then waits, as a kernel does."""

    def __init__(self, state: Path, **environment: str) -> None:
        own = {"SLPNB_LOCAL_ENDPOINT": "", "JPY_PARENT_PID": "", **environment}
        self.process = subprocess.Popen(
            [sys.executable, "-c", CLIENT],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "SLPNB_STATE": str(state), **own},
        )

    def answer(self) -> tuple[psutil.Process, str, bool]:
        assert self.process.stdout
        pid, endpoint, fresh = self.process.stdout.readline().split()
        return psutil.Process(int(pid)), endpoint, fresh == "True"

    def end(self, number: int = signal.SIGTERM) -> None:
        self.process.send_signal(number)
        self.process.communicate()


@pytest.fixture
def clients(tmp_path: Path) -> Iterator[Callable[..., Client]]:
    started: list[Client] = []

    def make(**environment: str) -> Client:
        started.append(Client(tmp_path, **environment))
        return started[-1]

    yield make
    for client in started:
        if client.process.poll() is None:
            client.end(signal.SIGKILL)


def gone(process: psutil.Process) -> bool:
    """Wait for the end of a process that is not ours to reap."""
    _, alive = psutil.wait_procs([process], timeout=PATIENCE_SECONDS)
    return not alive


def test_two_kernels_that_start_at_once_share_one_and_it_ends_with_the_last(clients, tmp_path):
    first, second = clients(), clients()
    (server, endpoint, fresh), (again, same, _) = first.answer(), second.answer()
    assert (server.pid, endpoint) == (again.pid, same)
    assert fresh
    first.end(signal.SIGKILL)
    late = clients()
    assert late.answer()[1] == endpoint
    second.end()
    assert local.health(endpoint)["untouched"]
    late.end(signal.SIGKILL)
    assert gone(server)
    assert not (tmp_path / "simulated.json").exists()


def test_it_lives_as_long_as_whoever_started_the_kernel(clients):
    parent = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    kernel = clients(JPY_PARENT_PID=str(parent.pid))
    server, endpoint, _ = kernel.answer()
    kernel.end(signal.SIGKILL)
    assert local.health(endpoint)["pid"] == server.pid
    parent.kill()  # and left unreaped: a zombie is not alive
    assert gone(server)
    parent.communicate()


def test_a_state_file_that_names_nothing_alive_is_no_obstacle(clients, tmp_path):
    stale = {"endpoint": "http://127.0.0.1:9", "pid": 1}
    (tmp_path / "simulated.json").write_text(json.dumps(stale))
    server, endpoint, _ = clients().answer()
    assert json.loads((tmp_path / "simulated.json").read_text()) == {"endpoint": endpoint, "pid": server.pid}


def test_who_opts_out_of_containers_shares_none_with_who_does_not(clients, tmp_path):
    (tmp_path / "path").mkdir()  # no engine is found there
    without, with_engine = clients(), clients(SLPNB_ENGINE="", PATH=str(tmp_path / "path"), DOCKER_HOST="unix:///none")
    (_, simulated, _), (_, other, _) = without.answer(), with_engine.answer()
    assert simulated != other
    assert "tasks are simulated (SLPNB_ENGINE is none)" in local.health(simulated)["describe"]
    assert "(no container engine responds: not Docker, Podman or Finch)" in local.health(other)["describe"]


def test_an_engine_that_is_none_is_refused_in_a_sentence(monkeypatch, tmp_path):
    monkeypatch.setenv("SLPNB_LOCAL_ENDPOINT", "")
    monkeypatch.setenv("SLPNB_STATE", str(tmp_path))
    monkeypatch.setenv("SLPNB_ENGINE", "rkt")
    with pytest.raises(local.EmbeddedError, match=r"did not start: SLPNB_ENGINE is rkt; it must be docker"):
        local.ensure()


def test_start_stops_what_it_started(embedded):
    with local.start() as own:
        assert own.fresh
        assert own.pid != embedded.pid
        process = psutil.Process(own.pid)
    assert not process.is_running()
    with pytest.raises(local.EmbeddedError, match="does not answer"):
        local.health(own.endpoint_url)


def test_the_endpoint_of_the_environment_is_used_or_refused(embedded, monkeypatch):
    monkeypatch.setenv("SLPNB_LOCAL_ENDPOINT", embedded.endpoint_url)
    assert local.ensure().pid == embedded.pid
    monkeypatch.setenv("SLPNB_LOCAL_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(local.EmbeddedError, match=r"127\.0\.0\.1:9 does not answer"):
        local.ensure()


def test_another_server_is_not_taken_for_it(embedded):
    with pytest.raises(local.EmbeddedError):
        local.health(embedded.endpoint_url + "/moto-api")


def test_a_server_that_cannot_start_says_why(monkeypatch, tmp_path):
    monkeypatch.setenv("SLPNB_LOCAL_ENDPOINT", "")
    monkeypatch.setenv("SLPNB_STATE", str(tmp_path))
    (tmp_path / "moto-0.dist-info").mkdir()
    (tmp_path / "moto-0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: moto\nVersion: 0\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(local.EmbeddedError, match=r"corrects moto 5.2.5, but 0 is installed"):
        local.ensure()


def test_the_moto_that_is_corrected_is_the_moto_that_is_required():
    project = (ROOT / "pyproject.toml").read_text()
    assert f'"moto[server]=={server_module.MOTO_VERSION}"' in project


def test_reads_leave_it_untouched_and_writes_are_counted(aws, embedded):
    url = embedded.endpoint_url
    aws.client("ec2").describe_vpcs()
    aws.client("efs").describe_file_systems()
    aws.client("ecr").get_authorization_token()
    aws.client("route53").list_hosted_zones()
    assert local.health(url)["untouched"]
    assert local.writes(url) == 0
    aws.client("efs").create_file_system(CreationToken="x")
    with pytest.raises(ClientError):
        aws.client("ec2").delete_security_group(GroupId="sg-0123456789abcdef0")
    assert not local.health(url)["untouched"]
    assert local.writes(url) == 2
    local.reset(url)
    assert local.health(url)["untouched"]
    assert len(aws.client("efs").describe_file_systems()["FileSystems"]) == 2


FORM = {"CONTENT_TYPE": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize(
    ("environ", "body", "call", "write"),
    [
        ({"HTTP_X_AMZ_TARGET": "X.PutImage"}, b"{}", ApiRequest("s", "PutImage", "json"), True),
        (FORM, b"Action=RunTask", ApiRequest("s", "RunTask", "xml"), True),
        (FORM, b"Action=GetRole", ApiRequest("s", "GetRole", "xml"), False),
        ({"REQUEST_METHOD": "GET", "PATH_INFO": "/x"}, b"", ApiRequest("s", "Get /x", "json"), False),
        ({"REQUEST_METHOD": "PUT", "PATH_INFO": "/x"}, b"", ApiRequest("s", "PUT /x", "json"), True),
    ],
)
def test_a_call_is_known_in_each_protocol(environ, body, call, write):
    signed = {"HTTP_AUTHORIZATION": "AWS4-HMAC-SHA256 Credential=k/20260302/us-east-1/s/aws4_request, Signature=x"}
    found = called({**signed, **environ}, body)
    assert found == call
    assert is_write(found) is write


def test_time_passes_at_once_and_in_order(embedded):
    local.reset(embedded.endpoint_url)
    local.advance(embedded.endpoint_url, 3600)
    assert local.health(embedded.endpoint_url)["seconds"] == 3600


def test_a_snapshot_shows_what_was_added_and_is_the_same_again_when_it_is_gone(aws, embedded):
    def held() -> dict[str, list[str]]:
        return local.snapshot(embedded.endpoint_url)

    before = held()
    vpc = json.loads(next(line for line in before["ec2 describe_vpcs"] if "slp-cluster-vpc" in line))["VpcId"]
    group = aws.client("ec2").create_security_group(GroupName="x", Description="x", VpcId=vpc)["GroupId"]
    key = aws.client("kms").create_key()["KeyMetadata"]["KeyId"]
    secret = aws.client("secretsmanager").create_secret(Name="x", SecretString="x")["ARN"]
    during = held()
    changed = {name for name in before if before[name] != during[name]}
    assert changed == {"ec2 describe_security_groups", "kms list_keys", "secretsmanager list_secrets"}
    aws.client("ec2").delete_security_group(GroupId=group)
    aws.client("kms").schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    aws.client("secretsmanager").delete_secret(SecretId=secret, RecoveryWindowInDays=7)
    assert held() == before


def test_the_account_holds_what_the_parameters_look_up(account):
    for environment in ("staging", "production"):
        aws = account(environment)
        config = aws.config
        vpcs = aws.pages("ec2", "describe_vpcs", f"Vpcs[?Tags[?Value=='{config.network.vpc_name}']]")
        assert [(v["CidrBlock"], v["InstanceTenancy"]) for v in vpcs] == [("172.30.0.0/16", "default")]
        subnets = aws.pages("ec2", "describe_subnets", "Subnets", Filters=[by("vpc-id", vpcs[0]["VpcId"])])
        names = {s["AvailabilityZone"]: s["Tags"][0]["Value"] for s in subnets}
        assert config.network.subnets.items() <= names.items()
        database = aws.read("rds", "describe_db_instances", DBInstanceIdentifier=config.secrets.database_instance)
        assert database["DBInstances"][0]["DBSubnetGroup"]["VpcId"] == vpcs[0]["VpcId"]
        certificates = aws.pages("acm", "list_certificates", "CertificateSummaryList[].[DomainName, Status]")
        assert [config.service.certificate_domain, "ISSUED"] in certificates
        zones = aws.pages("route53", "list_hosted_zones", "HostedZones[].Name")
        assert config.service.hosted_zone + "." in zones
        assert not aws.pages("ecr", "describe_repositories", "repositories[?starts_with(repositoryName, 'slp')]")


def by(name: str, *values: str) -> dict[str, Any]:
    return {"Name": name, "Values": list(values)}


def test_the_public_subnets_reach_the_internet(aws):
    tables = aws.pages(
        "ec2", "describe_route_tables", "RouteTables", Filters=[by("tag:Name", "slp-cluster-vpc-public")]
    )
    routes = {route["DestinationCidrBlock"]: route.get("GatewayId", "") for route in tables[0]["Routes"]}
    assert routes["0.0.0.0/0"].startswith("igw-")
    assert len([a for a in tables[0]["Associations"] if a.get("SubnetId")]) == 3


def test_a_client_imports_nothing_of_the_server():
    code = (
        "import sys; from slpnb import local; print(sorted({'moto', 'werkzeug', 'flask', 'boto3'} & set(sys.modules)))"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_it_answers_only_on_the_loopback_address(embedded):
    listening = [c for c in psutil.Process(embedded.pid).net_connections() if c.status == psutil.CONN_LISTEN]
    assert {c.laddr.ip for c in listening} == {"127.0.0.1"}


def test_an_unknown_route_is_not_found(embedded):
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(f"{embedded.endpoint_url}/slpnb/nothing")


def test_an_aws_of_the_kit_waits_on_the_embedded_clock(embedded):
    url = embedded.endpoint_url
    local.reset(url)
    aws = connect(load("staging"), endpoint_url=url, sleep=lambda seconds: local.advance(url, seconds))
    aws.sleep(12.5)
    assert local.health(url)["seconds"] == 12.5


def test_a_proxy_of_the_environment_is_not_asked_for_the_loopback_address(embedded, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert local.health(embedded.endpoint_url)["pid"] == embedded.pid
    assert connect(load("staging"), endpoint_url=embedded.endpoint_url).account_id == "123456789012"


def test_nobody_attaches_to_a_server_that_is_about_to_stop():
    attached, stopped = Attached(), threading.Event()
    attached.then(stopped.set)  # nothing is attached: it is over at once
    assert stopped.wait(PATIENCE_SECONDS)
    assert attached.add(os.getpid()) is False


def test_a_failure_of_the_front_is_told(embedded):
    with pytest.raises(local.EmbeddedError, match=r"failed in advance: ValueError"):
        local.advance(embedded.endpoint_url, "soon")  # type: ignore[arg-type]
