"""The boundary with AWS: one session, one place that knows the endpoint, and the guard before writes.

Steps read through `Aws.read` and `Aws.pages`, which send nothing that writes; only
`slpnb.plan.apply` does. No other module asks for a boto3 client. What looks at AWS as a whole is an
`observation`, within which nothing is asked twice: docs/decisions/observations.md.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, cached_property, partial, wraps
from threading import Lock
from typing import Any, Concatenate, ParamSpec, TypeVar

import boto3
import jmespath
from botocore import xform_name
from botocore.config import Config as BotoConfig
from botocore.exceptions import BotoCoreError, ClientError
from botocore.loaders import Loader
from botocore.session import Session as BotoSession

from slpnb.config import Config
from slpnb.errors import AwsError, GuardError
from slpnb.observation import Observation, side_by_side

RETRIES = BotoConfig(
    retries={"mode": "adaptive", "max_attempts": 10}, connect_timeout=10, read_timeout=60, max_pool_connections=50
)
TAG_ENVIRONMENT = "slpnb:environment"
TAG_STEP = "slpnb:step"
# How a read's name begins
READING = ("batch_get_", "describe_", "filter_", "get_", "head_", "list_", "lookup_", "simulate_")
# What IAM calls a service, where that is not boto3's name (Service Authorization Reference)
IAM_PREFIXES = {
    "efs": "elasticfilesystem",
    "elbv2": "elasticloadbalancing",
    "resourcegroupstaggingapi": "tag",
    "service-quotas": "servicequotas",
}
DENIED = ("AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation")
PERFORM = re.compile(r"not authorized to perform: ([\w-]+:\w+)")  # it may be another one than the call's: iam:PassRole
T = TypeVar("T")
P = ParamSpec("P")
Tags = Iterable[Mapping[str, str]] | Mapping[str, str]


@dataclass
class Aws:
    """A guarded view of one account and region.

    ``sleep`` is how waiting passes time: the embedded AWS advances its own clock instead.
    ``simulated`` says in words what stands in for AWS; empty on real AWS. ``front_door`` gives
    the address, such as https://127.0.0.1:8443, that stands in for the load balancer; empty when
    there is none: on the real AWS, and where tasks are simulated. ``preflight`` is asked before a
    step's first write, with what the step observed, and raises `Refusal` if it must not begin.
    """

    config: Config
    session: boto3.Session
    endpoint_url: str | None = None
    sleep: Callable[[float], None] = time.sleep
    simulated: str = ""
    front_door: Callable[[], str] = str
    preflight: Callable[[str, Mapping[str, Any]], object] = lambda _step, _observed: None
    _clients: dict[str, Any] = field(default_factory=dict, repr=False)
    _making: Lock = field(default_factory=Lock, repr=False)  # a session makes one client at a time
    _observation: Observation = field(default_factory=Observation, repr=False)
    _observing: bool = field(default=False, repr=False)

    def client(self, service: str) -> Any:
        """The boto3 client of a service, made once, with adaptive retries; no proxy sees the embedded AWS."""
        with self._making:
            if service not in self._clients:
                self._clients[service] = self._new_client(service)
            return self._clients[service]

    def _new_client(self, service: str) -> Any:
        client = self.session.client(
            service,  # type: ignore[call-overload]
            region_name=self.config.aws.region,
            endpoint_url=self.endpoint_url,
            config=RETRIES.merge(BotoConfig(proxies={})) if self.endpoint_url else RETRIES,
        )
        client.meta.events.register("before-call", self._forget_at_a_write)
        return client

    def _forget_at_a_write(self, model: Any, **_: Any) -> None:
        if not xform_name(model.name).startswith(READING):
            self._observation = Observation()

    def wait(self, seconds: float) -> None:
        """Let time pass; afterwards nothing need be as it was read before."""
        self.sleep(seconds)
        self._observation = Observation()

    def nothing_written(self) -> None:
        """A plan was applied and wrote nothing: who goes on with what was observed for it need not ask again."""
        self._observation.handed_on = True

    @contextmanager
    def observing(self, reader: Hashable = None) -> Iterator[None]:
        """Within the block no read is sent twice, unless a write or a wait lies between; inner blocks belong to it.

        With a ``reader`` it goes on with the last observation where that holds (`Observation.holds_for`).
        """
        outermost = not self._observing
        if outermost and not (reader and self._observation.holds_for(reader)):
            self._observation = Observation()
        self._observing = True
        try:
            yield
        finally:
            self._observing = not outermost

    def together(self, *questions: Callable[[Aws], T]) -> list[T]:
        """What each of these finds, in their order; they are asked side by side, and must not need each other."""
        return side_by_side([partial(question, self) for question in questions])

    def read(self, service: str, operation: str, *, absent: Iterable[str] = (), **params: Any) -> dict[str, Any]:
        """Call a reading operation; an empty answer when AWS answers one of the ``absent`` error codes.

        Only those codes mean absent: anything else raises `AwsError`, a denied call too.
        """
        _demand_reading(operation)
        with _errors_in_words(service, operation, absent):
            return self._once(partial(getattr(self.client(service), operation), **params), service, operation, params)
        return {}

    def pages(self, service: str, operation: str, path: str, *, absent: Iterable[str] = (), **params: Any) -> list[Any]:
        """Everything at ``path`` (JMESPath) of a listing operation, over all its pages."""
        _demand_reading(operation)
        client = self.client(service)
        if not client.can_paginate(operation):
            return jmespath.search(path, self.read(service, operation, absent=absent, **params)) or []
        with _errors_in_words(service, operation, absent):
            paginator = client.get_paginator(operation)
            pages = self._once(lambda: list(paginator.paginate(**params)), "pages", service, operation, params)
            return [item for page in pages for item in jmespath.search(path, page) or []]
        return []

    def _once(self, ask: Callable[[], T], *question: Any) -> T:
        """Ask, unless the observation has the answer; outside of one every question is sent."""
        if not self._observing:
            return ask()
        return self._observation.once(json.dumps(question, sort_keys=True, default=str), ask)

    @cached_property
    def caller(self) -> Mapping[str, str]:
        """Account and ARN that the credentials belong to."""
        return self.read("sts", "get_caller_identity")

    @property
    def account_id(self) -> str:
        """The caller's account."""
        return self.caller["Account"]

    @property
    def region(self) -> str:
        """The region in the parameters, which the guard has compared with the session's."""
        return self.config.aws.region

    def step_of(self, tags: Tags | None) -> str:
        """The step that made a resource for this environment, by its tags; empty when the kit did not."""
        known = tag_map(tags)
        return known.get(TAG_STEP, "") if known.get(TAG_ENVIRONMENT) == self.config.environment else ""

    def may_write(self, confirm: str = "") -> tuple[bool, str]:
        """Whether a plan may be applied now, and the reason in words.

        ``apply: local`` writes on the embedded AWS only; production needs its confirmation
        everywhere.
        """
        config = self.config
        if config.apply is False or (config.apply == "local" and config.backend != "local"):
            return False, f"apply is {str(config.apply).lower()}"
        if config.environment == "production" and "production" not in (confirm, config.confirm):
            return False, 'production is applied only with confirm = "production"'
        return True, "apply"


def observation(ask: Callable[Concatenate[Aws, P], T]) -> Callable[Concatenate[Aws, P], T]:
    """Mark what asks for the present state of things: it begins an observation (`Aws.observing`)."""

    @wraps(ask)
    def asked(aws: Aws, /, *args: P.args, **named: P.kwargs) -> T:
        with aws.observing():
            return ask(aws, *args, **named)

    return asked


def same_observation(ask: Callable[Concatenate[Aws, P], T]) -> Callable[Concatenate[Aws, P], T]:
    """Mark what asks again after a plan was applied: where that wrote nothing, it goes on with what was observed."""

    @wraps(ask)
    def asked(aws: Aws, /, *args: P.args, **named: P.kwargs) -> T:
        with aws.observing(reader=(ask.__module__, ask.__qualname__)):
            return ask(aws, *args, **named)

    return asked


def _demand_reading(operation: str) -> None:
    if not operation.startswith(READING):
        raise ValueError(f"{operation} does not read by its name; what writes is a Call of a Plan")


@contextmanager
def _errors_in_words(service: str, operation: str, absent: Iterable[str]) -> Iterator[None]:
    """Turn botocore's errors into `AwsError`, but for the codes that mean absent: what they answer is nothing."""
    try:
        yield
    except ClientError as error:
        if error_code(error) not in absent:
            brief = f"{service} {operation}: {error_code(error)}"
            raise AwsError(f"{service} {operation}: {explain(service, error)}", brief) from error
    except BotoCoreError as error:
        raise AwsError(f"{service} {operation}: {error}", f"{service} {operation}: {type(error).__name__}") from error


def batches(items: Sequence[T], most: int) -> Iterator[Sequence[T]]:
    """The items in order, for calls that take no more than ``most`` at once."""
    return (items[first : first + most] for first in range(0, len(items), most))


def connect(config: Config, *, endpoint_url: str | None = None, **options: Any) -> Aws:
    """Open the account that the parameters name, or refuse: account and region must match.

    With an ``endpoint_url`` (the embedded AWS) the credentials are placeholders, so that no
    real ones are ever sent there. Raises `GuardError`.
    """
    if endpoint_url:
        return Aws(config, sealed_session(config.aws.region), endpoint_url, **options)
    aws = Aws(config, boto3.Session(profile_name=config.aws.profile or None), None, **options)
    _guard(aws)
    return aws


@cache
def sealed_session(region: str) -> boto3.Session:
    """A session for the embedded AWS, with placeholder credentials: no setting of the caller's reaches it.

    Neither a profile, a file below ~/.aws nor a variable of the environment: they are meant for the caller's own
    account, may be wrong where no account is needed, and an endpoint among them leads elsewhere. One per region: a
    session reads each service's model once, 0.2 s for EC2's alone.
    """
    usual = {name: default for name, (_, _, default, _) in BotoSession.SESSION_VARIABLES.items()}
    nowhere = {"config_file": os.devnull, "credentials_file": os.devnull, "ignore_configured_endpoint_urls": True}
    fixed = {**usual, "s3": {}, "proxies_config": {}, **nowhere}
    sealed = BotoSession(session_vars={name: (None, None, value, None) for name, value in fixed.items()})
    sealed.register_component("data_loader", Loader([Loader.BUILTIN_DATA_PATH], include_default_search_paths=False))
    return boto3.Session("embedded", "embedded", region_name=region, botocore_session=sealed)


def _guard(aws: Aws) -> None:
    wanted, source = aws.config.aws.account_id, f"params/{aws.config.environment}.yaml: aws"
    if not wanted:
        raise GuardError(
            f"{source}.account_id is empty; set it to the account's twelve digits, so that no other account is touched"
        )
    if aws.session.region_name not in (None, aws.region):
        raise GuardError(f"{source}.region is {aws.region}, but the session's region is {aws.session.region_name}")
    if aws.account_id != wanted:
        raise GuardError(f"{source}.account_id is {wanted}, but the credentials belong to {aws.account_id}")


def error_code(error: ClientError) -> str:
    """AWS's code of an error, such as ``AccessDeniedException``."""
    return str(error.response.get("Error", {}).get("Code", ""))


def error_message(error: ClientError) -> str:
    """What AWS says beside the code."""
    return str(error.response.get("Error", {}).get("Message", ""))


def explain(service: str, error: ClientError) -> str:
    """AWS's code and message, in one line; where it denied the call, also the permission that is missing."""
    said = " ".join(f"{error_code(error)}: {error_message(error)}".split())
    if error_code(error) not in DENIED:
        return said
    named = PERFORM.search(said)
    missing = named[1] if named else permission(service, error.operation_name)
    return f"{said}; missing permission: {missing} (`slpnb policy operator` prints what the kit needs)"


def permission(service: str, operation: str) -> str:
    """The IAM action that an operation takes: "elasticfilesystem:CreateFileSystem" for efs and CreateFileSystem."""
    return f"{IAM_PREFIXES.get(service, service)}:{operation}"


def tag_map(tags: Tags | None) -> dict[str, str]:
    """Tags as a dict, whether the service uses Key/Value, key/value, TagKey/TagValue or a dict itself."""
    return dict(tags) if isinstance(tags, Mapping) else dict(map(_tag_pair, tags or ()))


def _tag_pair(tag: Mapping[str, str]) -> tuple[str, str]:
    lower = {name.lower().removeprefix("tag"): value for name, value in tag.items()}
    return lower["key"], lower.get("value", "")


def tag_list(tags: Mapping[str, str], key: str = "Key", value: str = "Value") -> list[dict[str, str]]:
    """A dict as AWS's list of tags, sorted; ECS says ``key``/``value``, KMS ``TagKey``/``TagValue``."""
    return [{key: name, value: tags[name]} for name in sorted(tags)]
