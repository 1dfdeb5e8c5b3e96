"""A real Prometheus on a port of its own, with rules and targets, asked by its HTTP API."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

from tests.support import prometheus
from tests.support.servers import free_port

Series = dict[str, Any]
"""As the API has it: `metric`, and `value` or `values`."""


class PrometheusServer:
    """Scrapes and evaluates once a second; a context manager. ``targets``: job → host:port."""

    def __init__(
        self, directory: Path, rules: Mapping[str, str], targets: Mapping[str, str]
    ) -> None:
        self.port = free_port()
        self._directory = directory
        directory.mkdir()
        for name, text in rules.items():
            (directory / name).write_text(text, encoding="utf-8")
        jobs = [
            {"job_name": job, "static_configs": [{"targets": [target]}]}
            for job, target in targets.items()
        ]
        config = {
            "global": {
                "scrape_interval": "500ms",
                "scrape_timeout": "500ms",
                "evaluation_interval": "500ms",
            },
            "rule_files": sorted(rules),
            "scrape_configs": jobs,
        }
        (directory / "prometheus.yml").write_text(json.dumps(config))  # JSON is YAML
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> PrometheusServer:
        command = [
            prometheus.find("prometheus"),
            f"--config.file={self._directory / 'prometheus.yml'}",
            f"--storage.tsdb.path={self._directory / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
            "--log.level=warn",
        ]
        with (self._directory / "log").open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + 30
        while not self._is_ready():
            assert time.monotonic() < deadline, (self._directory / "log").read_text()
            time.sleep(0.05)
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/-/ready", timeout=5):
                return True
        except HTTPError as answer:
            answer.close()
            return False
        except OSError:
            return False

    def _ask(self, path: str, **query: object) -> Any:
        encoded = urllib.parse.urlencode(query)
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{encoded}"
        with urllib.request.urlopen(url, timeout=30) as answer:
            return json.load(answer)["data"]

    def firing(self) -> list[dict[str, Any]]:
        """The alerts that fire now, with labels and annotations."""
        return [each for each in self._ask("alerts")["alerts"] if each["state"] == "firing"]

    def unhealthy_rules(self) -> list[str]:
        """Rules whose last evaluation failed, with the reason."""
        rules = [rule for group in self._ask("rules")["groups"] for rule in group["rules"]]
        return [f"{rule['name']}: {rule['lastError']}" for rule in rules if rule["health"] == "err"]

    def query(self, expr: str) -> list[Series]:
        """What an expression is now."""
        found: list[Series] = self._ask("query", query=expr)["result"]
        return found

    def query_range(self, expr: str, start: float, end: float, step: float = 1) -> list[Series]:
        """What an expression was, at each step."""
        asked = {"query": expr, "start": start, "end": end, "step": step}
        found: list[Series] = self._ask("query_range", **asked)["result"]
        return found
