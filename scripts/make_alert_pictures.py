"""Plays the end-to-end test's run, and writes what it showed: transcript and pictures.

python -m scripts.make_alert_pictures

Changes docs/alerts.md (between its marks) and docs/pictures. Needs Debian's `prometheus`.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from grafana.alerting import rules
from grafana.boards import delivery, overview, workers_and_redis
from grafana.boards.spec import Query
from grafana.picture import page, timeline
from tests.grafana.answers import Answers, answers_of
from tests.grafana.installation import Installation
from tests.grafana.scenes import QUICK, play
from tests.grafana.watch import Watch

if TYPE_CHECKING:
    from grafana.boards.spec import Board, Panel
    from tests.support.prometheus_server import PrometheusServer

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "alerts.md"
PICTURES = ROOT / "docs" / "pictures"
BEGIN, END = "<!-- transcript -->\n", "<!-- end of transcript -->\n"
BOARDS = {
    "overview.svg": overview.board,
    "delivery.svg": delivery.board,
    "workers-and-redis.svg": workers_and_redis.board,
}
ALERTS = Query('max by (alertname, severity) (ALERTS{alertstate="firing"})', "")


def main() -> None:
    """Plays, about a minute; writes."""
    with (
        tempfile.TemporaryDirectory() as directory,
        Installation(Path(directory), rules.files(QUICK)) as stage,
        Watch(stage.prometheus) as watch,
    ):
        play(stage, watch)
        ended = time.time()
        _write_transcript(watch)
        for name, build in BOARDS.items():
            _draw(name, build(QUICK), stage.prometheus, watch, ended)
        _draw_timeline(stage.prometheus, watch, ended)


def _write_transcript(watch: Watch) -> None:
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    told = "\n".join(["```", *watch.lines, "```", ""])
    PAGE.write_text(f"{before}{BEGIN}{told}{END}{after}", encoding="utf-8")


def _draw(
    name: str, board: Board, prometheus: PrometheusServer, watch: Watch, ended: float
) -> None:
    answers = {
        panel.title: _answers(panel, prometheus, watch.began, ended) for panel in board.panels
    }
    told = page.picture(board, answers, watch.began, ended, watch.busiest)
    (PICTURES / name).write_text(told, encoding="utf-8")


def _answers(panel: Panel, prometheus: PrometheusServer, began: float, ended: float) -> Answers:
    found: Answers = {}
    for query in panel.queries:
        legend = "{{alertname}}|{{severity}}|{{account}}" if panel.kind == "table" else query.legend
        found |= answers_of(prometheus, Query(query.expr, legend), began, ended)
    return found


def _draw_timeline(prometheus: PrometheusServer, watch: Watch, ended: float) -> None:
    asked = Query(ALERTS.expr, "{{alertname}}|{{severity}}")
    found = answers_of(prometheus, asked, watch.began, ended)
    alerts = {
        (name, severity): points
        for legend, points in found.items()
        for name, _, severity in [legend.partition("|")]
    }
    told = timeline.picture(alerts, watch.marks, watch.began, ended)
    (PICTURES / "alerts.svg").write_text(told, encoding="utf-8")


if __name__ == "__main__":
    main()
