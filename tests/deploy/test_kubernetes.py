"""The Kubernetes manifests, held against the schemas of Kubernetes and against each other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from callspool.settings import load_settings
from callspool_worker.decisions.leases import longest_stop
from scripts import make_prometheus_rule
from tests.deploy.files import ROOT, compose, manifests

FOLDER = ROOT / "deploy" / "kubernetes"
ALL = manifests(FOLDER)
OBJECTS = [document for path, document in ALL if document["kind"] != "Kustomization"]
THEIRS = ("monitoring.coreos.com/v1", "keda.sh/v1alpha1")
"""What no schema is at hand for: these kinds come with operators."""

VERSIONS = ("1.31", "1.37")


def of_kind(*kinds: str) -> list[dict[str, Any]]:
    return [document for document in OBJECTS if document["kind"] in kinds]


def name_of(document: dict[str, Any]) -> str:
    return f"{document['kind']}/{document['metadata']['name']}"


WORKLOADS = of_kind("Deployment", "StatefulSet")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    "document", [one for one in OBJECTS if one["apiVersion"] not in THEIRS], ids=name_of
)
def test_every_object_is_as_kubernetes_describes_it(document, version: str) -> None:
    assert kubernetes_validate.validate(document, version, strict=True) == version


@pytest.mark.parametrize("path", sorted(FOLDER.rglob("kustomization.yaml")), ids=str)
def test_every_kustomization_names_the_files_beside_it(path: Path) -> None:
    beside = {file.name for file in path.parent.glob("*.yaml")}
    examples = {"kustomization.yaml", "secrets.example.yaml"}
    assert set(yaml.safe_load(path.read_text())["resources"]) == beside - examples


def test_everything_is_in_the_namespace() -> None:
    (namespace,) = of_kind("Namespace")
    for document in OBJECTS:
        if document is not namespace:
            assert document["metadata"]["namespace"] == namespace["metadata"]["name"]


@pytest.mark.parametrize("workload", WORKLOADS, ids=name_of)
def test_pods_may_nothing_that_they_do_not_need(workload) -> None:
    pod = workload["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    # Else a Service named callspool-… would be a wrong setting, CALLSPOOL_…_PORT=tcp://…
    assert pod["enableServiceLinks"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in pod["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["limits"]["memory"]
        assert container["resources"]["requests"].keys() == {"cpu", "memory"}
        assert container["livenessProbe"] != container["readinessProbe"]
        mounted = {mount["name"] for mount in container["volumeMounts"]}
        claims = workload["spec"].get("volumeClaimTemplates", [])
        volumes = [*pod["volumes"], *(claim["metadata"] for claim in claims)]
        assert mounted == {volume["name"] for volume in volumes}


@pytest.mark.parametrize("workload", WORKLOADS, ids=name_of)
def test_selectors_find_the_pods(workload) -> None:
    labels = workload["spec"]["template"]["metadata"]["labels"]
    assert workload["spec"]["selector"]["matchLabels"].items() <= labels.items()
    found = [
        one
        for one in of_kind("Service", "PodDisruptionBudget", "NetworkPolicy")
        if selector_of(one).items() <= labels.items()
    ]
    assert any(one["kind"] == "Service" for one in found)
    for service in of_kind("Service"):
        if service in found:
            ports = {
                port["name"]
                for port in workload["spec"]["template"]["spec"]["containers"][0]["ports"]
            }
            assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports


def selector_of(document: dict[str, Any]) -> dict[str, str]:
    spec = document["spec"]
    selector = spec.get("selector") or spec["podSelector"]
    found: dict[str, str] = selector.get("matchLabels", selector)
    return found


def test_what_the_pods_read_is_there() -> None:
    existing = {name_of(document) for document in OBJECTS}
    for workload in WORKLOADS:
        pod = workload["spec"]["template"]["spec"]
        assert {f"Secret/{name}" for name in secrets_of(pod)} <= existing
        for container in pod["containers"]:
            for source in container.get("envFrom", []):
                assert f"ConfigMap/{source['configMapRef']['name']}" in existing


def secrets_of(pod: dict[str, Any]) -> Iterator[str]:
    for volume in pod["volumes"]:
        if "secret" in volume:
            yield volume["secret"]["secretName"]


@pytest.mark.parametrize("component", ["worker", "exporter", "serve"])
def test_the_settings_of_a_pod_are_settings(component: str, tmp_path: Path) -> None:
    container = container_of(f"callspool-{component}")
    (config,) = of_kind("ConfigMap")
    environ = {**config["data"]}
    for variable in container.get("env", []):
        environ[variable["name"]] = variable["value"]
    secrets = {one["metadata"]["name"]: one["stringData"] for one in of_kind("Secret")}
    for name, value in environ.items():
        if name.endswith("_FILE"):
            _, _, _, secret, key = value.split("/")
            (tmp_path / key).write_text(secrets[secret][key])
            environ[name] = str(tmp_path / key)
    settings = load_settings(environ)
    assert settings.redis_url == "redis://:replace-me@valkey:6379/0"
    if component == "worker":
        assert settings.account().org_handle == "replace.example"
        assert settings.metrics_port == container["ports"][0]["containerPort"]
        pod = workload_of("callspool-worker")["spec"]["template"]["spec"]
        least = longest_stop(settings.request_timeout) + 5
        assert pod["terminationGracePeriodSeconds"] >= least


def workload_of(name: str) -> dict[str, Any]:
    (found,) = (one for one in WORKLOADS if one["metadata"]["name"] == name)
    return found


def container_of(name: str) -> dict[str, Any]:
    (container,) = workload_of(name)["spec"]["template"]["spec"]["containers"]
    found: dict[str, Any] = container
    return found


def test_kubernetes_and_docker_compose_run_the_same() -> None:
    services = compose()["services"]
    for name in ("worker", "exporter", "serve"):
        container = container_of(f"callspool-{name}")
        assert container["image"] == services[name]["image"]
        assert container["args"] == services[name]["command"]
    valkey = container_of("valkey")
    assert valkey["image"] == services["valkey"]["image"]
    secret = "/run/secrets/valkey-password", "/run/secrets/valkey/password"
    assert valkey["args"] == [word.replace(*secret) for word in services["valkey"]["command"]]
    health = services["valkey"]["healthcheck"]["test"][1].replace(*secret)
    assert valkey["readinessProbe"]["exec"]["command"] == ["sh", "-c", health]


def test_what_operators_define_refers_to_what_is_there() -> None:
    (scaled,) = of_kind("ScaledObject")
    target = workload_of(scaled["spec"]["scaleTargetRef"]["name"])
    assert "replicas" not in target["spec"]
    assert scaled["spec"]["minReplicaCount"] < scaled["spec"]["maxReplicaCount"]
    jobs = set()
    for monitor in of_kind("ServiceMonitor"):
        wanted = monitor["spec"]["selector"]["matchLabels"]
        (service,) = (
            one
            for one in of_kind("Service")
            if wanted.items() <= one["metadata"].get("labels", {}).items()
        )
        (endpoint,) = monitor["spec"]["endpoints"]
        assert endpoint["port"] in {port["name"] for port in service["spec"]["ports"]}
        jobs |= {
            rule["replacement"]
            for rule in endpoint["relabelings"]
            if rule.get("targetLabel") == "job"
        }
    scraped = yaml.safe_load((ROOT / "deploy" / "prometheus.yml").read_text())["scrape_configs"]
    assert jobs == {job["job_name"] for job in scraped} - {"prometheus"}


def test_the_rules_of_kubernetes_are_those_of_the_folder_grafana() -> None:
    written = make_prometheus_rule.PAGE.read_text(encoding="utf-8")
    assert written == make_prometheus_rule.page(), "run python -m scripts.make_prometheus_rule"
