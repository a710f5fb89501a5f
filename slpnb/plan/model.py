"""The one engine of every step: compare what is wanted with what AWS holds, show it, apply it.

A step module gives three things: ``desired(config)``, the resources that the parameters ask
for; ``observe(aws)``, the resources that AWS holds; and a table of kinds that says which API
calls create, update and delete a resource. Everything here that decides is pure: a `Plan` is
data, down to the API calls, so it can be printed, tested and turned into AWS CLI commands
(`slpnb.plan.awscli`). `slpnb.plan.apply` sends it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from html import escape
from typing import TYPE_CHECKING, Any, Literal

from slpnb.errors import Refusal
from slpnb.plan.shown import brief, show
from slpnb.plan.values import Ref, substitute
from slpnb.verdict import Verdict, Verdicts, ng, ok

if TYPE_CHECKING:
    from slpnb.aws import Aws
    from slpnb.plan.apply import Applied

Action = Literal["+", "~", "=", "-"]


@dataclass(frozen=True)
class Wait:
    """Poll ``operation`` until ``path`` (JMESPath) equals ``until``; stop at a value in ``fails``.

    ``hint`` says what to look at when it does not come.
    """

    operation: str
    params: Mapping[str, Any]
    path: str
    until: Any
    fails: tuple[Any, ...] = ()
    delay_seconds: float = 5
    timeout_seconds: float = 600
    hint: str = ""


@dataclass(frozen=True)
class Call:
    """One write to the AWS API, as data: boto3 client, operation and parameters.

    ``params`` may hold `Ref` and `Secret` values at any depth. ``binds`` names what later
    calls need of the answer (JMESPath by name; ``id`` is the resource's own). ``gone`` are
    error codes that mean the work was done already (deleting what is absent, creating what a
    crashed run created); ``retry`` are codes of AWS not having caught up yet with an earlier
    call, such as a role that IAM has not spread.
    """

    service: str
    operation: str
    params: Mapping[str, Any]
    binds: Mapping[str, str] = field(default_factory=dict)
    wait: Wait | None = None
    gone: tuple[str, ...] = ()
    retry: tuple[str, ...] = ()


@dataclass(frozen=True)
class Resource:
    """A resource as the parameters want it.

    ``key`` is unique over all steps ("file-system", "mount-target/us-east-1a"); ``kind`` is a
    key of the step's `Kind` table; ``attributes`` are what is compared, values may be `Ref`;
    ``once`` is what is written at creation only and never read back, such as a secret's value.
    """

    key: str
    kind: str
    name: str
    attributes: Mapping[str, Any]
    reason: str
    tags: Mapping[str, str] = field(default_factory=dict)
    once: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Found:
    """A resource as AWS holds it. ``step`` is its ``slpnb:step`` tag: empty if the kit did not make it.

    ``facts`` are read-only extras (ARNs, states) that a `Ref` or a check may ask for; with
    ``taken_back`` it was this step's and is pending deletion: wanted again, it is restored.
    """

    key: str
    kind: str
    name: str
    id: str
    attributes: Mapping[str, Any]
    step: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)

    def value(self, attribute: str) -> Any:
        """What a `Ref` to this resource stands for; None when it is not known."""
        return self.id if attribute == "id" else self.facts.get(attribute)

    def identifiers(self) -> dict[str, str]:
        """The ids, ARNs and address (``uri``) that stand for this resource, each with the attribute that it is."""
        facts = self.facts.items()
        others = {str(v): name for name, v in facts if str(v).startswith("arn:") or name in ("uri", "instance_id")}
        return {self.id: "id"} | others


Wanted = tuple[Resource, ...]
Observed = Mapping[str, Found]
Id = str | Ref


@dataclass(frozen=True)
class Kind:
    """How one kind of AWS resource is written.

    ``create`` gives the calls for a resource that is absent; the first binds its id.
    ``update`` gives the calls that set the named attributes of an existing one. ``delete``
    gives the calls that remove it. ``fixed`` are attributes that AWS cannot change.
    """

    title: str
    create: Callable[[Resource], Sequence[Call]]
    delete: Callable[[Found], Sequence[Call]]
    update: Callable[[Resource, Found, frozenset[str]], Sequence[Call]] = lambda *_: ()
    fixed: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Change:
    """One line of a plan: what happens to one resource, why, and by which calls."""

    action: Action
    key: str
    title: str
    name: str
    reason: str
    details: tuple[tuple[str, str, str], ...] = ()  # attribute, old, new
    calls: tuple[Call, ...] = ()

    def lines(self) -> Iterator[str]:
        """The change as text, its attributes indented below it."""
        yield f"  {self.action} {self.title} {self.name}: {self.reason}"
        for attribute, old, new in self.details:
            yield f"      {attribute}: {f'{old} -> {new}' if self.action == '~' else new}"


class Script(str):
    """A shell script: text whose representation is the text itself, so that a notebook shows its lines."""

    def __repr__(self) -> str:
        return str(self)


@dataclass(frozen=True)
class Plan:
    """What a step would write. False, and of length 0, when there is nothing to do."""

    step: str
    changes: tuple[Change, ...]
    observed: Observed = field(default_factory=dict, repr=False)

    @property
    def pending(self) -> tuple[Change, ...]:
        """The changes that write something."""
        return tuple(change for change in self.changes if change.action != "=")

    def __len__(self) -> int:
        return len(self.pending)

    def summary(self) -> str:
        """One line: how many to create, update, delete, and as wanted."""
        words = {"+": "to create", "~": "to update", "-": "to delete", "=": "as wanted"}
        counts = {word: sum(c.action == action for c in self.changes) for action, word in words.items()}
        return ", ".join(f"{n} {word}" for word, n in counts.items() if n) or "nothing wanted, nothing found"

    def __repr__(self) -> str:
        lines = [f"Plan {self.step}: {self.summary()}"]
        return "\n".join(lines + [line for change in self.changes for line in change.lines()])

    def _repr_html_(self) -> str:
        rows = "".join(map(_html_row, self.changes))
        head = "<tr><th></th><th>resource</th><th>name</th><th>why</th><th>values</th></tr>"
        return f"<p><b>Plan {escape(self.step)}</b>: {escape(self.summary())}</p><table>{head}{rows}</table>"

    def commands(self, ids: bool = False) -> Script:
        """The same changes as AWS CLI commands, one shell script in the order of the plan."""
        from slpnb.plan.awscli import script

        return Script(script(self, ids))

    def apply(self, aws: Aws, confirm: str = "") -> Applied:
        """Write what this plan shows, and nothing else; where `aws` may not write, say so.

        Raises `Refusal` when an earlier step's resource is missing, `AwsError` when AWS
        fails a call: its sentence says what was done and what was not.
        """
        from slpnb.plan.apply import apply

        return apply(self, aws, confirm)


def _html_row(change: Change) -> str:
    colour = {"+": "#1a7f37", "~": "#9a6700", "-": "#b42318", "=": "#57606a"}[change.action]
    values = "<br>".join(
        escape(f"{name}: {f'{old} → {new}' if change.action == '~' else new}") for name, old, new in change.details
    )
    cells = (escape(change.title), escape(change.name), escape(change.reason), values)
    tds = "".join(f'<td style="text-align:left;vertical-align:top">{cell}</td>' for cell in cells)
    return f'<tr><td style="color:{colour}"><b>{change.action}</b></td>{tds}</tr>'


def plan(step: str, kinds: Mapping[str, Kind], want: Iterable[Resource], have: Observed) -> Plan:
    """Compare: create what is absent, update what differs, keep the rest, delete what this step made in excess.

    Pure. Resources of other steps and foreign ones in ``have`` only serve to resolve `Ref`
    values; they are never changed. Deletions come last, in the reverse of ``have``'s order.
    Raises `Refusal` when an attribute that AWS cannot change differs, or when something of a
    wanted name exists that this step did not make.
    """
    wanted = [resolve(resource, have) for resource in want]
    keys = {resource.key for resource in wanted}
    for resource in wanted:
        _refuse_foreign(step, have.get(resource.key))
    changes = [_compare(resource, have.get(resource.key), kinds[resource.kind], have) for resource in wanted]
    excess = [found for found in have.values() if found.step == step and found.key not in keys]
    deletions = [_deletion(found, kinds[found.kind]) for found in reversed(excess)]
    return Plan(step, tuple(changes + deletions), have)


def resolve(resource: Resource, have: Observed) -> Resource:
    """The same resource with every `Ref` that ``have`` knows replaced by its value."""
    attributes, once = substitute([resource.attributes, resource.once], lambda ref: _lookup(ref, have))
    return replace(resource, attributes=attributes, once=once)


def _lookup(ref: Ref, have: Observed) -> Any:
    found = have.get(ref.key)
    value = found.value(ref.attribute) if found else None
    return ref if value is None else ref.of(value)


def _refuse_foreign(step: str, found: Found | None) -> None:
    if found is not None and found.step != step and not found.facts.get("taken_back"):
        raise Refusal(
            f"{found.kind} {found.name} exists already, and {step} of this environment did not make it "
            f"(no tags slpnb:environment and slpnb:step): it is left as it is; choose another name"
        )


def _compare(resource: Resource, found: Found | None, kind: Kind, have: Observed) -> Change:
    if found is None:
        values = {**resource.attributes, **resource.once}
        details = tuple((name, "", brief(value, have)) for name, value in values.items())
        calls = tuple(kind.create(resource))
        return Change("+", resource.key, kind.title, resource.name, resource.reason, details, calls)
    differing = {name: value for name, value in resource.attributes.items() if found.attributes.get(name) != value}
    if not differing:
        return Change("=", resource.key, kind.title, resource.name, "as wanted")
    _refuse_fixed(resource, found, kind, differing)
    details = tuple(
        (name, show(found.attributes.get(name), have), show(value, have)) for name, value in differing.items()
    )
    calls = tuple(kind.update(resource, found, frozenset(differing)))
    return Change("~", resource.key, kind.title, resource.name, resource.reason, details, calls)


def _refuse_fixed(resource: Resource, found: Found, kind: Kind, differing: Mapping[str, Any]) -> None:
    fixed = sorted(kind.fixed & differing.keys())
    if fixed:
        name = fixed[0]
        raise Refusal(
            f"{kind.title} {resource.name} has {name} {show(found.attributes.get(name))}, the parameters ask for "
            f"{show(differing[name])}, and AWS cannot change it: destroy it first, or ask for what it has"
        )


def _deletion(found: Found, kind: Kind) -> Change:
    return Change("-", found.key, kind.title, found.name, "no longer wanted", (), tuple(kind.delete(found)))


def verify(want: Iterable[Resource], have: Observed) -> Verdicts:
    """Read back: one verdict a resource, OK when every wanted attribute is what AWS holds."""
    return Verdicts.of(_read_back(resolve(resource, have), have) for resource in want)


def _read_back(resource: Resource, have: Observed) -> Verdict:
    found = have.get(resource.key)
    if found is None:
        return ng(f"{resource.kind} {resource.name}", "absent")
    wrong = [name for name, value in resource.attributes.items() if found.attributes.get(name) != value]
    if wrong:
        seen = ", ".join(f"{name} is {show(found.attributes.get(name), have)}" for name in wrong)
        return ng(f"{resource.kind} {resource.name}", f"{seen}, not as wanted")
    return ok(f"{resource.kind} {resource.name}", f"present, {len(resource.attributes)} attributes as wanted")
