"""The shipped Dockerfile and services: what they name exists, no port is open to others, no secret is in a file."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.test_wheel import BUILT_FROM

PROJECT = Path(__file__).resolve().parents[3]
DEPLOY = PROJECT / "deploy"
_SECRETS = {"POSTGRES_PASSWORD", "S3_ACCESS_KEY", "S3_SECRET_KEY"}


def instructions() -> list[tuple[str, str]]:
    """Name and argument of each instruction of the Dockerfile."""
    text = re.sub(r"^#.*\n", "", (DEPLOY / "Dockerfile").read_text(), flags=re.M).replace("\\\n", " ")
    return [(name, rest) for name, _, rest in (line.partition(" ") for line in text.splitlines() if line.strip())]


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    return found


def test_the_image_copies_what_is_there_and_tracked() -> None:
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=PROJECT, capture_output=True, text=True, check=True
    ).stdout.split()
    copied = [source for name, rest in instructions() if name == "COPY" for source in rest.split()[:-1]]
    assert {"nrdfer", "assets", "pipelines", "requirements.lock", "deploy/dagster.yaml"} <= set(copied)
    for source in copied:
        assert any(file == source or file.startswith(f"{source}/") for file in tracked), source
    assert not any(source == "dagster.yaml" for source in copied)  # SQLite's


def test_the_image_has_what_the_package_is_built_from_before_it_is_installed() -> None:
    steps = instructions()
    first = next(at for at, (name, rest) in enumerate(steps) if name == "RUN" and '".[cluster]"' in rest)
    copied = {source for name, rest in steps[:first] if name == "COPY" for source in rest.split()[:-1]}
    assert set(BUILT_FROM) - {"MANIFEST.in"} <= copied


def test_the_image_runs_as_a_user_without_telemetry_or_secrets() -> None:
    names = [name for name, _ in instructions()]
    assert set(names) <= {"ARG", "FROM", "ENV", "RUN", "WORKDIR", "COPY", "USER", "VOLUME", "CMD"}
    (user,) = (rest for name, rest in instructions() if name == "USER")
    assert user not in ("root", "0") and names.index("USER") < names.index("CMD")
    variables = " ".join(rest for name, rest in instructions() if name in ("ENV", "ARG"))
    for quiet in ("DO_NOT_TRACK=true", "DAGSTER_DISABLE_TELEMETRY=yes", "MLFLOW_DISABLE_TELEMETRY=true",
                  "RAY_USAGE_STATS_ENABLED=0"):  # fmt: skip
        assert quiet in variables
    assert not re.search(r"PASSWORD|SECRET|TOKEN|KEY", variables)
    assert "http" not in variables


def test_every_port_is_open_to_this_machine_only(services: dict[str, dict[str, Any]]) -> None:
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert len(ports) >= 5
    assert all(re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port) for port in ports)
    assert not any("network_mode" in service for service in services.values())


def test_secrets_come_from_a_file_that_git_ignores(services: dict[str, dict[str, Any]]) -> None:
    text = (DEPLOY / "compose.yaml").read_text()
    named = set(re.findall(r"\$\{(\w+)", text))
    example = dict(
        line.split("=", 1) for line in (DEPLOY / "env.example").read_text().splitlines() if line and line[0] != "#"
    )
    assert named == set(example)
    assert {name for name, value in example.items() if not value} >= _SECRETS
    ignored = subprocess.run(["git", "check-ignore", "-q", "deploy/.env"], cwd=PROJECT)
    assert ignored.returncode == 0
    for service in services.values():  # a command line can be read by everybody on the machine
        assert not _SECRETS & set(re.findall(r"\$\{(\w+)", str(service.get("command", ""))))
    for name in _SECRETS:  # and a missing one is refused, with what to do
        assert f"${{{name}:?copy deploy/env.example to deploy/.env}}" in text


def test_what_a_service_waits_for_or_mounts_exists(services: dict[str, dict[str, Any]]) -> None:
    whole = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    for name, service in services.items():
        assert set(service.get("depends_on", ())) <= services.keys(), name
        for volume in service.get("volumes", ()):
            assert volume.partition(":")[0] in whole["volumes"], name
        for config in service.get("configs", ()):
            assert config["source"] in whole["configs"], name
        assert "image" in service or "build" in service, name
        needed = service.get("depends_on", {})
        conditions = needed if isinstance(needed, dict) else {}
        for other, condition in conditions.items():
            if other != "<<" and condition["condition"] == "service_healthy":
                assert "healthcheck" in services[other], name


def test_the_commands_are_ones_that_their_programs_have(services: dict[str, dict[str, Any]]) -> None:
    from click.testing import CliRunner
    from mlflow.cli import cli as mlflow

    options = re.findall(r"--[\w-]+", str(services["mlflow"]["command"]))
    said = CliRunner().invoke(mlflow, ["server", "--help"]).output
    assert {"--artifacts-destination", "--allowed-hosts"} <= set(options)
    assert [option for option in options if option not in said] == []
    assert "pipelines.definitions" in services["dagster-daemon"]["command"]


def test_the_variables_are_those_of_dagsters_settings(services: dict[str, dict[str, Any]]) -> None:
    wanted = set(re.findall(r"^ +env: (\w+)", (DEPLOY / "dagster.yaml").read_text(), flags=re.M))
    assert wanted == {"NRDFER_DAGSTER_DATABASE"}
    for name in ("dagster-webserver", "dagster-daemon", "run", "ray-worker"):
        assert wanted <= services[name]["environment"].keys()


def test_kubernetes_values_say_that_they_are_untested_and_hold_no_password() -> None:
    path = DEPLOY / "k8s" / "values.yaml"
    assert "UNTESTED" in path.read_text()
    values = yaml.safe_load(path.read_text())
    assert values["telemetry"] == {"enabled": False}
    assert "postgresqlPassword" not in values["postgresql"]
