from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from grafana.alerting.config import Config
from grafana.boards.spec import Board
from grafana.build import BOARDS, ROOT
from grafana.picture import page, timeline
from grafana.picture.words import ceiling, told

PICTURES = ROOT.parent / "docs" / "pictures"
SVG = "{http://www.w3.org/2000/svg}"
POINTS = [(100.0 + second, float(second % 3)) for second in range(30)]


def words(picture: str) -> list[str]:
    return [each.text or "" for each in ET.fromstring(picture).iter(f"{SVG}text")]


def boards() -> list[Board]:
    return [board(Config()) for board in BOARDS.values()]


@pytest.mark.parametrize("board", boards(), ids=lambda board: board.uid)
def test_a_picture_has_every_panel_and_says_that_it_is_drawn(board: Board):
    answers = {
        panel.title: {"0.5" if panel.kind == "heatmap" else "CallspoolX|page|one": POINTS}
        for panel in board.panels
    }
    drawn = words(page.picture(board, answers, 100, 130, 120))
    assert {panel.title for panel in board.panels} | {row.title for row in board.rows} <= set(drawn)
    assert any("not a screenshot" in each for each in drawn)


@pytest.mark.parametrize("board", boards(), ids=lambda board: board.uid)
def test_the_pictures_of_the_docs_show_the_panels_of_today(board: Board):
    picture = PICTURES / f"{board.uid.removeprefix('callspool-')}.svg"
    drawn = set(words(picture.read_text(encoding="utf-8")))
    missing = {panel.title for panel in board.panels} - drawn
    assert missing == set(), "run python -m scripts.make_alert_pictures"


def test_a_panel_without_an_answer_is_drawn_empty():
    board = boards()[0]
    drawn = words(page.picture(board, {each.title: {} for each in board.panels}, 0, 60, 30))
    assert "none" in drawn


def test_the_timeline_begins_a_bar_wherever_an_alert_fires_anew():
    points = [(100.0, 1.0), (100.5, 1.0), (110.0, 1.0)]
    drawn = timeline.picture({("CallspoolRedisAway", "page"): points}, [(100, "x")], 90, 120)
    bars = [
        each for each in ET.fromstring(drawn).iter(f"{SVG}rect") if each.get("height") == "13.0"
    ]
    assert len(bars) == 2
    assert "RedisAway" in words(drawn)


def test_axes_end_with_round_numbers_and_units_are_told():
    assert [ceiling(value) for value in (0, 0.3, 7, 11, 450)] == [1, 0.5, 10, 20, 500]
    assert [ceiling(54, "s"), ceiling(100, "s"), ceiling(0.3, "s")] == [60, 120, 0.5]
    assert [told(90, "s"), told(0.25, "percentunit"), told(3 * 1024**2, "bytes")] == [
        "1.5 min",
        "25.0 %",
        "3 MiB",
    ]
