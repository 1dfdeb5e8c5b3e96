"""What came of a run, for people and for programs."""

from __future__ import annotations

import statistics
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from callspool_operators.commands.show import lines_of
from chaos.settling import look_up_stories

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    import redis

    from chaos.contacts import Key
    from chaos.judging import Found

DEBUGGED = 10
"""Documents of each violation whose log lines and stories are told."""


@dataclass(slots=True)
class Report:
    """The figures of one run; ``violations`` name what must not be, with its documents."""

    seed: int
    seconds: float
    documents: int
    requests: int = 0
    reads: int = 0
    incomplete_requests: int = 0
    faults: dict[str, int] = field(default_factory=dict)
    lost: int = 0
    called_twice: int = 0
    wrongly_recorded: int = 0
    wrongly_dead: int = 0
    not_settled: int = 0
    in_doubt: int = 0
    in_doubt_but_created: int = 0
    doubts: dict[str, int] = field(default_factory=dict)
    """Documents in doubt by the reason that `show` gives."""

    states: dict[str, int] = field(default_factory=dict)
    counted: dict[str, int] = field(default_factory=dict)
    submissions: dict[str, int] = field(default_factory=dict)
    outcomes: dict[str, int] = field(default_factory=dict)
    events: dict[str, int] = field(default_factory=dict)
    enqueued: dict[str, int] = field(default_factory=dict)
    settled: bool = False
    settled_after: float = 0.0
    settle_median: float | None = None
    settle_worst: float | None = None
    supervisors_restarted: int = 0
    timeline: list[tuple[float, float, str]] = field(default_factory=list)
    """When each fault of processes and connections began and ended, in seconds of the run."""

    problems: list[str] = field(default_factory=list)
    noted: dict[str, int] = field(default_factory=dict)
    violations: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    @property
    def good(self) -> bool:
        """Whether the promises were kept and the counts add up."""
        return not self.violations and not self.problems

    def save(self, path: Path) -> None:
        """Writes it as JSON."""
        fields = {"good": self.good, **asdict(self)}
        path.write_bytes(msgspec.json.format(msgspec.json.encode(fields), indent=1) + b"\n")

    def _doubts(self) -> str:
        return f"{self.in_doubt:,} (created in truth: {self.in_doubt_but_created:,})"

    def lines(self) -> list[str]:
        """The report as people read it."""
        rows: list[tuple[str, object]] = [
            ("seed", self.seed),
            ("documents", self.documents),
            ("create requests", self.requests),
            ("reads", self.reads),
            *((f"  {name}", count) for name, count in sorted(self.faults.items())),
            ("faults that happened", sum(self.faults.values())),
            *((f"  {name}", count) for name, count in sorted(self.enqueued.items())),
            ("lost", self.lost),
            ("called twice", self.called_twice),
            ("wrongly recorded", self.wrongly_recorded),
            ("wrongly dead", self.wrongly_dead),
            ("not settled", self.not_settled),
            ("in doubt", self._doubts()),
            *((f"  {count:,} because", why) for why, count in self.doubts.items()),
            ("ledger", _sums(self.counted)),
            ("calls", ", ".join(f"{n:,} {name}" for name, n in self.outcomes.items() if n)),
            ("feed", ", ".join(f"{n:,} {name}" for name, n in sorted(self.events.items()))),
            ("time to settle", _times(self)),
            ("settled after healing", f"{self.settled_after:.1f} s" if self.settled else "never"),
        ]
        lines = [f"{name:<34}{_number(value)}" for name, value in rows]
        lines += [f"problem: {problem}" for problem in self.problems]
        lines += [f"noted {count} times: {text}" for text, count in self.noted.items()]
        for name, cases in self.violations.items():
            lines += [f"VIOLATION {name}: {case['document_id']}" for case in cases]
        return [*lines, "all promises kept" if self.good else "PROMISES BROKEN"]


def settle_times(found: Iterable[Found | None]) -> tuple[float | None, float | None]:
    """Median and worst seconds from acceptance to creation."""
    times = [one.seconds for one in found if one and one.seconds is not None]
    return (statistics.median(times), max(times)) if times else (None, None)


def cases(
    violations: Mapping[str, list[Key]],
    log: Iterable[Mapping[str, Any]],
    client: redis.Redis,
    acknowledged: Mapping[Key, float],
) -> dict[str, list[dict[str, Any]]]:
    """Every violation's documents, the first ones with their log lines and their stories.

    ``acknowledged``: when `enqueue` first returned, in seconds of the run.
    """
    shown = {key for keys in violations.values() for key in keys[:DEBUGGED]}
    wanted = {key.document_id for key in shown}
    lines: dict[str, list[object]] = {document_id: [] for document_id in wanted}
    for line in log:
        created = line.get("created") or ()
        for document_id in wanted.intersection(created):
            others = {"created": f"{len(created)} documents"}
            lines[document_id].append({**line, **others})
    return {
        name: [
            {
                "document_id": key.document_id,
                "scope": list(key.scope),
                "acknowledged": acknowledged.get(key),
            }
            | (
                {"log": lines[key.document_id], "story": _story(client, key)}
                if key in shown
                else {}
            )
            for key in keys
        ]
        for name, keys in violations.items()
    }


def api_faults(log: Iterable[Mapping[str, Any]]) -> Counter[str]:
    """Which faults of its own the API's log tells, and what only a bug of ours could send."""
    faults: Counter[str] = Counter()
    for line in log:
        if line.get("fault"):
            faults[f"api {'read ' if line.get('method') == 'GET' else ''}{line['fault']}"] += 1
        if line.get("sandbox_violation"):
            faults[f"sandbox_violation: {line['sandbox_violation']}"] += 1
    return faults


def _story(client: redis.Redis, key: Key) -> list[str]:
    return [line for story in look_up_stories(client, key) for line in lines_of(story)]


def _sums(counted: Mapping[str, int]) -> str:
    accepted = counted.get("accepted", 0)
    states = [f"{count:,} {name}" for name, count in counted.items() if count and name in _STATES]
    return f"{accepted:,} accepted = {' + '.join(states) or 0}"


_STATES = {"waiting", "sending", "in_doubt", "created", "dead", "cancelled", "expired"}


def _times(report: Report) -> str:
    if report.settle_median is None or report.settle_worst is None:
        return "nothing settled"
    return f"median {report.settle_median:.2f} s, worst {report.settle_worst:.1f} s"


def _number(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)
