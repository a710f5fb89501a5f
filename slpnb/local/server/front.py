"""What a request to the embedded AWS asks for, in any protocol, and the refusal of what moto does not support."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from werkzeug import Response

READS = re.compile(
    "Describe|Get|List|BatchGet|BatchCheck|Lookup|Filter|Search|Simulate|Test|Validate|Preview|AssumeRole|HEAD|OPTIONS"
)
CALL_SECONDS = 1.0
WAITER = re.compile(r"\bm/[A-Za-z0-9,+-]*\bB\b")  # botocore's user agent: the feature WAITER (useragent.py)
WAITER_SECONDS = 15.0  # the pause of most waiters (botocore's waiters-2.json); the AWS CLI's are the same ones


@dataclass(frozen=True)
class ApiRequest:
    """Service (its signing name) and operation; of a REST call, which names none, the HTTP method and path."""

    service: str
    operation: str
    dialect: str  # "xml" or "json": what a client of this service can read


def called(environ: dict[str, Any], body: bytes) -> ApiRequest:
    """Which operation a request is: by X-Amz-Target, by Action, or by method and path."""
    credential = str(environ.get("HTTP_AUTHORIZATION", "")).partition("Credential=")[2].split(",")[0].split("/")
    service = credential[3] if len(credential) > 3 else ""
    target = str(environ.get("HTTP_X_AMZ_TARGET", ""))
    if target:
        return ApiRequest(service, target.rpartition(".")[2], "json")
    if str(environ.get("CONTENT_TYPE", "")).startswith("application/x-www-form-urlencoded"):
        action = parse_qs(body.decode("utf-8", "replace")).get("Action", [""])[0]
        return ApiRequest(service, action, "xml")
    method = {"GET": "Get"}.get(environ["REQUEST_METHOD"], environ["REQUEST_METHOD"])
    return ApiRequest(service, f"{method} {environ['PATH_INFO']}", "xml" if service == "route53" else "json")


def is_write(call: ApiRequest) -> bool:
    """Whether a call may change something; the same rule for every service: AWS's verbs."""
    return READS.match(call.operation) is None


def takes_seconds(environ: dict[str, Any]) -> float:
    """How long a call takes on the embedded clock, so that polling makes progress; for a waiter, its pause."""
    return WAITER_SECONDS if WAITER.search(str(environ.get("HTTP_USER_AGENT", ""))) else CALL_SECONDS


def unknown(call: ApiRequest, error: Exception) -> Response:
    """A 501 that boto3 shows as a ClientError ``NotImplemented`` with the reason, and does not retry."""
    reason = f"the embedded AWS failed in {call.service} {call.operation}: {type(error).__name__}: {error}"
    if call.dialect == "json":
        content = json.dumps({"__type": "NotImplemented", "message": reason})
    else:
        inner = f"<Error><Code>NotImplemented</Code><Message>{escape(reason)}</Message></Error>"
        # EC2 nests the error one level deeper than the other query services.
        outer, inner = ("Response", f"<Errors>{inner}</Errors>") if call.service == "ec2" else ("ErrorResponse", inner)
        content = f"<{outer}>{inner}<RequestId>0</RequestId></{outer}>"
    kind = "application/json" if call.dialect == "json" else "text/xml"
    return Response(content, 501, {"x-amzn-ErrorType": "NotImplemented"}, content_type=kind)
