"""What is wanted against what AWS holds: the plan that closes the difference, and the verdicts once it is closed.

Everything here is pure: a plan is data, down to the API calls.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from slpnb.errors import Refusal
from slpnb.plan.changes import Plan
from slpnb.plan.meaning import apart, same
from slpnb.plan.model import Change, Found, Kind, Observed, Resource
from slpnb.plan.shown import brief, show
from slpnb.plan.values import Ref, substitute
from slpnb.verdict import Verdict, Verdicts, ng, ok


def compare(step: str, kinds: Mapping[str, Kind], want: Iterable[Resource], have: Observed) -> Plan:
    """Compare: create what is absent, update what differs, keep the rest, delete what else this step made.

    Pure. Resources of other steps and foreign ones in ``have`` only serve to resolve `Ref`
    values; they are never changed. Deletions come last, in the reverse of ``have``'s order.
    Raises `Refusal` when an attribute that AWS cannot change differs, or when something of a
    wanted name exists that this step did not make.
    """
    wanted = [resolve(resource, have) for resource in want]
    keys = {resource.key for resource in wanted}
    for resource in wanted:
        _refuse_foreign(step, have.get(resource.key))
    changes = [_change(resource, have.get(resource.key), kinds[resource.kind], have) for resource in wanted]
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
            f"(no tags slpnb:environment and slpnb:step): it is left alone; choose another name"
        )


def _change(resource: Resource, found: Found | None, kind: Kind, have: Observed) -> Change:
    if found is None:
        values = {**resource.attributes, **resource.once}
        details = tuple((name, "", brief(value, have)) for name, value in values.items())
        calls = tuple(kind.create(resource))
        return Change("+", resource.key, kind.title, resource.name, resource.reason, details, calls)
    differing = _differing(resource, found)
    if not differing:
        return Change("=", resource.key, kind.title, resource.name, "as wanted")
    _refuse_fixed(resource, found, kind, differing)
    details = tuple(_detail(name, found.attributes.get(name), value, have) for name, value in differing.items())
    calls = tuple(kind.update(resource, found, frozenset(differing)))
    return Change("~", resource.key, kind.title, resource.name, resource.reason, details, calls)


def _differing(resource: Resource, found: Found) -> dict[str, Any]:
    """The wanted attributes that AWS does not hold, by what they mean."""
    attributes = resource.attributes.items()
    return {name: value for name, value in attributes if not same(found.attributes.get(name), value)}


def _detail(name: str, old: Any, new: Any, have: Observed) -> tuple[str, str, str]:
    before, after = apart(old, new)
    return name, show(before, have), show(after, have)


def _refuse_fixed(resource: Resource, found: Found, kind: Kind, differing: Mapping[str, Any]) -> None:
    fixed = sorted(kind.fixed & differing.keys())
    if fixed:
        name = fixed[0]
        raise Refusal(
            f"{kind.title} {resource.name} has {name} {show(found.attributes.get(name))}, the parameters ask for "
            f"{show(differing[name])}, and AWS cannot change it: destroy it first, or keep the present value"
        )


def _deletion(found: Found, kind: Kind) -> Change:
    return Change("-", found.key, kind.title, found.name, "no longer wanted", (), tuple(kind.delete(found)))


def read_back(want: Iterable[Resource], have: Observed) -> Verdicts:
    """One verdict per resource, OK when every wanted attribute is what AWS holds."""
    return Verdicts.of(_holds(resolve(resource, have), have) for resource in want)


def _holds(resource: Resource, have: Observed) -> Verdict:
    found = have.get(resource.key)
    if found is None:
        return ng(f"{resource.kind} {resource.name}", "absent")
    wrong = _differing(resource, found)
    if wrong:
        seen = (
            f"{name} is {show(found.attributes.get(name), have)}, wanted {show(resource.attributes[name], have)}"
            for name in wrong
        )
        return ng(f"{resource.kind} {resource.name}", "; ".join(seen))
    return ok(f"{resource.kind} {resource.name}", f"present, {len(resource.attributes)} attributes as wanted")
