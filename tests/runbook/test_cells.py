"""Which of the cells that were run are parameters: tests/cases/runbook/cells.json holds IPython's ``In``."""

from __future__ import annotations

import ast
import json
from contextlib import suppress

import pytest
from hypothesis import given, strategies as st

from slpnb import runbook
from slpnb.errors import ParameterError
from tests.conftest import CASES

HISTORIES = json.loads((CASES / "runbook" / "cells.json").read_text(encoding="utf-8"))
LITERALS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@pytest.mark.parametrize("case", HISTORIES, ids=lambda case: case["what"])
def test_what_a_history_of_cells_says(case):
    if "gives" in case:
        assert runbook.parse_cells(case["cells"]) == case["gives"]
        return
    with pytest.raises(ParameterError) as caught:
        runbook.parse_cells(case["cells"])
    sentence = str(caught.value)
    assert sentence.startswith("parameters cell In [")
    assert "\n" not in sentence
    for part in case["says"]:
        assert part in sentence


@given(LITERALS)
def test_every_literal_is_taken_as_python_would(value):
    assert runbook.parse_cells(["", f"apply = False\ntask = {value!r}"]) == {"apply": False, "task": value}


@given(st.sampled_from(["{} + 1", "f({})", "not {}", "{}.x", "[n for n in {}]", "({} if x else y)", "name"]), LITERALS)
def test_what_is_no_literal_never_passes_unseen(form, value):
    source = form.format(repr(value))
    with pytest.raises(ParameterError, match=r"In \[1\], line 2"):
        runbook.parse_cells(["", f"apply = False\ntask = {source}"])


@given(st.text() | st.text("abpply=:()[]{}'#\\\n 1").map("apply = {}".format))
def test_any_cell_is_taken_whole_refused_or_passed_over(source):
    with suppress(ParameterError):
        taken = runbook.parse_cells(["", source])
        assert not taken or len(ast.parse(source).body) >= len(taken)
