"""Measuring: what text means, what follows from it, and one container really measured."""

from __future__ import annotations

import json
import re
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from hypothesis import given, strategies as st

from slpnb import engine as engines
from slpnb.errors import Refusal
from slpnb.repository import ROOT
from slpnb.runner import measuring
from slpnb.sizing import charts, measure
from slpnb.sizing.measure import Load, Measured, Memory, Moment
from tests.conftest import CASES
from tests.engines import needs_engine
from tests.wordpress.world import HOST, open_world

CASE = CASES / "measure" / "container.json"
SCRIPT = (ROOT / "docker/wordpress/root/usr/local/bin/wordpress").read_text(encoding="utf-8")


def recorded() -> Measured:
    return Measured.from_dict(json.loads(CASE.read_text(encoding="utf-8")))


def made(*memories: Memory, limit: int = 2048) -> Measured:
    return Measured("image:1", "Podman 4", limit, 0.5, tuple(Moment(f"{n}", one) for n, one in enumerate(memories)))


# --- text -----------------------------------------------------------------------------------------------------

VERSION_2 = """\
== /sys/fs/cgroup/memory.current
104857600
== /sys/fs/cgroup/memory.stat
anon 31457280
file 62914560
shmem 20971520
inactive_file 10485760
total_something 1
== nginx 1700000000.250000000
== worker 17
7f1-7fff ---p 00000000 00:00 0 [rollup]
Rss:               40960 kB
Private_Clean:      1024 kB
Private_Dirty:      4096 kB
Name:	php-fpm8.2
VmHWM:	   49152 kB
RssAnon:	    9216 kB
RssFile:	    8192 kB
RssShmem:	   29696 kB
== worker 18
Private_Clean:         0 kB
Private_Dirty:      7168 kB
VmHWM:	   40960 kB
RssFile:	    8192 kB
RssShmem:	   29696 kB
== worker 19
"""
VERSION_1 = """\
== /sys/fs/cgroup/memory/memory.usage_in_bytes
104857600
== /sys/fs/cgroup/memory/memory.stat
rss 1
shmem 2
inactive_file 3
total_rss 31457280
total_shmem 20971520
total_inactive_file 10485760
"""


def test_memory_is_what_counts_less_files_read_long_ago():
    seen = measure.memory(VERSION_2)
    assert (seen.total, seen.anonymous, seen.shared) == (90, 30, 20)
    assert seen.apart == 90 - 12


def test_a_workers_share_is_private_and_its_peak_all_it_had_less_what_it_shares():
    seen = measure.memory(VERSION_2)
    assert seen.workers == (7, 5)  # largest first; one that ended meanwhile is none
    assert seen.peaks == (11, 7)  # the second had less resident than it has private: then that


def test_control_groups_of_version_1_are_read_too():
    seen = measure.memory(VERSION_1)
    assert (seen.total, seen.anonymous, seen.shared, seen.workers) == (90, 30, 20, ())


@pytest.mark.parametrize("text", ["", "== worker 1\nPrivate_Dirty: 5 kB\n", "== /sys/fs/cgroup/memory.current\n5\n"])
def test_a_container_that_shows_no_memory_is_refused(text):
    with pytest.raises(Refusal, match="exposes no memory controller"):
        measure.memory(text)


def test_the_start_is_told_by_nginx():
    assert measure.started(VERSION_2) == 1700000000.25
    assert measure.started(VERSION_1) is None


WRK = """\
Running 4s test @ http://127.0.0.1:8080/
  2 threads and 16 connections
    Latency   250.01ms   80.11ms   1.02s    75.00%
  240 requests in 4.00s, 12.00MB read
{more}Requests/sec:     60.00
"""


def test_requests_that_were_not_answered_as_they_should_do_not_count():
    clean = measure.wrk_load(WRK.format(more=""), 16)
    assert clean == Load("wrk", 16, 4.0, 240, 0)
    assert clean.requests_a_second == 60
    broken = measure.wrk_load(WRK.format(more="  Non-2xx or 3xx responses: 40\n"), 16)
    assert broken.requests_a_second == 50


def test_a_load_of_minutes_and_one_of_milliseconds_are_in_seconds():
    assert measure.wrk_load("90 requests in 1.50m, 1MB read", 1).seconds == 90
    assert measure.wrk_load("9 requests in 500.00ms, 1MB read", 1).seconds == 0.5


def test_a_load_tool_without_a_result_is_refused_with_what_it_said():
    with pytest.raises(Refusal, match="unable to connect"):
        measure.wrk_load("unable to connect to 127.0.0.1:1 Connection refused", 4)


# --- what follows ---------------------------------------------------------------------------------------------


def image_says(limits: list[int]) -> list[int]:
    """The pool's size by the image's own function."""
    function = re.search(r"^workers\(\) \{.*?^\}$", SCRIPT, re.MULTILINE | re.DOTALL)
    assert function
    program = f"{function[0]}\nfor limit in {' '.join(map(str, limits))}; do workers $limit; done"
    done = subprocess.run(["bash", "-euc", program], capture_output=True, text=True, check=True)
    return [int(line) for line in done.stdout.split()]


def test_workers_are_as_many_as_the_image_itself_starts():
    limits = [6, 128, 255, 256, 383, 384, 447, 448, 512, 1024, 2048, 3072, 3584, 4351, 4352, 8192, 65536]
    assert [measure.workers(limit) for limit in limits] == image_says(limits)


@given(st.integers(measure.FEWEST, measure.MOST))
def test_the_limit_for_so_many_workers_is_the_least(count):
    limit = measure.limit_for(count)
    assert measure.workers(limit) == count
    assert count == measure.FEWEST or measure.workers(limit - 1) == count - 1


@pytest.mark.parametrize("count", [0, 1, 65])
def test_numbers_of_workers_that_the_pool_does_not_know_are_refused(count):
    with pytest.raises(Refusal, match="2 to 64"):
        measure.limit_for(count)


def test_needs_are_the_largest_of_each_whenever_they_were():
    first, second = Memory(60, 0, 0, (5, 5), (11, 8)), Memory(80, 0, 0, (6, 4, 4), (9, 9, 9))
    found = measure.needs(made(first, second))
    assert (found.apart_mib, found.worker_mib) == (66, 11)
    assert found.total(10) == 176
    assert measure.needs(made(first, second), margin_percent=50).total(10) == 264


def test_without_a_worker_nothing_is_said_of_workers():
    with pytest.raises(Refusal, match="no PHP worker was seen"):
        measure.needs(made(Memory(60, 0, 0)))


hungry = st.builds(
    lambda apart, worker: made(Memory(apart + worker, 0, 0, (worker,), (worker,))), st.floats(1, 900), st.floats(1, 300)
)


@given(hungry, st.integers(measure.FEWEST, measure.MOST))
def test_the_task_memory_holds_the_workers_and_makes_the_image_start_them(measured, count):
    memory = measure.task_memory(measured, count)
    assert measure.workers(memory) >= count
    assert measure.needs(measured, measure.MARGIN_PERCENT).total(count) <= memory
    assert memory % 64 == 0


def test_a_worker_larger_than_the_images_rule_thinks_makes_the_memory_larger():
    modest, large = made(Memory(110, 0, 0, (10,), (10,))), made(Memory(200, 0, 0, (100,), (100,)))
    assert measure.task_memory(modest, 8) == measure.limit_for(8) == 768
    assert measure.task_memory(large, 8) == 1152  # (100 + 8 x 100) x 1.25 = 1125
    assert measure.held(large, 1152) == 10
    assert measure.held(large, 100) == 0


def test_requests_a_mib_are_by_the_memory_of_the_same_moment():
    moment = Moment("load", Memory(80, 0, 0), Load("wrk", 8, 4.0, 200, 40))
    assert measure.requests_a_mib(moment) == 0.5
    assert measure.requests_a_mib(Moment("idle", Memory(80, 0, 0))) == 0


def test_the_best_moment_is_the_one_with_the_most_requests():
    assert measure.best(recorded()).name == "4 connections"
    with pytest.raises(Refusal, match="without load"):
        measure.best(made(Memory(60, 0, 0)))


def test_what_run_json_keeps_is_the_whole_of_it():
    measured = recorded()
    assert Measured.from_dict(json.loads(json.dumps(measured.to_dict()))) == measured


def test_tables_and_the_sentence_say_the_same_figures():
    measured = recorded()
    shown, sizes = measure.table(measured), measure.sizes(measured, [2, 28])
    assert list(shown.index) == ["idle", "warm", "1 connection", "4 connections", "16 connections"]
    assert shown.loc["16 connections", "MiB"] == 80
    assert list(sizes["container memory, MiB"]) == [384, 2048]
    said = measure.sentence(measured)
    assert said.startswith("ready in 0.4 s; 50 MiB plus 11 MiB per PHP worker; 11 requests per second in 70 MiB")
    assert "a limit of 2048 MiB allows 28 workers" in said
    assert "\n" not in said
    count, plain = int(said.rpartition(" ")[2]), measure.needs(measured)
    assert plain.total(count) <= measured.limit_mib < plain.total(count + 1), "the most whose measured memory fits"


def test_the_chart_says_the_limit_the_workers_and_each_moments_memory():
    figure = charts.container_memory(recorded())
    said = {text.get_text() for axes in figure.axes for text in axes.texts}
    assert {"limit 2048 MiB: 28 workers need 449", "63", "70, 11/s"} <= said
    assert charts.show(figure).svg() == charts.show(charts.container_memory(recorded())).svg()


# --- the edge -------------------------------------------------------------------------------------------------


class Pages(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        moved = self.headers["X-Forwarded-Proto"] != "https" or self.path == "/moved"
        self.send_response(302 if moved else 200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_):
        """Be quiet."""


@pytest.fixture(scope="module")
def port():
    with ThreadingHTTPServer(("127.0.0.1", 0), Pages) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def test_a_page_is_asked_for_as_the_balancer_does(port):
    measuring.demand_page(measuring.Target(port, "wp.example"))


def test_a_redirect_is_not_measured(port):
    with pytest.raises(Refusal, match=r"http://wp\.example/moved answers 302, must be 200"):
        measuring.demand_page(measuring.Target(port, "wp.example", "/moved"))


def test_a_port_that_nobody_listens_on_is_said_in_a_sentence(port):
    with ThreadingHTTPServer(("127.0.0.1", 0), Pages) as closed:
        free = closed.server_port
    with pytest.raises(Refusal, match=f"on port {free} does not answer"):
        measuring.demand_page(measuring.Target(free, "wp.example"))
    assert port != free


@pytest.mark.parametrize("tool", [measuring.looped, measuring.put_load])
def test_a_load_counts_what_was_answered_as_it_should(port, tool):
    load = tool(measuring.Target(port, "wp.example"), 2, 1)
    assert load.connections == 2
    assert load.requests > 0
    assert load.failed == 0


def test_the_loop_counts_what_was_not(port):
    load = measuring.looped(measuring.Target(port, "wp.example", "/moved"), 1, 0.2)
    assert load.failed == load.requests > 0


def test_engines_write_times_with_nine_digits_and_with_none():
    assert measuring._instant("2026-11-23T12:30:41.641168774Z").microsecond == 641168
    assert measuring._instant("2026-11-23T13:30:41+01:00") == measuring._instant("2026-11-23T12:30:41Z")


@needs_engine
def test_a_running_container_is_measured():
    with engines.find() as engine, open_world(engine) as world:
        assert world.task("install", WORDPRESS_ADMIN_PASSWORD="for-the-test")[0] == 0
        site = world.start("512m")
        target = measuring.Target(site.port, HOST)
        measured = measuring.measure(engine, site.container, target, (1, 8), 2)
        pool = int(re.search(r"at most (\d+) PHP workers", site.log())[1])
    assert [moment.name for moment in measured.moments] == ["idle", "warm", "1 connection", "8 connections"]
    assert measure.workers(measured.limit_mib) == pool
    for moment in measured.moments:
        assert 5 < moment.memory.total < measured.limit_mib
        assert 1 <= len(moment.memory.workers) <= pool
        assert moment.memory.workers[0] <= moment.memory.peaks[0] < moment.memory.total
    idle, *_, loaded = measured.moments
    assert loaded.memory.total > idle.memory.total
    assert loaded.load.requests > loaded.load.failed == 0
    assert 0 < measured.ready_seconds < 60
    assert Measured.from_dict(measured.to_dict()).to_dict() == measured.to_dict()


@pytest.mark.parametrize(
    ("seen", "whole"),
    [
        ("== a\n1\n== end 6\n", True),
        ("1\n== end 6\n", False),
        ("== a\n\n== end 6\n", False),
        ("== a\n1\n", False),
        ("== a\n1\n== end\n", False),
        ("", False),
    ],
)
def test_output_that_lost_its_beginning_its_middle_or_its_end_is_not_whole(seen, whole):
    assert measuring.is_whole(seen) is whole
