from __future__ import annotations

import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from grafana.alerting import rules
from grafana.build import BOARDS
from tests.grafana.answers import answers_of
from tests.grafana.installation import Installation
from tests.grafana.scenes import QUICK, play
from tests.grafana.watch import Watch


@pytest.mark.prometheus
@pytest.mark.timeout(400)
@pytest.mark.long
def test_alerts_fire_and_clear_and_every_panel_has_something_to_show(tmp_path: Path):
    with (
        Installation(tmp_path, rules.files(QUICK)) as stage,
        Watch(stage.prometheus) as watch,
    ):
        try:
            play(stage, watch)
        finally:
            sys.stdout.write("\n".join(watch.lines))

        documents = stage.wait_until_settled()
        assert set(Counter(stage.api.created_ids()).values()) == {1}
        assert (
            documents["accepted"]
            == documents["created"] + documents["dead"] + documents["cancelled"]
        )
        assert stage.prometheus.unhealthy_rules() == []
        assert [text for text in watch.annotations if "<" in text or "%!" in text] == []
        empty = [
            (board.uid, panel.title, query.expr)
            for board in (build(QUICK) for build in BOARDS.values())
            for panel in board.panels
            for query in panel.queries
            if not answers_of(stage.prometheus, query, watch.began, time.time())
        ]
        assert empty == []
