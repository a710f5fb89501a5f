"""boto3 clients that talk to moto in this same process, without HTTP: how the account is seeded."""

from __future__ import annotations

from functools import cache
from typing import Any

import boto3
from botocore.config import Config
from moto.core.base_backend import BackendDict
from moto.core.botocore_stubber import BotocoreStubber
from moto.core.model_instances import reset_model_data

ACCOUNT = "123456789012"
REGION = "us-east-1"


@cache
def client(service: str) -> Any:
    """A client whose requests never leave the process."""
    made = _session().client(
        service,  # type: ignore[call-overload]
        config=Config(retries={"max_attempts": 0}, proxies={}),
    )
    stubber = BotocoreStubber()
    stubber.enabled = True
    made.meta.events.register("before-send", stubber)
    return made


@cache
def _session() -> boto3.Session:
    return boto3.Session("embedded", "embedded", region_name=REGION)


def backend(service: str) -> Any:
    """moto's own state of a service, for what no AWS call can set (a certificate that is issued)."""
    from moto.backends import get_backend

    backends: Any = get_backend(service)  # type: ignore[call-overload]
    return backends[ACCOUNT]["aws" if service in ("iam", "route53") else REGION]


def clear() -> None:
    """Forget every resource of every service."""
    for backends in BackendDict._instances:  # type: ignore[misc]
        backends.clear()
    BackendDict._instances.clear()  # type: ignore[misc]
    reset_model_data()
