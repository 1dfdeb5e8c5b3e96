from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from grafana.alerting.config import Config
from grafana.boards.spec import Board, Panel
from grafana.build import BOARDS, ROOT, files

RUNBOOK = ROOT.parent / "docs" / "runbook.md"


def boards() -> list[Board]:
    return [board(Config()) for board in BOARDS.values()]


def panels() -> list[Panel]:
    return [panel for board in boards() for panel in board.panels]


@pytest.mark.parametrize("path", files(Config()), ids=str)
def test_what_is_committed_is_what_the_code_builds(path: Path):
    committed = (ROOT / path).read_text(encoding="utf-8")
    assert committed == files(Config())[path], "run make dashboards"


def test_nothing_is_committed_that_the_code_does_not_build():
    found = {
        path.relative_to(ROOT)
        for name in ("dashboards", "rules")
        for path in (ROOT / name).iterdir()
    }
    assert found == set(files(Config()))


def test_panels_lead_to_headings_of_the_runbook():
    headings = {line[3:] for line in RUNBOOK.read_text().splitlines() if line.startswith("## ")}
    assert {panel.runbook for panel in panels()} - {""} <= headings
    assert [panel.title for panel in panels() if not panel.runbook and panel.kind != "table"] == []


def test_a_panel_says_what_good_looks_like():
    assert [panel.title for panel in panels() if "ood:" not in panel.description] == []


def test_no_panel_shows_what_another_of_its_dashboard_shows():
    for board in boards():
        over_time = [panel for panel in board.panels if panel.kind != "stat"]
        asked = Counter(query.expr for panel in over_time for query in panel.queries)
        assert [expr for expr, times in asked.items() if times > 1] == []


def test_rows_are_filled_and_no_panel_is_wider_than_the_page():
    for board in boards():
        for row in board.rows:
            assert sum(panel.width for panel in row.panels) % 24 == 0, (board.uid, row.title)


@pytest.mark.parametrize("name", BOARDS)
def test_panels_lie_beside_and_below_each_other_never_over_each_other(name: str):
    told = json.loads((ROOT / "dashboards" / name).read_text())
    covered: Counter[tuple[int, int]] = Counter()
    for panel in told["panels"]:
        place = panel["gridPos"]
        for x in range(place.get("x", 0), place.get("x", 0) + place["w"]):
            covered.update((x, place["y"] + y) for y in range(place["h"]))
    assert max(covered.values()) == 1
    assert max(x for x, _ in covered) == 23


@pytest.mark.parametrize("name", BOARDS)
def test_every_panel_asks_the_data_source_that_was_chosen(name: str):
    told = json.loads((ROOT / "dashboards" / name).read_text())
    shown = [panel for panel in told["panels"] if panel["type"] != "row"]
    sources = {
        json.dumps(each["datasource"]) for panel in shown for each in [panel, *panel["targets"]]
    }
    assert sources == {json.dumps({"type": "prometheus", "uid": "${datasource}"})}
    assert len({panel["id"] for panel in shown}) == len(shown)


def test_an_installation_has_its_own_runbook():
    texts = files(Config(runbook="https://wiki.example/calls"))
    assert all(
        "https://wiki.example/calls#callspool" in text
        for path, text in texts.items()
        if "recording" not in path.name
    )
