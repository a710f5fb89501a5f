"""The research notebook's first attempt: it comes out as it happened, and its explanations are judged by their sums."""

from __future__ import annotations

import pytest

from slpnb import catalog, sizing
from slpnb.fleet import replay
from slpnb.research import first_attempt
from slpnb.research.first_attempt import Hypothesis
from tests.conftest import cases


@pytest.mark.parametrize("case", cases("first_attempt"))
def test_each_try_comes_out_as_it_happened(case):
    played = first_attempt.start(**case["start"])
    played = replay.update(played) if case.get("update") else played
    said = repr(played.events)
    assert (played.steady, played.seconds) == (case["steady"], case["seconds"]), said
    assert bool(played.why) == (not case["steady"])
    assert all(words in said for words in case["says"]), said
    assert not any(words in said for words in case["silent"]), said


def test_what_registers_is_the_catalogues_and_what_is_gone_is_the_rest():
    table = first_attempt.registered(["c6i.large", "c6g.large", "c6g.xlarge"])
    assert (table["gone"] + table["at_least"] == table["sold"]).all()
    assert list(table["registers"]) == [3816, 3807, 7763]


def test_the_room_agrees_with_the_memory_budget():
    room, budget = first_attempt.remaining(), sizing.memory_budget("c6i.large", [8192, 3584, 2560])
    assert list(room["alone"].clip(upper=0).abs()) == list(budget["short"])
    assert room.loc[3584].to_dict() == {"alone": 228, "next to 256 MiB": -28, "next to a copy": -3356}


def test_the_scheduler_agrees_with_the_sums_for_every_size_and_situation():
    sizes = (512, 2560, 3556, 3557, 3584, 3812, 3813, 8192)
    room, played = first_attempt.remaining(sizes), first_attempt.outcomes(sizes)
    for size in sizes:
        for situation in ("alone", "next to 256 MiB"):
            assert played.loc[size, situation].startswith("steady") == (room.loc[size, situation] >= 0)
        if room.loc[size, "alone"] >= 0:  # two vCPUs are taken as well, whatever the memory
            assert played.loc[size, "update"] == "hangs"
            assert played.loc[size, "update, group of two"].startswith("steady")


class TestExplanations:
    def test_only_what_is_written_down_needs_nothing_else(self):
        table = first_attempt.hypotheses()
        assert list(table.index[table["possible"] == "yes"]) == ["8 GiB asked, as the definition says"]
        assert sum(words.startswith("only if") for words in table["possible"]) == 2

    def test_their_sums_are_those_of_the_instance(self):
        table = first_attempt.hypotheses()
        total = catalog.registered_memory("c6i.large").at_least_mib
        assert table.loc["3.5 GiB asked, on an empty instance", "first task"] == f"{total - 3584} to spare"
        assert table.loc["3.5 GiB, and ECS_RESERVED_MEMORY=256", "first task"] == f"short by {3584 + 256 - total}"

    @pytest.mark.parametrize(
        ("given", "verdict"),
        [
            ({"asked_mib": 3812}, "no: the task would have started"),
            ({"asked_mib": 3813}, "yes"),
            ({"asked_mib": 3813, "needs": "the sun shone"}, "only if the sun shone"),
            ({"asked_mib": 3813, "against": "it rained"}, "no: it rained"),
            ({"asked_mib": 3584, "claimed_mib": 1252}, "yes"),
            ({"asked_mib": 3584, "claimed_mib": 1253}, "no: the tuned task would not have started either"),
        ],
    )
    def test_the_first_task_must_be_short_and_the_tuned_one_fit(self, given, verdict):
        assert Hypothesis("", **given).judged(3812)["possible"] == verdict

    def test_no_type_registers_about_what_was_seen(self):
        assert first_attempt.near().empty
        assert "c6i.large" in first_attempt.near(3800).index

    def test_the_two_accounts_differ_by_what_is_in_use(self):
        table = first_attempt.accounts()
        assert list(table["the host shows"]) == [3812, 1252, 2560]
        assert (table.iloc[0] - table.iloc[1] == table.iloc[2]).all()


def test_the_attempts_in_order_with_their_reasons():
    table = first_attempt.attempts()
    assert list(table["start"]) == ["fails"] * 3 + ["steady after 43 s"] * 2
    assert [words.partition(":")[0] for words in table["reason"][:3]] == [
        "8192 MiB asked, 3812 MiB left",
        "1 GPU asked, 0 GPU left",
        "arm64 image on x86_64",
    ]
    assert list(table["update in place"][3:]) == ["hangs", "steady after 45 s"]


def test_the_verdict_has_the_number_that_was_short():
    assert "8192 MiB asked, 3812 MiB registered on a c6i.large: short by 4380 MiB" in first_attempt.verdict()
