"""What an operator copies: the compose file, the image, the Redis configuration and its users."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
COMPOSE = ROOT / "docker-compose.yml"
SECRET_NAME = re.compile(r"PASSWORD|SECRET|CLIENT_ID|USERNAME|TOKEN|KEY|AUTH")
FROM_ENVIRONMENT = re.compile(r"\$\{\w+:\?[^}]*\}")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())
    return loaded


def test_compose_file_follows_the_specification() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(COMPOSE)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout


def test_compose_services_report_their_health_and_get_time_to_stop(compose: dict[str, Any]) -> None:
    services = compose["services"]
    assert set(services) == {"redis", "worker", "sandbox"}
    assert all("healthcheck" in service for service in services.values())
    assert services["worker"]["deploy"]["replicas"] == 2
    assert services["worker"]["stop_grace_period"] == "45s"
    assert services["sandbox"]["profiles"] == ["sandbox"]


def test_compose_redis_loses_and_evicts_nothing(compose: dict[str, Any]) -> None:
    command = " ".join(compose["services"]["redis"]["command"])
    assert "--appendonly yes --appendfsync always" in command
    assert "--maxmemory-policy noeviction" in command
    assert compose["services"]["redis"]["volumes"] == ["redis-data:/data"]


def test_no_secret_stands_in_compose_file_or_example(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        for name, value in service.get("environment", {}).items():
            if SECRET_NAME.search(name):
                assert FROM_ENVIRONMENT.fullmatch(value), f"{name} is not taken from the environment"
            assert not re.search(r"://[^$/]*:[^$/]+@", value), f"{name} holds a password"
    command = compose["services"]["redis"]["command"]
    assert FROM_ENVIRONMENT.fullmatch(command[command.index("--requirepass") + 1])
    for line in (ROOT / ".env.example").read_text().splitlines():
        name, _, value = line.partition("=")
        assert not (SECRET_NAME.search(name) and value), f"{name} has a value in .env.example"
    assert ".env" in (ROOT / ".gitignore").read_text().splitlines()


def test_image_runs_as_a_user_by_number_and_gets_its_signals() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    assert "USER 10001" in lines
    assert 'ENTRYPOINT ["factus-worker"]' in lines
    assert any(line.startswith("HEALTHCHECK") for line in lines)


def test_unit_waits_for_the_calls_under_way() -> None:
    unit = (ROOT / "deploy" / "factus-worker@.service").read_text()
    assert {"TimeoutStopSec=45", "Restart=always", "KillMode=mixed"} <= set(unit.splitlines())
