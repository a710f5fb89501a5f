"""A day's traffic: traces that are refused, days as ECS would play them, and the arithmetic of their costs."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

from slpnb import catalog, config
from slpnb.ecs import scheduler
from slpnb.ecs.resources import TaskNeeds
from slpnb.errors import ParameterError, Refusal
from slpnb.fleet import Fleet, traffic
from tests.conftest import CASES as ALL_CASES

CASES = ALL_CASES / "traffic"
TASK = TaskNeeds(2560, 2048, dynamic_ports=1)
GROUP = Fleet("c6g.xlarge", 1, 3, ("us-east-1a", "us-east-1b"))


def cases(name):
    rows = json.loads((CASES / f"{name}.json").read_text(encoding="utf-8"))
    return [pytest.param(row, id=row["why"]) for row in rows]


def trace_of(values, column="cpu_units"):
    index = pd.date_range("2024-06-03", periods=len(values), freq="min")
    return pd.DataFrame({column: values}, index=index)


def play(values, fleet=GROUP, scaling=None, **more):
    return traffic.play(trace_of(values), TASK, fleet, scaling or traffic.Scaling(1, 5), **more)


@pytest.mark.parametrize("case", cases("mistakes"))
def test_a_bad_trace_is_refused_in_one_sentence(case):
    index = pd.DatetimeIndex([one and f"2024-06-03 {one}" for one in case["minutes"]])
    columns = {name: case[name] for name in ("requests", "cpu_units", "load") if name in case}
    with pytest.raises(ParameterError) as error:
        traffic.loads(pd.DataFrame(columns, index=index), case.get("cpu_milliseconds", 10))
    assert case["said"] in str(error.value)
    assert "\n" not in str(error.value)


def test_an_index_without_times_is_refused():
    with pytest.raises(ParameterError, match="must hold a timestamp for each minute, not 0"):
        traffic.loads(pd.DataFrame({"cpu_units": [1]}))


@pytest.mark.parametrize("case", cases("days"))
def test_days(case):
    values = [units for minutes, units in case["cpu_units"] for _ in range(minutes)]
    fleet = Fleet("c6g.xlarge", 1, case.get("max_instances", 3), GROUP.zones)
    day = play(values, fleet, traffic.Scaling(case.get("minimum", 1), case.get("maximum", 5)))
    minutes = day.minutes.reset_index(drop=True)
    changed = minutes["desired"][minutes["desired"].diff().ne(0)]
    assert [list(pair) for pair in changed.items()] == case["desired"]
    assert minutes["instances"].iloc[-1] == case.get("instances_at_end", case["instances"])
    row = day.fleets().iloc[0]
    for name in {"tasks", "instances", "short", "over_target"} & case.keys():
        assert row[name] == case[name], name


def test_requests_become_cpu_units():
    # 600 requests a minute of 100 ms keep one vCPU busy
    found = traffic.loads(trace_of([600, 0], "requests"), 100)
    assert found.tolist() == pytest.approx([1024, 0])


def test_a_trace_is_read_from_a_file(tmp_path):
    path = tmp_path / "trace.csv"
    path.write_text("minute,requests\n2024-06-03 00:00,10\n2024-06-03 00:01,20\n")
    pd.testing.assert_series_equal(
        traffic.loads(traffic.read(path), 60), traffic.loads(trace_of([10, 20], "requests"), 60), check_names=False,
        check_freq=False, check_index_type=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "no trace can be read"),
        ("", "no trace can be read"),
        ("time,requests\n1,2\n", "column minute is missing, there are time, requests"),
        ("minute,requests\nnoon,2\n", "column minute holds something that is not a time"),
    ],
)
def test_a_file_that_is_no_trace_is_refused_by_name(tmp_path, text, said):
    path = tmp_path / "trace.csv"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ParameterError) as error:
        traffic.read(path)
    assert said in str(error.value)
    assert "trace.csv" in str(error.value)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"minimum_tasks": 0, "maximum_tasks": 5}, "scaling from 0 to 5 tasks"),
        ({"minimum_tasks": 6, "maximum_tasks": 5}, "scaling from 6 to 5 tasks"),
        ({"minimum_tasks": 1, "maximum_tasks": 5, "target_percent": 0}, "scaling at 0 %"),
        ({"minimum_tasks": 1, "maximum_tasks": 5, "cooldown_seconds": -1}, "cooldown of -1 s"),
    ],
)
def test_a_scaling_that_cannot_be_is_refused(wrong, said):
    with pytest.raises(ParameterError, match=said):
        traffic.Scaling(**wrong)


def test_a_task_without_cpu_has_no_utilization_to_follow():
    with pytest.raises(ParameterError, match="the task reserves no CPU"):
        traffic.play(trace_of([1]), TaskNeeds(256), GROUP, traffic.Scaling(1, 5))


def test_a_service_that_never_starts_has_no_day():
    why = "short by 433 MiB, even on an empty instance"
    with pytest.raises(Refusal, match=f"the day cannot begin, since the service never becomes steady: {why}"):
        traffic.play(trace_of([1]), TaskNeeds(8192, 1024), GROUP, traffic.Scaling(1, 5))


def test_instances_are_paid_for_by_the_second_from_their_launch():
    day = play([1000] * 30 + [5000] * 60)
    price = catalog.instance_type("c6g.xlarge").usd_per_hour
    minutes = day.minutes["usd"] / price * 60  # instances, on average
    assert (minutes <= day.minutes["instances"] + 1e-9).all()
    assert minutes.iloc[:30].tolist() == pytest.approx([1] * 30)
    assert minutes.iloc[-1] == pytest.approx(2)


def test_a_type_without_a_price_has_no_dollars():
    fleet = Fleet("hpc6a.48xlarge", 1, 1)
    day = traffic.play(trace_of([1000] * 3), TASK, fleet, traffic.Scaling(1, 2))
    assert day.minutes["usd"].isna().all()
    assert day.fleets()["usd"].isna().all()


def test_fixed_fleets_cost_the_same_all_day_and_cover_what_they_cover():
    day = play([1000] * 30 + [5000] * 60)
    table = day.fleets()
    assert list(table.index) == ["scaled, 1 to 5", *(f"fixed, {tasks}" for tasks in range(1, 6))]
    assert table.loc["fixed, 1", "short"] == 60
    assert table.loc["fixed, 3", ["instances", "short", "over_target", "least_headroom"]].tolist() == [2, 0, 60, 1144]
    assert table.loc["fixed, 5", "usd_month"] == pytest.approx(3 * 0.136 * 730, abs=0.01)
    assert table["usd"].iloc[1:].is_monotonic_increasing


def test_fixed_fleets_end_where_the_group_does():
    fleet = Fleet("c6g.xlarge", 1, 2)
    assert list(play([1000] * 2, fleet).fleets().index)[-1] == "fixed, 4"
    many = play([1000] * 2, Fleet("c6g.xlarge", 1, 60), traffic.Scaling(1, 100)).fleets()
    assert len(many) <= traffic.FIXED_ROWS + 1
    assert many["tasks"].iloc[-1] == 100


def test_the_parameters_service_on_a_sample_day():
    day = traffic.of(config.load("staging"), traffic.sample(), 40)
    assert len(day.minutes) == 1440
    assert day.by_hour(1).shape[0] == 24
    assert day.by_hour(1)["usd"].sum() == pytest.approx(day.minutes["usd"].sum(), abs=0.12)
    assert day.fleets()["usd"].iloc[0] < day.fleets()["usd"].iloc[-1]
    assert repr(day).startswith("24 hours: 1 to 5 tasks on 1 to 3 x c6g.xlarge, ")
    assert repr(traffic.of(config.load("staging"), traffic.sample(), 40)) == repr(day)


traces = st.lists(
    st.tuples(st.integers(1, 25), st.sampled_from([0, 500, 1500, 3000, 5000, 9000])), min_size=1, max_size=5
)


@settings(max_examples=40, deadline=None)
@given(traces, st.integers(1, 3), st.integers(0, 4), st.integers(1, 4))
def test_no_limit_is_broken_and_the_sums_are_right(parts, minimum, more, most):
    values = [units for minutes, units in parts for _ in range(minutes)]
    scaling = traffic.Scaling(minimum, minimum + more)
    fleet = Fleet("c6g.xlarge", 1, max(most, -(-minimum // 2)))
    day = play(values, fleet, scaling)
    table = day.minutes
    assert table["load_units"].tolist() == values
    assert table["desired"].between(minimum, minimum + more).all()
    assert (table["tasks"] <= table["desired"].cummax()).all()
    assert table["instances"].between(1, fleet.max_instances).all()
    assert (table["tasks"] <= 2 * table["instances"]).all()
    assert (table["headroom_units"] == table["tasks"] * 2048 - table["load_units"]).all()
    fixed = day.fleets().iloc[1:]
    assert (fixed["short"].diff().dropna() <= 0).all()


def test_stepping_by_events_is_stepping_by_seconds(monkeypatch):
    values = [1000] * 5 + [6000] * 25 + [200] * 50
    by_events = play(values).minutes
    real = scheduler.advance

    def by_seconds(state, seconds):
        while seconds > 1:
            state, seconds = real(state, 1), seconds - 1
        return real(state, seconds)

    monkeypatch.setattr(scheduler, "advance", by_seconds)
    pd.testing.assert_frame_equal(play(values).minutes, by_events)
