"""The front door: HAProxy in place of the load balancer, on the loopback, with TLS.

It forwards only to the healthy targets of the load balancer's target groups, and lets a
deregistered target finish its requests.
"""

from __future__ import annotations

import ipaddress
import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from moto.elbv2.models import ELBv2Backend, FakeListener

from slpnb.ecs.scheduler.state import State
from slpnb.engine.container_arguments import LOOPBACK
from slpnb.engine.leftovers import remove_container
from slpnb.local.base.inprocess import client
from slpnb.local.containers import proxy
from slpnb.local.containers.addresses import published
from slpnb.local.containers.probes import TargetProbe
from slpnb.local.containers.proxy import Listener, SlotState
from slpnb.local.containers.tasks import RealTask

READY_SECONDS = 20.0
ASK_SECONDS = 2.0
VALID_DAYS = 30
Key = tuple[str, str]  # target group ARN, task id


class FrontDoor:
    """A run's HAProxy. What it should forward to is known at once; it starts in a thread of its own."""

    def __init__(self, folder: Path, start: Callable[..., Any]) -> None:
        """``folder`` is what ``start`` shows to the container as /slpnb; it starts a command with port mappings."""
        self.folder, self._start = folder, start
        self.text = ""  # the settings that it runs with, or starts with
        self.ready = threading.Event()
        self.failed = False
        self._container: Any = None
        self._ports: Mapping[int, int] = {}
        self._slots: dict[Key, int] = {}
        self._told: dict[Key, SlotState] = {}
        self._lock = threading.RLock()

    def starting(self) -> bool:
        """Whether it is on its way."""
        return bool(self.text) and not self.failed and not self.ready.is_set()

    def balance(self, elb: ELBv2Backend, state: State, tasks: Mapping[str, RealTask]) -> None:
        """Forward to the healthy targets: open the new ones first, then drain the leaving ones."""
        listeners = set(_listeners(elb))
        wanted = dict(_wanted(state, tasks)) if listeners else {}
        if wanted and not self.text:
            self._open(listeners, _names())
        if not self.ready.is_set():
            return
        with self._lock:
            for key, (wanted_state, address, port) in sorted(wanted.items(), key=lambda item: item[1][0] != "ready"):
                self._tell(key, wanted_state, address, port)
            for key in [key for key in self._told if key not in wanted]:
                self._forget(key)

    def _tell(self, key: Key, state: SlotState, address: str, port: int) -> None:
        group, _ = key
        if self._told.get(key) == state or (key not in self._told and state != "ready"):
            return
        if key not in self._slots:
            self._slots[key] = proxy.free_slot(slot for (other, _), slot in self._slots.items() if other == group)
            self._ask(proxy.place(group, self._slots[key], address, port))
        self._ask(proxy.state(group, self._slots[key], state))
        self._told[key] = state

    def _forget(self, key: Key) -> None:
        self._ask(proxy.state(key[0], self._slots.pop(key), "maint"))
        self._told.pop(key)

    def await_quiet(self, task: str, seconds: float) -> None:
        """Wait until no request to a task is in flight, at most that long."""
        end = monotonic() + seconds
        while self._under_way(task) and monotonic() < end:
            sleep(0.05)

    def _under_way(self, task: str) -> int:
        with self._lock:
            mine = [(proxy.backend(group), slot) for (group, id), slot in self._slots.items() if id == task]
            if not mine or not self.ready.is_set():
                return 0
            counts = proxy.under_way(self._ask("show stat"))
        return sum(counts.get(one, 0) for one in mine)

    def _ask(self, command: str) -> str:
        """A command to the running proxy; empty where it is gone."""
        try:
            with socket.create_connection((LOOPBACK, self._ports[proxy.ADMIN_PORT]), ASK_SECONDS) as asked:
                asked.sendall(f"{command}\n".encode())
                return b"".join(iter(lambda: asked.recv(65_536), b"")).decode()
        except OSError:
            return ""

    def _open(self, listeners: Set[Listener], names: list[str]) -> None:
        self.text = proxy.settings(listeners)
        threading.Thread(target=self._open_now, args=(self.text, proxy.ports(listeners), names), daemon=True).start()

    def _open_now(self, text: str, ports: list[int], names: list[str]) -> None:
        place = self.folder
        place.mkdir(mode=0o700, exist_ok=True)
        (place / "haproxy.cfg").write_text(text, encoding="utf-8")
        (place / "front.pem").touch(mode=0o600)
        (place / "front.pem").write_bytes(certificate(names))
        published_ports = {f"{port}/tcp": (LOOPBACK, None) for port in ports}
        try:
            made = self._start(["haproxy", "-W", "-f", "/slpnb/haproxy.cfg"], ports=published_ports)
        except Exception as error:  # whatever it is, the log says it
            print(f"the front door did not open: {error}", flush=True)  # to the embedded AWS's log
            self.failed = True
            return
        self._await_start(made)

    def _await_start(self, made: Any) -> None:
        self._container, self._ports = made, published(made)
        end = monotonic() + READY_SECONDS
        while "Name: HAProxy" not in self._ask("show info") and monotonic() < end:
            sleep(0.05)
        self.ready.set()

    def reset(self) -> None:
        """Closed, until a load balancer has targets again."""
        with self._lock:
            if self._container is not None:
                remove_container(self._container)
            self._container, self.text, self.failed = None, "", False
            self.ready.clear()
            self._slots.clear()
            self._told.clear()

    def facts(self) -> dict[str, str]:
        """Its addresses, once it is open."""
        if not self.ready.is_set():
            return {}
        schemes = {"front_door": ("https", proxy.TLS_PORT), "front_door_clear": ("http", proxy.CLEAR_PORT)}
        return {
            name: f"{scheme}://{LOOPBACK}:{self._ports[port]}"
            for name, (scheme, port) in schemes.items()
            if port in self._ports
        }


def _listeners(elb: ELBv2Backend) -> Iterator[Listener]:
    """The listeners of the first load balancer that forwards somewhere, HTTP and HTTPS on their usual ports."""
    for balancer in elb.load_balancers.values():
        found = [_listener(one) for one in balancer.listeners.values()]
        if any(one.group for one in found):
            yield from {one.tls: one for one in found}.values()
            return


def _listener(one: FakeListener) -> Listener:
    forwards = [action.data for action in one.default_actions if action.type == "forward"]
    return Listener(one.protocol == "HTTPS", _group(forwards[0]) if forwards else "")


def _group(action: Mapping[str, Any]) -> str:
    """A forward action names its group directly or in a list."""
    groups = (action.get("ForwardConfig") or {}).get("TargetGroups") or [{}]
    return str(action.get("TargetGroupArn") or groups[0].get("TargetGroupArn") or "")


def _wanted(state: State, tasks: Mapping[str, RealTask]) -> Iterator[tuple[Key, tuple[SlotState, str, int]]]:
    """Each target of a real task: open while it is healthy, drained as soon as it is not, or is to stop."""
    for id, real in tasks.items():
        task = state.tasks.get(id)
        if task is None or task.status == "STOPPED" or not real.address:
            continue
        healthy = task.status == "RUNNING" and task.health == "HEALTHY" and task.desired_status == "RUNNING"
        for probe in real.order.probes:
            if isinstance(probe, TargetProbe):
                yield (probe.group, id), ("ready" if healthy else "drain", real.address, probe.port)


def _names() -> list[str]:
    """The names of the account's certificates, and the bare domains of the wildcard ones."""
    certificates = client("acm").list_certificates()["CertificateSummaryList"]
    return sorted({name for one in certificates for name in (one["DomainName"], one["DomainName"].removeprefix("*."))})


def certificate(names: Iterable[str]) -> bytes:
    """A self-signed certificate for these names and the loopback, with its key, as one PEM."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "slpnb front door")])
    others = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address(LOOPBACK))]
    alternatives = x509.SubjectAlternativeName([*map(x509.DNSName, names), *others])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).add_extension(alternatives, critical=False)
    builder = builder.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(days=VALID_DAYS))
    signed = builder.sign(key, hashes.SHA256())
    form, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    private = key.private_bytes(form, serialization.PrivateFormat.PKCS8, plain)
    return signed.public_bytes(form) + private
