from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.deploy.promql import DEPLOY

from longtale.recommend.settings import LongtaleSettings

ROOT = DEPLOY.parent
FOLDER = DEPLOY / "docker"
COMPOSE: dict[str, Any] = yaml.safe_load((FOLDER / "compose.yaml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (FOLDER / "Dockerfile").read_text("utf-8").replace("\\\n", " ")
STEPS = [line.split(maxsplit=1) for line in DOCKERFILE.splitlines() if re.match(r"[A-Z]+ ", line)]


def steps(name: str) -> list[str]:
    return [rest for step, rest in STEPS if step == name]


def copied() -> list[str]:
    """Give what the image takes from the repository."""
    sources = []
    for rest in steps("COPY"):
        words = [word for word in rest.split() if not word.startswith("--")]
        if "--from=" not in rest:
            sources += words[:-1]
    return sources


@pytest.mark.parametrize("source", copied())
def test_what_is_copied_exists_and_reaches_the_builder(source):
    assert (ROOT / source).exists()
    sent = (FOLDER / "Dockerfile.dockerignore").read_text("utf-8").splitlines()
    assert f"!{source}" in sent


def test_only_what_is_copied_reaches_the_builder():
    lines = (FOLDER / "Dockerfile.dockerignore").read_text("utf-8").splitlines()
    assert "*" in lines
    assert sorted(line[1:] for line in lines if line.startswith("!")) == sorted(copied())


def test_the_image_runs_without_privileges_and_torch():
    assert steps("USER") == ["10001:10001"]
    (install,) = (rest for rest in steps("RUN") if "pip install" in rest)
    assert "-c constraints.txt" in install
    assert '! /opt/longtale/bin/python -c "import torch"' in install
    assert steps("ARG") == ["EXTRAS=serve,stores"]


def test_the_image_asks_the_service_whether_it_is_alive():
    (check,) = steps("HEALTHCHECK")
    (port,) = steps("EXPOSE")
    assert f"http://127.0.0.1:{port}/v1/health/live" in check


def run_entrypoint(environment: dict[str, str], *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", str(FOLDER / "entrypoint.sh"), *command],
        env={"PATH": "/usr/bin:/bin", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_settings_are_read_from_files(tmp_path: Path):
    secret = tmp_path / "store"
    secret.write_text('postgresql://u:it\'s "a" $secret@h/d\n', encoding="utf-8")
    ran = run_entrypoint({"LONGTALE_SERVE__STORE_FILE": str(secret), "LONGTALE_X": "y"}, "env")
    lines = ran.stdout.splitlines()
    assert 'LONGTALE_SERVE__STORE=postgresql://u:it\'s "a" $secret@h/d' in lines
    assert "LONGTALE_X=y" in lines
    assert not [line for line in lines if line.startswith("LONGTALE_SERVE__STORE_FILE")]


def test_a_file_that_cannot_be_read_stops_the_start():
    ran = run_entrypoint({"LONGTALE_SERVE__STORE_FILE": "/nowhere/store"}, "env")
    assert ran.returncode == 2
    assert "LONGTALE_SERVE__STORE_FILE names '/nowhere/store'" in ran.stderr
    assert ran.stdout == ""


def settings_named() -> list[str]:
    """Give the variables of Longtale's settings that the deployments set."""
    texts = [path.read_text("utf-8") for path in DEPLOY.rglob("*.yaml")]
    return sorted({name for text in texts for name in re.findall(r"LONGTALE_\w+__\w+", text)})


@pytest.mark.parametrize("name", settings_named())
def test_variables_name_settings_that_exist(name):
    section, key = name.removeprefix("LONGTALE_").removesuffix("_FILE").lower().split("__")
    LongtaleSettings.parse({section: {key: "1" if key == "workers" else "memory:"}})


# What `docker compose config` would check and cannot be asked here.


def test_services_use_only_what_is_defined():
    for name, service in SERVICES.items():
        assert set(service.get("secrets", ())) <= set(COMPOSE["secrets"]), name
        assert set(service["networks"]) <= set(COMPOSE["networks"]), name
        assert set(service.get("depends_on", ())) <= set(SERVICES), name
    used = {secret for service in SERVICES.values() for secret in service.get("secrets", ())}
    assert used == set(COMPOSE["secrets"])


def mounts() -> list[tuple[str, str]]:
    """Give each source that is mounted by name or path, with the service."""
    found = []
    for name, service in SERVICES.items():
        for volume in service.get("volumes", ()):
            source = volume["source"] if isinstance(volume, dict) else volume.split(":")[0]
            found.append((name, source))
    return found


@pytest.mark.parametrize("service, source", mounts())
def test_what_is_mounted_exists_or_is_a_volume(service, source):
    if source.startswith("${"):
        assert ":?" in source, "a folder that must be named says so"
    elif source.startswith("."):
        assert (FOLDER / source).exists(), service
    else:
        assert source in COMPOSE["volumes"], service


def test_every_volume_is_used():
    assert set(COMPOSE["volumes"]) == {
        source for _, source in mounts() if not source.startswith((".", "$"))
    }


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_watched_bounded_and_hardened(name):
    service = SERVICES[name]
    check = service["healthcheck"]
    assert check["test"][0] == "CMD"
    assert {"interval", "timeout", "retries"} <= set(check)
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["mem_limit"]
    assert service["restart"] == "unless-stopped"


def test_who_waits_for_another_waits_until_it_is_well():
    for service in SERVICES.values():
        for condition in service.get("depends_on", {}).values():
            assert condition == {"condition": "service_healthy"}


def test_nothing_but_this_machine_reaches_a_port():
    ports = [port for service in SERVICES.values() for port in service.get("ports", ())]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_the_stores_are_reached_from_within_alone():
    for name in ("postgres", "redis"):
        assert SERVICES[name]["networks"] == ["back"]
        assert "ports" not in SERVICES[name]
    assert COMPOSE["networks"]["back"] == {"internal": True}


def test_images_are_pinned_to_a_version():
    for name, service in SERVICES.items():
        if name != "longtale":
            assert re.fullmatch(r"[\w./-]+:v?\d+[\w.-]*", service["image"]), name


def test_the_context_of_the_image_is_the_repository():
    build = SERVICES["longtale"]["build"]
    context = (FOLDER / build["context"]).resolve()
    assert context == ROOT
    assert (context / build["dockerfile"]).is_file()


def test_prometheus_scrapes_the_service_by_the_name_that_compose_gives_it():
    config = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text("utf-8"))
    (job,) = (each for each in config["scrape_configs"] if each["job_name"] == "longtale")
    (found,) = job["dns_sd_configs"]
    (port,) = steps("EXPOSE")
    assert found["names"] == ["longtale"] and found["port"] == int(port)
    assert job["metrics_path"] == "/v1/metrics"
    secret = Path(job["authorization"]["credentials_file"]).name
    assert secret in SERVICES["prometheus"]["secrets"]
