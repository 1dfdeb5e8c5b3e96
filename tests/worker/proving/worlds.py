"""Made-up worlds: attempts of several campaigns and what an API made of them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hypothesis import strategies as st

from callspool_worker.proving.records import Question, RunRead, RunSeen, TaskSeen

DAY = 86_400.0


@dataclass(frozen=True)
class World:
    """``truth``: run → the number of the attempt that made it, -1 for another system's."""

    questions: list[Question]
    runs: list[RunRead]
    truth: dict[str, int]
    marks_kept: bool

    def elsewhere(self, question: Question) -> frozenset[str]:
        others = (one.places for one in self.questions if one is not question)
        return frozenset().union(*others)

    def created(self, question: Question) -> set[int]:
        """The places of an attempt's documents that have a task."""
        own = {run for run, attempt in self.truth.items() if attempt == question.attempt}
        return {
            question.places[name]
            for run in self.runs
            if run.seen.run_id in own
            for task in run.tasks
            for name in task.names
        }


def question(attempt: int, ids: list[str], *, marked: bool, sent: float = DAY) -> Question:
    return Question(
        batch=attempt,
        attempt=attempt,
        seal="seal",
        lane_id="lane",
        places={one: place for place, one in enumerate(ids)},
        open=frozenset(range(len(ids))),
        mark=f"us-{attempt}" if marked else None,
        run_id=None,
        answered=False,
        sent_ms=int(sent * 1000),
        since_ms=int(sent * 1000) + 10_000,
        tries=1,
        size=len(ids),
    )


def run(
    run_id: str, ids: list[str], mark: str | None, *, sent: int | None = None, created: float = DAY
) -> RunRead:
    tasks = tuple(TaskSeen(f"T-{run_id}-{one}", one, mark) for one in ids)
    counted = len(ids) if sent is None else sent
    return RunRead(RunSeen(run_id, created, zoned=True, batch_count=counted), tasks)


_some_ids = st.lists(st.sampled_from("abcdef"), min_size=1, max_size=4, unique=True)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    marked, kept = draw(st.booleans()), draw(st.booleans())
    questions: list[Question] = []
    runs: list[RunRead] = []
    truth: dict[str, int] = {}
    for attempt in range(1, draw(st.integers(1, 4)) + 1):
        ids = draw(_some_ids)
        asked = question(attempt, ids, marked=marked)
        made = draw(st.integers(0, len(ids)))
        if draw(st.booleans()):  # the run was written; maybe not all of its tasks, maybe none
            name = f"R{attempt}"
            truth[name] = attempt
            seen = run(name, ids[:made], asked.mark if kept else None, sent=len(ids))
            if draw(st.booleans()):
                asked = replace(asked, run_id=name)
            runs.append(seen)
        questions.append(asked)
    for number in range(draw(st.integers(0, 2))):
        mark = draw(st.sampled_from([None, "them-1"])) if kept else None
        ids = draw(st.lists(st.sampled_from("abcdefxyz"), min_size=1, max_size=4, unique=True))
        runs.append(run(f"O{number}", ids, mark))
        truth[f"O{number}"] = -1
    return World(questions, draw(st.permutations(runs)), truth, marked and kept)
