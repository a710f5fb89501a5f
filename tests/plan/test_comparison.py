from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from slpnb.errors import Refusal
from slpnb.plan import Call, Found, Kind, Resource, compare, read_back, resolve
from slpnb.plan.shown import show
from slpnb.plan.values import Ref, Secret, references, substitute

STEP = "30_efs"


def _set(resource, identifier, changed):
    return [Call("s", "set_" + name, {"Id": identifier, name: resource.attributes[name]}) for name in sorted(changed)]


KINDS = {
    "box": Kind(
        "Box",
        create=lambda r: [Call("s", "create", {"Name": r.name}, {"id": "Id"}), *_set(r, Ref(r.key), r.attributes)],
        delete=lambda found: [Call("s", "delete", {"Id": found.id})],
        update=lambda r, found, changed: _set(r, found.id, changed),
        fixed=frozenset({"colour"}),
    )
}


def box(key, **attributes):
    return Resource(key, "box", key, attributes, "wanted by the test")


def found(key, step=STEP, **attributes):
    return Found(key, "box", key, f"id-{key}", attributes, step)


def test_what_is_absent_is_created_and_later_calls_refer_to_it():
    planned = compare(STEP, KINDS, [box("a", size=1)], {})
    (change,) = planned.changes
    assert (change.action, len(planned), bool(planned)) == ("+", 1, True)
    assert [call.operation for call in change.calls] == ["create", "set_size"]
    assert change.calls[1].params["Id"] == Ref("a")


def test_what_differs_is_updated_only_where_it_differs():
    planned = compare(STEP, KINDS, [box("a", size=2, lid=True)], {"a": found("a", size=1, lid=True)})
    (change,) = planned.changes
    assert change.action == "~"
    assert change.details == (("size", "1", "2"),)
    assert [call.operation for call in change.calls] == ["set_size"]
    assert "size: 1 -> 2" in repr(planned)


def test_what_is_as_wanted_makes_the_plan_false():
    planned = compare(STEP, KINDS, [box("a", size=1)], {"a": found("a", size=1, more="ignored")})
    assert not planned
    assert planned.summary() == "1 as wanted"
    assert planned.commands() == "# nothing to do"


def test_only_what_this_step_made_is_deleted_last_made_first():
    have = {
        "a": found("a"),
        "b": found("b"),
        "foreign": found("foreign", step=""),
        "other": found("other", step="20_network"),
    }
    planned = compare(STEP, KINDS, [], have)
    assert [(change.action, change.key) for change in planned.changes] == [("-", "b"), ("-", "a")]


def test_an_attribute_that_aws_cannot_change_is_refused_with_both_values():
    with pytest.raises(Refusal, match=r"Box a has colour red, the parameters ask for blue, and AWS cannot change it"):
        compare(STEP, KINDS, [box("a", colour="blue")], {"a": found("a", colour="red")})


def test_a_reference_becomes_the_id_of_what_exists_and_is_shown_by_its_key():
    have = {"a": found("a"), "b": found("b", inside="id-other")}
    planned = compare(STEP, KINDS, [box("b", inside=Ref("a"))], have)
    assert planned.changes[0].details == (("inside", "id-other", "<a>"),)
    assert planned.changes[0].calls[0].params["inside"] == "id-a"
    assert "id-a" not in repr(planned)


def test_a_secret_is_never_shown():
    secret = Secret(make=lambda: "hunter2")
    planned = compare(STEP, KINDS, [box("a", word=secret)], {})
    for text in (repr(planned), planned._repr_html_(), planned.commands(), repr(secret), show([secret])):
        assert "hunter2" not in text


def test_verify_names_what_differs():
    verdicts = read_back([box("a", size=2), box("b")], {"a": found("a", size=1)})
    assert [verdict.status for verdict in verdicts] == ["NG", "NG"]
    assert "size is 1" in repr(verdicts)
    assert "absent" in repr(verdicts)


VALUES = st.recursive(
    st.integers() | st.builds(Ref, st.sampled_from("abc")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("xyz"), inner, max_size=3),
)


@given(VALUES)
def test_substitute_leaves_no_reference_behind(value):
    assert references(substitute(value, lambda ref: ref.key)) == []
    assert len(references(value)) == repr(value).count("Ref(")


@given(
    st.dictionaries(st.sampled_from("abcd"), st.integers(0, 2)),
    st.dictionaries(st.sampled_from("abcd"), st.integers(0, 2)),
)
def test_a_plan_made_true_is_empty(wanted, existing):
    have = {key: found(key, size=size) for key, size in existing.items()}
    want = [box(key, size=size) for key, size in wanted.items()]
    actions = {change.key: change.action for change in compare(STEP, KINDS, want, have).changes}
    assert set(actions) == set(wanted) | set(existing)
    after = {r.key: found(r.key, **resolve(r, have).attributes) for r in want}
    assert not compare(STEP, KINDS, want, after)
