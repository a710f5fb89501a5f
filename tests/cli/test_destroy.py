"""``slpnb destroy``: only with its words."""

from __future__ import annotations

import pytest

from tests.cli.conftest import call


def test_without_a_terminal_the_words_must_be_given(places):
    done = call("destroy", "staging", *places)
    assert done.exit_code == 2
    assert 'give --confirm "destroy staging"' in done.output


def test_the_words_of_another_environment_are_not_enough(places):
    assert call("destroy", "production", "--confirm", "destroy staging", *places).exit_code == 2


@pytest.mark.parametrize(
    ("environment", "seen"),
    [("staging", "destroy staging  True"), ("production", "destroy production production True")],
)
def test_confirmed_it_runs_the_last_notebook(places, tmp_path, environment, seen):
    words = ["--confirm", f"destroy {environment}", "--delete-data"]
    done = call("destroy", environment, *words, *places)
    assert done.exit_code == 0, done.output
    assert seen in (tmp_path / "runs" / environment / "latest" / "99_destroy.ipynb").read_text()
