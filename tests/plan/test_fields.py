from __future__ import annotations

from hypothesis import given, strategies as st

from slpnb.plan import fields

PATHS = {"port": "Port", "matcher": "Matcher.HttpCode", "low": "Limits.Count.Low", "high": "Limits.Count.High"}
VALUES = st.booleans() | st.integers() | st.text() | st.lists(st.integers())


@given(st.fixed_dictionaries({name: VALUES | st.none() for name in PATHS}))
def test_what_is_written_is_read_back(attributes):
    assert fields.read(PATHS, fields.write(PATHS, attributes)) == attributes


def test_a_parameter_is_given_whole_when_any_attribute_in_it_changed():
    attributes = {"port": 80, "matcher": "200", "low": 1, "high": 2}
    assert fields.write(PATHS, attributes, {"low"}) == {"Limits": {"Count": {"Low": 1, "High": 2}}}


def test_what_aws_leaves_out_is_read_as_what_it_means():
    defaults = {"draining": "managedDraining || 'ENABLED'", "grace": "grace || `0`", "on": "on || `false`", "no": "no"}
    assert fields.read(defaults, {}) == {"draining": "ENABLED", "grace": 0, "on": False, "no": None}
    assert fields.write(defaults, {"draining": "DISABLED", "grace": 5, "on": True, "no": None}) == {
        "managedDraining": "DISABLED",
        "grace": 5,
        "on": True,
    }
