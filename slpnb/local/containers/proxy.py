"""The front door's settings and the commands it is given while it runs. Pure.

Sources: HAProxy 2.6 Configuration Manual ("server-template", "retry-on", "option forwardfor") and
Management Guide ("set server", "show stat"); Application Load Balancers user guide, "HTTP headers and
Application Load Balancers", "Listeners".
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

SLOTS = 32  # targets of one group at a time, those being drained included
ADMIN_PORT = 9999
TLS_PORT, CLEAR_PORT = 443, 80
SlotState = Literal["ready", "drain", "maint"]

GLOBAL = f"""\
global
    stats socket ipv4@0.0.0.0:{ADMIN_PORT} level admin
    maxconn 2000
    ssl-default-bind-options ssl-min-ver TLSv1.2
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    retries 3
    retry-on conn-failure
    option redispatch
    option forwardfor
"""


@dataclass(frozen=True)
class Listener:
    """A listener's default action: the target group that it forwards to, or where it redirects."""

    tls: bool
    group: str = ""


def settings(listeners: Iterable[Listener]) -> str:
    """haproxy.cfg for the listeners of one load balancer."""
    listeners = sorted(listeners, key=lambda one: one.tls)
    groups = sorted({one.group for one in listeners if one.group})
    return "".join([GLOBAL, *map(_frontend, listeners), *map(_backend, groups)])


def ports(listeners: Iterable[Listener]) -> list[int]:
    """The ports that it listens on: its own, and the listeners'."""
    return [ADMIN_PORT, *(TLS_PORT if one.tls else CLEAR_PORT for one in listeners)]


def _frontend(listener: Listener) -> str:
    name = "https" if listener.tls else "http"
    bind = f"*:{TLS_PORT} ssl crt /slpnb/front.pem alpn h2,http/1.1" if listener.tls else f"*:{CLEAR_PORT}"
    lines = [f"frontend {name}", f"bind {bind}"]
    if listener.group:
        lines.append(f"http-request set-header X-Forwarded-Proto {name}")
        lines.append(f"http-request set-header X-Forwarded-Port {TLS_PORT if listener.tls else CLEAR_PORT}")
        lines.append(f"default_backend {backend(listener.group)}")
    else:
        lines.append("http-request redirect scheme https code 301")
    return "\n    ".join(lines) + "\n"


def _backend(group: str) -> str:
    lines = [f"backend {backend(group)}", "balance roundrobin"]
    lines.append(f"server-template t 1-{SLOTS} 127.0.0.1:{CLEAR_PORT} disabled")
    return "\n    ".join(lines) + "\n"


def backend(group: str) -> str:
    """A target group's name in the settings, from its ARN."""
    return re.sub(r"[^A-Za-z0-9_-]", "-", group.partition(":targetgroup/")[2] or group)


def place(group: str, slot: int, address: str, port: int) -> str:
    """The command that gives a slot its target."""
    return f"set server {backend(group)}/t{slot} addr {address} port {port}"


def state(group: str, slot: int, state: SlotState) -> str:
    """The command that opens a slot, drains it, or closes it."""
    return f"set server {backend(group)}/t{slot} state {state}"


def under_way(stat: str) -> Mapping[tuple[str, int], int]:
    """Requests under way by backend and slot, from the answer to "show stat"."""
    rows = csv.DictReader(io.StringIO(stat.removeprefix("# ")))
    return {
        (row["pxname"], int(row["svname"][1:])): int(row["scur"] or 0) + int(row["qcur"] or 0)
        for row in rows
        if re.fullmatch(r"t\d+", row["svname"] or "")
    }


def free_slot(taken: Iterable[int]) -> int:
    """The lowest free slot. Raises `ValueError` when all are taken."""
    used = set(taken)
    slot = next((one for one in range(1, SLOTS + 1) if one not in used), 0)
    if not slot:
        raise ValueError(f"the front door has room for {SLOTS} targets of a group, and all are taken")
    return slot
