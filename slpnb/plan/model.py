"""What a plan is made of, as data: resources wanted and found, changes, and the API calls that make them.

A step module gives three things: ``desired(config)``, the resources that the parameters ask
for; ``observe(aws)``, the resources that AWS holds; and a table of kinds that says which API
calls create, update and delete a resource. `slpnb.plan.comparison` makes a plan of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from slpnb.plan.values import Ref, references

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
    crashed run created). Errors that pass by themselves are no call's own: `slpnb.plan.retries`.
    """

    service: str
    operation: str
    params: Mapping[str, Any]
    binds: Mapping[str, str] = field(default_factory=dict)
    wait: Wait | None = None
    gone: tuple[str, ...] = ()


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
    create: Callable[[Resource], Iterable[Call]]
    delete: Callable[[Found], Iterable[Call]]
    update: Callable[[Resource, Found, frozenset[str]], Iterable[Call]] = lambda *_: ()
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


def unmet(changes: Iterable[Change], observed: Observed) -> Iterator[tuple[Change, Ref]]:
    """Each reference to what no earlier call makes and AWS does not have, with the change that needs it."""
    made: set[tuple[str, str]] = set()
    for change in changes:
        for call in change.calls:
            for ref in references(call.params):
                found = observed.get(ref.key)
                if (ref.key, ref.attribute) not in made and (found is None or found.value(ref.attribute) is None):
                    yield change, ref
            made |= {(change.key, name) for name in call.binds}
