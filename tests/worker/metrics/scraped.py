"""Reading what was scraped."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

from prometheus_client.parser import text_string_to_metric_families

from callspool_ledger.reads.reader import LedgerReader
from callspool_worker.metrics.exporter import LedgerCollector
from tests.support import cli

Samples: TypeAlias = dict[tuple[str, frozenset[tuple[str, str]]], float]

STATES = ("waiting", "sending", "in_doubt", "created", "dead", "cancelled", "expired")


def samples_in(text: str) -> Samples:
    """Every sample of a page by its name and labels."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float:
    """One sample's value."""
    return samples[name, frozenset(labels.items())]


def total(samples: Samples, name: str, **labels: str) -> float:
    """The sum of the samples that have these labels among theirs."""
    wanted = set(labels.items())
    return sum(number for (of, given), number in samples.items() if of == name and wanted <= given)


def get(url: str, accept: str = "text/plain", timeout: float = 10) -> tuple[int, str, str]:
    """Status, content type and text of a page."""
    request = urllib.request.Request(url, headers={"Accept": accept})
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except urllib.error.HTTPError as answer:
        with answer:
            return answer.code, answer.headers["Content-Type"], answer.read().decode()


def of_ledger(reader: LedgerReader) -> Samples:
    """What the collector makes of a ledger at this moment."""
    collected = LedgerCollector(reader.metrics, max_waiting=10).collect()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in collected
        for sample in family.samples
    }


@contextmanager
def exporter(env: dict[str, str], cwd: Path, *arguments: str) -> Iterator[str]:
    """`callspool exporter` in a process of its own; gives its address, without a path."""
    process = cli.start(["exporter", "--port", "0", *arguments], env, cwd)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert "listening on" in line, process.communicate()
        yield line.split()[-1].removesuffix("/metrics")
        process.terminate()
        _, errors = process.communicate(timeout=20)
        assert (process.returncode, errors) == (0, "")
    finally:
        process.kill()
        process.communicate()
