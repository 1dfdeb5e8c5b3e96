from __future__ import annotations

import re
import shlex

import click
import pytest

from callspool_operators.group import callspool
from grafana.alerting import rules
from grafana.alerting.config import Config
from grafana.alerting.rule import anchor
from tests.grafana.test_boards import RUNBOOK

PAGE = RUNBOOK.read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
TYPED = sorted({line for block in BLOCKS for line in block.splitlines()})
OURS = [line.partition(" | ")[0] for line in TYPED if line.startswith("callspool ")]


def headings() -> list[str]:
    return re.findall(r"^## (.+)$", PAGE, re.MULTILINE)


def test_each_alert_has_a_heading_and_each_heading_an_alert():
    assert sorted(headings()) == sorted({alert.alert for alert in rules.alerts(Config())})


def test_each_heading_says_whom_it_wakes_and_what_to_type():
    wakes = {alert.alert: set[str]() for alert in rules.alerts(Config())}
    for alert in rules.alerts(Config()):
        wakes[alert.alert].add(alert.severity)
    sections = re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]
    for section in sections:
        name, _, text = section.partition("\n")
        first = text.strip().splitlines()[0]
        assert {word for word in ("page", "ticket") if f"*{word}*" in first.replace(".*", "*")} or (
            any(f"*{word}.*" in first for word in wakes[name])
        ), name
        assert "\n```\n" in text, name


def test_alerts_link_to_their_heading():
    anchors = {f"#{heading.lower()}" for heading in headings()}
    assert {anchor(alert.alert) for alert in rules.alerts(Config())} == anchors


@pytest.mark.parametrize("line", OURS)
def test_what_the_runbook_has_somebody_type_exists(line: str):
    command: click.Command = callspool
    words = shlex.split(line)[1:]
    context = click.Context(callspool)
    while isinstance(command, click.Group):
        found = command.get_command(context, words.pop(0))
        assert found is not None, line
        command = found
    wanted = [word for word in words if word.startswith("--")]
    known = {option for parameter in command.params for option in parameter.opts}
    assert set(wanted) <= known, line
