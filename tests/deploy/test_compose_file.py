"""docker-compose.yml: docker compose takes it, and every service is as confined as it can be."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from callspool.settings import load_settings
from callspool_sandbox.fault_files import load_faults
from tests.deploy import files
from tests.deploy.files import ROOT
from tests.support.prometheus import promtool

REHEARSAL = ROOT / "deploy" / "rehearsal"
TEXT = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
NAMES = sorted(yaml.safe_load(TEXT)["services"])
RULE = """\
groups:
  - name: one
    rules:
      - record: age
        expr: {query}
"""


@pytest.fixture(params=NAMES)
def service(request, config) -> dict[str, Any]:
    found: dict[str, Any] = config["services"][request.param]
    return found


def test_only_the_real_api_waits_for_a_profile(config) -> None:
    profiles = {name: one.get("profiles", []) for name, one in config["services"].items()}
    assert {name for name, needed in profiles.items() if needed} == {"worker-unpod"}
    assert profiles["worker-unpod"] == ["unpod"]


def test_a_service_may_nothing_that_it_does_not_need(service) -> None:
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert re.fullmatch(r"[1-9]\d*:\d+", service["user"])
    limits = service["deploy"]["resources"]["limits"]
    assert limits.keys() == {"cpus", "memory", "pids"}
    assert not {"privileged", "network_mode", "pid", "ipc", "devices", "cap_add"} & service.keys()
    for mount in service.get("volumes", []):
        assert mount["type"] == "volume" or mount["read_only"] is True


def test_a_service_recovers_and_says_how_it_is(service) -> None:
    assert service["restart"] == "unless-stopped"
    assert service["init"] is True
    assert {"test", "interval", "timeout", "retries", "start_period"} <= service[
        "healthcheck"
    ].keys()
    assert service["stop_grace_period"]
    assert service["logging"]["options"].keys() == {"max-size", "max-file"}
    for needed in service.get("depends_on", {}).values():
        assert needed["condition"] == "service_healthy"


def test_an_image_is_of_one_version(service) -> None:
    assert re.search(r":v?\d+\.\d+\.\d+$", service["image"]), service["image"]


def test_ports_are_for_this_machine_alone(config) -> None:
    published = {
        name: {(port["host_ip"], port["target"]) for port in service.get("ports", [])}
        for name, service in config["services"].items()
    }
    assert {name: ports for name, ports in published.items() if ports} == {
        "grafana": {("127.0.0.1", 3000)},
        "prometheus": {("127.0.0.1", 9090)},
        "serve": {("127.0.0.1", 8080)},
    }


def test_only_what_needs_a_way_out_has_one(config) -> None:
    assert config["networks"]["inside"]["internal"] is True
    outside = {name for name, one in config["services"].items() if "outside" in one["networks"]}
    assert outside == {"worker-unpod", "prometheus", "grafana", "serve"}
    assert all("inside" in one["networks"] for one in config["services"].values())


def test_secrets_are_files_and_no_variable_holds_one(config) -> None:
    for service in config["services"].values():
        for name, value in (service.get("environment") or {}).items():
            assert (
                not re.search("TOKEN|PASSWORD|SECRET", name)
                or name.startswith("GF_")
                or (name.endswith("_FILE") and value.startswith("/run/secrets/"))
            )
    assert all(secret["file"] for secret in config["secrets"].values())


def test_the_rehearsal_needs_no_file_that_is_not_there(config) -> None:
    for service in config["services"].values():
        if service.get("profiles"):
            continue
        for secret in service.get("secrets", []):
            assert Path(config["secrets"][secret["source"]]["file"]).is_file()
        for mount in service.get("volumes", []):
            assert mount["type"] == "volume" or Path(mount["source"]).exists()


def test_the_real_api_wants_secrets_of_its_own(tmp_path: Path) -> None:
    def places(config: dict[str, Any]) -> dict[str, Path]:
        return {name: Path(one["file"]) for name, one in config["secrets"].items()}

    in_the_rehearsal = places(files.compose())
    assert not in_the_rehearsal["unpod-token"].exists()
    assert not in_the_rehearsal["unpod-org-handle"].exists()
    own = places(files.compose(CALLSPOOL_SECRETS=str(tmp_path)))
    assert {path.parent for path in own.values()} == {tmp_path}
    assert {"/secrets/", "/.env"} <= set((ROOT / ".gitignore").read_text().splitlines())


def test_one_service_builds_the_image_and_nobody_asks_a_registry_for_it(config) -> None:
    ours = files.ours(config)
    assert [name for name, one in ours.items() if "build" in one] == ["worker"]
    policies = {name: one["pull_policy"] for name, one in ours.items() if name != "worker"}
    assert set(policies.values()) == {"never"}


def test_what_the_rehearsal_gives_to_worker_and_sandbox_is_what_they_read() -> None:
    assert load_faults(REHEARSAL / "faults.toml").faults
    settings = load_settings({}, REHEARSAL / "callspool.toml")
    assert settings.accounts.keys() == {"sandbox"}
    assert settings.account("sandbox").api_url == "http://sandbox:8900"


def test_the_memory_of_valkey_is_twice_what_it_may_fill(config) -> None:
    valkey = config["services"]["valkey"]
    (megabytes,) = re.findall(r"--maxmemory (\d+)mb", valkey["command"][-1])
    assert int(valkey["deploy"]["resources"]["limits"]["memory"]) >= 2 * int(megabytes) * 1024**2


def test_prometheus_scrapes_the_ports_that_are_served(config) -> None:
    scraped = yaml.safe_load((ROOT / "deploy" / "prometheus.yml").read_text())["scrape_configs"]
    jobs = {job["job_name"]: job for job in scraped}
    (target,) = jobs["callspool-exporter"]["static_configs"][0]["targets"]
    assert target == f"exporter:{config['services']['exporter']['command'][-1]}"
    (found,) = jobs["callspool-workers"]["dns_sd_configs"]
    for name in found["names"]:
        environment = config["services"][name]["environment"]
        assert environment["CALLSPOOL_METRICS_PORT"] == str(found["port"])
        assert environment["CALLSPOOL_METRICS_HOST"] == "0.0.0.0"
    (served,) = jobs["callspool-serve"]["dns_sd_configs"]
    (name,) = served["names"]
    assert config["services"][name]["command"][-2:] == ["--port", str(served["port"])]


def test_rules_ask_for_jobs_that_are_scraped() -> None:
    scraped = yaml.safe_load((ROOT / "deploy" / "prometheus.yml").read_text())["scrape_configs"]
    for rules in (ROOT / "grafana" / "rules").glob("*.yml"):
        asked = set(re.findall(r'\bjob="([^"]*)"', rules.read_text(encoding="utf-8")))
        assert asked <= {job["job_name"] for job in scraped}


@pytest.mark.prometheus
def test_prometheus_takes_its_configuration() -> None:
    result = promtool("check", "config", "--syntax-only", ROOT / "deploy" / "prometheus.yml")
    assert result.returncode == 0, result.stderr


@pytest.mark.prometheus
def test_what_workers_are_scaled_by_is_a_query(tmp_path: Path) -> None:
    manifest = ROOT / "deploy" / "kubernetes" / "scaling" / "scaled-object.yaml"
    (trigger,) = yaml.safe_load(manifest.read_text(encoding="utf-8"))["spec"]["triggers"]
    rules = tmp_path / "rules.yml"
    rules.write_text(RULE.format(query=trigger["metadata"]["query"]), encoding="utf-8")
    result = promtool("check", "rules", rules)
    assert result.returncode == 0, result.stderr
