from __future__ import annotations

import json
from pathlib import Path

import pytest

from grafana.alerting import rules
from grafana.alerting.config import Config
from grafana.alerting.rule import rule_file
from tests.grafana import stories_of_delivery, stories_of_documents, stories_of_installation
from tests.grafana.story import as_tests
from tests.support.prometheus import promtool

BY_GROUPS = {
    ("callspool-installation",): stories_of_installation.STORIES,
    ("callspool-states", "callspool-ratios", "callspool-delivery"): stories_of_delivery.STORIES,
    ("callspool-documents", "callspool-gates"): stories_of_documents.STORIES,
}
"""What is told of the alerts in some groups: with those alone, promtool takes seconds."""

STORIES = [story for stories in BY_GROUPS.values() for story in stories]


def succeeds(*arguments: str | Path) -> str:
    result = promtool(*arguments)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.mark.prometheus
def test_promtool_has_nothing_against_the_rules(tmp_path: Path):
    for name, text in rules.files(Config()).items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    told = succeeds("check", "rules", "--lint-fatal", *sorted(tmp_path.iterdir()))
    assert told.count("SUCCESS") == 2


@pytest.mark.prometheus
@pytest.mark.parametrize("names", BY_GROUPS, ids=lambda names: names[-1])
def test_every_alert_fires_when_it_should_and_does_not_when_it_should_not(
    names: tuple[str, ...], tmp_path: Path
):
    groups = [*rules.recording_groups(Config()), *rules.alert_groups(Config())]
    chosen = [group for group in groups if group.name in names]
    assert len(chosen) == len(names)
    (tmp_path / "rules.yml").write_text(rule_file(chosen, ""), encoding="utf-8")
    tests = tmp_path / "tests.yml"  # JSON is YAML
    tests.write_text(
        json.dumps(
            {
                "rule_files": ["rules.yml"],
                "evaluation_interval": "1m",
                "tests": as_tests(BY_GROUPS[names]),
            }
        )
    )
    assert "SUCCESS" in succeeds("test", "rules", tests)


def test_for_every_alert_there_is_a_story_in_which_it_fires_and_one_in_which_it_does_not():
    told = {}
    for rule in rules.alerts(Config()):
        labels = {"severity": rule.severity, **rule.labels}
        told[rule.alert, *labels.values()] = {
            story.fires for story in STORIES if story.is_about(rule.alert, labels)
        }
    assert {rule: stories for rule, stories in told.items() if stories != {True, False}} == {}
