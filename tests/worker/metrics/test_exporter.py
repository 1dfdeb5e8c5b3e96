"""`callspool exporter`, as an operator runs it and Prometheus reads it."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from callspool import CallQueue, CallRequest, Document
from tests.support import cli, prometheus
from tests.support.servers import RedisServer, free_port
from tests.worker.metrics.scraped import exporter, get, samples_in, value

OPENMETRICS = "application/openmetrics-text; version=1.0.0"


def test_redis_may_go_and_come_while_the_exporter_answers_soon(tmp_path: Path):
    with RedisServer(append_only=True) as server:
        env = cli.environment(tmp_path, CALLSPOOL_REDIS_URL=server.url)
        with exporter(env, tmp_path) as url:
            assert value(samples_in(get(f"{url}/metrics")[2]), "callspool_redis_up") == 1
            assert get(f"{url}/readyz")[0] == 200
            server.signal(signal.SIGSTOP)  # it hangs, and refuses nothing
            begun = time.monotonic()
            hanging = samples_in(get(f"{url}/metrics")[2])
            assert time.monotonic() - begun < 8
            server.signal(signal.SIGCONT)
            server.kill()
            gone = samples_in(get(f"{url}/metrics")[2])
            for samples in (hanging, gone):
                assert {name for name, _ in samples} == {
                    "callspool_up",
                    "callspool_redis_up",
                    "callspool_scrape_seconds",
                }
                assert value(samples, "callspool_up") == 1
                assert value(samples, "callspool_redis_up") == 0
            assert get(f"{url}/readyz")[0] == 503
            assert get(f"{url}/healthz")[0] == 200
            server.start()
            back = samples_in(get(f"{url}/metrics")[2])
            assert value(back, "callspool_redis_up") == 1
            assert value(back, "callspool_redis_persistence_ok") == 1
            assert get(f"{url}/readyz")[0] == 200


def test_it_starts_before_redis_does(tmp_path: Path):
    url = f"redis://127.0.0.1:{free_port()}/0"
    with exporter(cli.environment(tmp_path, CALLSPOOL_REDIS_URL=url), tmp_path) as address:
        assert value(samples_in(get(f"{address}/metrics")[2]), "callspool_redis_up") == 0


def test_text_and_openmetrics_say_the_same(tmp_path: Path, redis_url: str):
    with CallQueue(redis_url) as queue:
        document = Document(name="Ada", contact_number="+14155550123")
        queue.enqueue(
            CallRequest(
                space_token="SPACE", pilot="pilot", context="Follow up", documents=[document]
            )
        )
    env = cli.environment(tmp_path, CALLSPOOL_REDIS_URL=redis_url)
    with exporter(env, tmp_path) as url:
        status, content_type, text = get(f"{url}/metrics")
        assert (status, content_type) == (200, "text/plain; version=0.0.4; charset=utf-8")
        assert value(samples_in(text), "callspool_spooled_messages") == 1
        _, content_type, openmetrics = get(f"{url}/metrics", OPENMETRICS)
        assert content_type.startswith("application/openmetrics-text; version=1.0.0")
        assert openmetrics.endswith("# EOF\n")
        assert get(f"{url}/elsewhere")[0] == 404
        assert "/metrics" in get(url)[2]
    names = {name for name, _ in samples_in(text)}
    for line in openmetrics.splitlines():
        assert line.startswith("#") or line.partition("{")[0].partition(" ")[0] in names


@pytest.mark.prometheus
def test_names_units_and_help_pass_promtool(tmp_path: Path, redis_url: str):
    env = cli.environment(tmp_path, CALLSPOOL_REDIS_URL=redis_url)
    with exporter(env, tmp_path) as url:
        checked = prometheus.promtool("check", "metrics", stdin=get(f"{url}/metrics")[2])
    # It counts calls, and is no span in hours.
    known = 'callspool_calls_outside_hours_total use base unit "seconds" instead of "hours"\n'
    assert (checked.stdout, checked.stderr) == ("", known)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--port", "{taken}"], "end what listens there, or give another with --port"),
        (["--port", "70000"], "must be a whole number from 0 to 65535"),
        (["--host", "nowhere.invalid", "--port", "0"], "give an address of this machine"),
        (["--host", "192.0.2.1", "--port", "0"], "give an address of this machine"),
        (["--host", "not an address"], "must be the name or address of a host"),
        (["--redis", "http://x"], "must start with redis://"),
    ],
)
def test_wrong_use_is_told_in_one_line(
    arguments: list[str], reason: str, tmp_path: Path, redis_url: str
):
    taken = redis_url.rpartition(":")[2].partition("/")[0]
    arguments = [each.format(taken=taken) for each in arguments]
    done = cli.call(["exporter", *arguments], cli.environment(tmp_path), tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert reason in done.stderr
    assert done.stderr.count("\n") == 1
