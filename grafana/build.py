"""Writes the dashboards and the rules that are committed.

python -m grafana.build [--runbook URL]

``--runbook`` is where your copy of docs/runbook.md can be read: alerts and panels link there.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from grafana.alerting import rules
from grafana.alerting.config import Config
from grafana.boards import delivery, overview, workers_and_redis
from grafana.boards.foundation import dashboard_json

ROOT = Path(__file__).parent
BOARDS = {
    "overview.json": overview.board,
    "delivery.json": delivery.board,
    "workers-and-redis.json": workers_and_redis.board,
}


def files(config: Config) -> dict[Path, str]:
    """Returns what is committed: paths below grafana/, and their text."""
    found = {
        Path("dashboards", name): dashboard_json(board(config), config.runbook)
        for name, board in BOARDS.items()
    }
    return found | {Path("rules", name): text for name, text in rules.files(config).items()}


def main() -> None:
    """Writes them."""
    parser = argparse.ArgumentParser(description="Write grafana/dashboards and grafana/rules.")
    parser.add_argument("--runbook", default=Config().runbook, help="address of your runbook.md")
    config = Config(runbook=parser.parse_args().runbook)
    for path, text in files(config).items():
        (ROOT / path).parent.mkdir(exist_ok=True)
        (ROOT / path).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
