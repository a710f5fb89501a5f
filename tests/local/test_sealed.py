"""The embedded AWS is sealed: nothing that the caller has set for AWS reaches it, and nothing leaves the machine."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import boto3
import pytest
from botocore.configprovider import BOTOCORE_DEFAUT_SESSION_VARIABLES, DEFAULT_S3_CONFIG_VARS

from slpnb import local
from slpnb.repository import ROOT
from tests.conftest import opened

SERVICES = ("EC2", "ECS", "EFS", "ELASTIC_LOAD_BALANCING_V2", "IAM", "KMS", "RDS", "ROUTE_53", "SSM", "STS")
PROXIES = ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")
MORE = ("AWS_REGION", "AWS_ACCOUNT_ID", "AWS_CREDENTIAL_FILE", "AWS_LAMBDA_FUNCTION_NAME", "AWS_EXECUTION_ENV")


class Sink(ThreadingHTTPServer):
    """Another emulator, which counts what arrives."""

    def __init__(self) -> None:
        sink, self.asked = self, list[str]()

        class Handler(BaseHTTPRequestHandler):
            def handle_one_request(self) -> None:
                sink.asked.append(self.rfile.readline().decode(errors="replace"))
                self.close_connection = True

        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@pytest.fixture
def sink() -> Iterator[Sink]:
    with Sink() as made:
        threading.Thread(target=made.serve_forever, daemon=True).start()
        yield made
        made.shutdown()


@pytest.fixture
def hostile(sink: Sink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Every variable that botocore knows, set to nonsense; every way to another endpoint, to the sink."""
    variables = [*BOTOCORE_DEFAUT_SESSION_VARIABLES.values(), *DEFAULT_S3_CONFIG_VARS.values()]
    named = [name for _, names, *_ in variables for name in ([names] if isinstance(names, str) else names or ())]
    folder = tmp_path / ".aws"
    (folder / "models" / "ec2" / "2099-01-01").mkdir(parents=True)
    (folder / "models" / "ec2" / "2099-01-01" / "service-2.json").write_text("no model")
    for file in (folder / "config", folder / "credentials"):
        file.write_text("[default\nregion =")
    environ = {
        **dict.fromkeys([*named, *MORE], "nosuch"),
        **dict.fromkeys(["AWS_ENDPOINT_URL", *(f"AWS_ENDPOINT_URL_{name}" for name in SERVICES), *PROXIES], sink.url),
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false",
        "AWS_CONFIG_FILE": str(folder / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "credentials"),
        "HOME": str(tmp_path),
        "NO_PROXY": "",
        "no_proxy": "",
    }
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    return environ


def test_the_sink_is_what_an_unsealed_client_reaches(sink, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_EC2", sink.url)
    with pytest.raises(Exception, match="Connection was closed"):
        boto3.Session("key", "secret", region_name="us-east-1").client("ec2").describe_vpcs()
    assert sink.asked


@pytest.mark.usefixtures("hostile")
def test_no_setting_of_the_callers_reaches_the_seed_or_a_client(sink):
    with local.start() as embedded:
        aws = opened(embedded.endpoint_url)
        assert aws.account_id == "123456789012"
        assert "slp-cluster-vpc" in str(aws.pages("ec2", "describe_vpcs", "Vpcs[].Tags"))
        assert len(aws.pages("rds", "describe_db_instances", "DBInstances")) == 2
        aws.client("ec2").create_security_group(GroupName="x", Description="x")
        local.snapshot(embedded.endpoint_url)
    assert sink.asked == []


def test_no_setting_of_the_callers_reaches_a_run(hostile, sink, tmp_path):
    command = [sys.executable, "-m", "slpnb", "run", "staging", "--only", "network", "--simulate"]
    environ = {**os.environ, **hostile, "SLPNB_LOCAL_ENDPOINT": ""}
    done = subprocess.run(
        [*command, "--runs", str(tmp_path / "runs")], cwd=ROOT, env=environ, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "staging: 1 of 1 notebooks finished, 1 applied its plan" in done.stdout
    assert sink.asked == []
