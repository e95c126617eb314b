from __future__ import annotations

from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from tests.deploy.promql import DEPLOY, needs_promtool, unknown_names, unreadable, walked

from longtale.recommend.service_settings import AdmissionSettings

FOLDER = DEPLOY / "kubernetes"
FILES = sorted(path for path in FOLDER.glob("*.yaml") if path.name != "kustomization.yaml")
OLDEST, NEWEST = "1.30", kubernetes_validate.latest_version()
HTTP_PORT = 8000


def read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((FOLDER / name).read_text("utf-8"))
    return found


KUSTOMIZATION = read("kustomization.yaml")
DEPLOYMENT = read("deployment.yaml")
POD = DEPLOYMENT["spec"]["template"]["spec"]
(CONTAINER,) = POD["containers"]
ADAPTER = read("monitoring/prometheus-adapter.yaml")["rules"]["custom"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_manifests_are_as_the_schema_of_kubernetes_wants(path: Path, version):
    for manifest in yaml.safe_load_all(path.read_text("utf-8")):
        kubernetes_validate.validate(manifest, version, strict=True)


def test_the_schema_refuses_what_is_misspelled():
    wrong = read("deployment.yaml")
    wrong["spec"]["template"]["spec"]["containers"][0]["readynessProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError, match="readynessProbe"):
        kubernetes_validate.validate(wrong, NEWEST, strict=True)


def test_the_kustomization_names_every_manifest():
    assert sorted(KUSTOMIZATION["resources"]) == [path.name for path in FILES]
    assert CONTAINER["image"] == KUSTOMIZATION["images"][0]["name"]


def test_selectors_choose_the_pods_of_the_deployment():
    labels = DEPLOYMENT["spec"]["template"]["metadata"]["labels"]
    chosen = [
        DEPLOYMENT["spec"]["selector"]["matchLabels"],
        read("service.yaml")["spec"]["selector"],
        read("pdb.yaml")["spec"]["selector"]["matchLabels"],
        read("networkpolicy.yaml")["spec"]["podSelector"]["matchLabels"],
        *(each["labelSelector"]["matchLabels"] for each in POD["topologySpreadConstraints"]),
    ]
    assert all(selector and selector.items() <= labels.items() for selector in chosen)
    monitored = read("monitoring/servicemonitor.yaml")["spec"]["selector"]["matchLabels"]
    assert monitored.items() <= read("service.yaml")["metadata"]["labels"].items()


def test_ports_are_named_alike_everywhere():
    (port,) = CONTAINER["ports"]
    (served,) = read("service.yaml")["spec"]["ports"]
    (allowed,) = read("networkpolicy.yaml")["spec"]["ingress"][0]["ports"]
    (scraped,) = read("monitoring/servicemonitor.yaml")["spec"]["endpoints"]
    assert port["containerPort"] == HTTP_PORT == int(CONTAINER["args"][-1])
    assert port["name"] == served["targetPort"] == allowed["port"] == scraped["port"]
    probes = ("startupProbe", "livenessProbe", "readinessProbe")
    assert {CONTAINER[probe]["httpGet"]["port"] for probe in probes} == {port["name"]}


def test_probes_ask_what_the_service_answers():
    paths = {
        probe: CONTAINER[probe]["httpGet"]["path"]
        for probe in ("startupProbe", "livenessProbe", "readinessProbe")
    }
    assert paths == {
        "startupProbe": "/v1/health/live",
        "livenessProbe": "/v1/health/live",
        "readinessProbe": "/v1/health/ready",
    }


def test_a_pod_has_time_to_end_what_was_begun():
    server = pytest.importorskip("longtale.serve.server")
    waits = CONTAINER["lifecycle"]["preStop"]["sleep"]["seconds"]
    readiness = CONTAINER["readinessProbe"]
    assert POD["terminationGracePeriodSeconds"] >= waits + server.GRACE_S + 5
    assert waits >= readiness["periodSeconds"]


def test_a_pod_may_do_no_more_than_it_needs():
    assert POD["automountServiceAccountToken"] is False
    assert POD["securityContext"]["runAsNonRoot"] is True
    assert POD["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault"
    own = CONTAINER["securityContext"]
    assert own["readOnlyRootFilesystem"] is True
    assert own["allowPrivilegeEscalation"] is False
    assert own["capabilities"] == {"drop": ["ALL"]}


def test_volumes_are_defined_and_only_the_temporary_one_is_written():
    mounts = {mount["name"]: mount.get("readOnly", False) for mount in CONTAINER["volumeMounts"]}
    assert set(mounts) == {volume["name"] for volume in POD["volumes"]}
    assert {name for name, is_read_only in mounts.items() if not is_read_only} == {"tmp"}


def test_memory_is_bounded_and_processor_time_is_asked_for():
    resources = CONTAINER["resources"]
    assert set(resources["requests"]) == {"cpu", "memory"}
    assert set(resources["limits"]) == {"memory"}


def test_no_secret_stands_in_a_manifest():
    for path in FOLDER.rglob("*.yaml"):
        for manifest in yaml.safe_load_all(path.read_text("utf-8")):
            assert manifest.get("kind") != "Secret", path.name
            for each in walked(manifest):
                assert "://" not in str(each.get("value", "")), path.name


def test_a_drain_can_always_take_one_pod():
    budget = read("pdb.yaml")["spec"]
    assert budget["maxUnavailable"] < read("hpa.yaml")["spec"]["minReplicas"]
    assert "minAvailable" not in budget


def test_the_autoscaler_owns_the_number_of_pods():
    scaler = read("hpa.yaml")["spec"]
    assert "replicas" not in DEPLOYMENT["spec"]
    assert scaler["scaleTargetRef"]["name"] == DEPLOYMENT["metadata"]["name"]
    assert scaler["metrics"][1]["object"]["describedObject"]["name"] == "longtale"


def test_the_autoscaler_asks_for_what_the_adapter_gives():
    asked = {
        metric[metric["type"].lower()]["metric"]["name"]
        for metric in read("hpa.yaml")["spec"]["metrics"]
        if metric["type"] != "Resource"
    }
    given = set()
    for rule in ADAPTER:
        series = rule["seriesQuery"].partition("{")[0]
        given.add(rule["name"]["as"].replace("${1}", series.removesuffix("_bucket")))
    assert asked == given


def test_the_autoscaler_grows_before_requests_are_turned_away():
    waiting, latency, _ = read("hpa.yaml")["spec"]["metrics"]
    admission = AdmissionSettings()
    assert int(waiting["pods"]["target"]["averageValue"]) < admission.max_waiting
    milliseconds = int(latency["object"]["target"]["value"].removesuffix("m"))
    assert 50 < milliseconds < admission.deadline_ms


def adapter_expressions() -> dict[str, str]:
    found = {}
    for rule in ADAPTER:
        series = rule["seriesQuery"].partition("{")[0]
        expression = rule["metricsQuery"].replace("<<.Series>>", series)
        expression = expression.replace("<<.LabelMatchers>>", 'namespace="shop"')
        found[series] = expression.replace("<<.GroupBy>>", "namespace")
        found[f"{series} found"] = rule["seriesQuery"]
    return found


@needs_promtool
def test_what_the_adapter_asks_can_be_read(tmp_path):
    assert unreadable(adapter_expressions(), tmp_path) == ""


@pytest.mark.parametrize("name", adapter_expressions())
def test_what_the_adapter_asks_is_exported(name):
    assert unknown_names(adapter_expressions()[name]) == set()
