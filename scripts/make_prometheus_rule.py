"""Writes the rules of grafana/rules once more, as the Prometheus Operator wants to have them.

python -m scripts.make_prometheus_rule
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parent.parent
RULES = ROOT / "grafana" / "rules"
PAGE = ROOT / "deploy" / "kubernetes" / "monitoring" / "prometheus-rule.yaml"
HEAD = """\
# Made from grafana/rules by python -m scripts.make_prometheus_rule.
"""


class Dumper(yaml.SafeDumper):
    """Writes texts of several lines as they are."""


def _text(dumper: Dumper, text: str) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, "|" if "\n" in text else None)


Dumper.add_representer(str, _text)


def page() -> str:
    """The file as it has to be."""
    files = sorted(RULES.glob("*.yml"))
    groups = [group for file in files for group in _groups(file.read_text(encoding="utf-8"))]
    rule = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "callspool", "namespace": "callspool"},
        "spec": {"groups": groups},
    }
    return HEAD + yaml.dump(rule, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=100)


def _groups(text: str) -> list[dict[str, Any]]:
    groups: list[dict[str, Any]] = yaml.safe_load(text)["groups"]
    return groups


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
