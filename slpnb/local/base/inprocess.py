"""boto3 clients that talk to moto in this same process, without HTTP: how the account is seeded."""

from __future__ import annotations

from functools import cache
from typing import Any

from botocore.config import Config
from moto.core.base_backend import BackendDict
from moto.core.botocore_stubber import BotocoreStubber
from moto.core.model_instances import reset_model_data

from slpnb.aws import sealed_session

ACCOUNT = "123456789012"
REGION = "us-east-1"


@cache
def client(service: str) -> Any:
    """A client whose requests never leave the process."""
    made = sealed_session(REGION).client(
        service,  # type: ignore[call-overload]
        config=Config(retries={"max_attempts": 0}, proxies={}),
    )
    stubber = _Within()
    stubber.enabled = True
    made.meta.events.register("before-send", stubber)
    return made


class _Within(BotocoreStubber):
    """moto's answers; what moto has none for is an error here, since botocore would then send it."""

    def process_request(self, request: Any) -> Any:
        """Status, headers and body."""
        answer = super().process_request(request)
        if answer is None:
            raise RuntimeError(f"{request.url} is not moto's to answer, and nothing leaves this process")
        return answer


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
