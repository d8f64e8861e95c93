"""What an operator copies: the compose file, the image, the Redis configuration and its users."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import redis
import yaml

from tests.service_processes import until
from worker.store import embedded_binary

ROOT = Path(__file__).resolve().parent.parent
COMPOSE = ROOT / "docker-compose.yml"
HARMFUL = (
    "config", "function", "fcall", "script|flush", "select", "keys", "scan", "flush", "debug", "monitor", "shutdown",
    "acl", "client", "sort", "dump",
)  # fmt: skip
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
    assert set(services) == {"redis", "worker", "webhooks", "serve", "sandbox", "prometheus", "grafana"}
    assert services["prometheus"]["profiles"] == services["grafana"]["profiles"] == ["observe"]
    assert all("healthcheck" in service for service in services.values())
    assert services["worker"]["deploy"]["replicas"] == 2
    assert services["worker"]["stop_grace_period"] == services["webhooks"]["stop_grace_period"] == "45s"
    assert services["webhooks"]["profiles"] == ["webhooks"]
    assert services["webhooks"]["healthcheck"]["test"] == ["CMD", "factus-worker", "health", "--webhooks"]
    assert services["sandbox"]["profiles"] == ["sandbox"]
    assert services["serve"]["profiles"] == ["serve"]
    assert services["serve"]["ports"] == ["127.0.0.1:${SERVE_PORT:-8080}:8080"], "TLS is spoken in front of it"


def test_containers_ask_for_the_health_of_the_worker_and_nothing_else(compose: dict[str, Any]) -> None:
    """A dead letter of a producer, or an account on hold, must not have every container restarted for ever."""
    assert compose["services"]["worker"]["healthcheck"]["test"] == ["CMD", "factus-worker", "health"]
    assert 'CMD ["factus-worker", "health"]' in (ROOT / "Dockerfile").read_text()


def test_compose_redis_loses_and_evicts_nothing(compose: dict[str, Any]) -> None:
    command = compose["services"]["redis"]["command"]
    assert "--appendonly yes --appendfsync always" in command
    assert "--maxmemory-policy noeviction" in command
    assert compose["services"]["redis"]["volumes"] == ["redis-data:/data"]


def test_no_secret_stands_in_compose_file_or_example(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        for name, value in service.get("environment", {}).items():
            if SECRET_NAME.search(name):
                assert not value or FROM_ENVIRONMENT.fullmatch(value), f"{name} is not taken from the environment"
            assert not re.search(r"://[^$/]*:[^$/]+@", value), f"{name} holds a password"
    assert all(word == ">FILLED_IN" for word in redis_command(compose) if word.startswith(">"))
    for line in (ROOT / ".env.example").read_text().splitlines():
        name, _, value = line.partition("=")
        assert not (SECRET_NAME.search(name) and value), f"{name} has a value in .env.example"
    assert ".env" in (ROOT / ".gitignore").read_text().splitlines()


def test_image_runs_as_a_user_by_number_and_gets_its_signals() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    assert "USER 10001" in lines
    assert 'ENTRYPOINT ["factus-worker"]' in lines
    assert any(line.startswith("HEALTHCHECK") for line in lines)


@pytest.mark.parametrize("name", ["redis", "worker", "webhooks", "serve", "sandbox", "prometheus", "grafana"])
def test_compose_services_have_no_right_that_they_do_not_need(compose: dict[str, Any], name: str) -> None:
    service = compose["services"][name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["ulimits"] == {"core": 0}
    assert service["mem_limit"] in ("512m", "1g")
    assert service["pids_limit"] <= 128
    assert all("noexec,nosuid,nodev" in mount for mount in service["tmpfs"])
    assert "privileged" not in service
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))


def redis_command(compose: dict[str, Any]) -> list[str]:
    """The words of the command, with what comes from the environment filled in, as compose does it."""
    return shlex.split(FROM_ENVIRONMENT.sub("FILLED_IN", compose["services"]["redis"]["command"]))


def users_of(words: list[str]) -> dict[str, list[str]]:
    """The rights of each ``user`` directive, passwords apart."""
    found: dict[str, list[str]] = {}
    name = ""
    for word in words:
        if name == "?":
            name = word
            found[name] = []
        elif word == "--user":
            name = "?"
        elif name and word[0] not in ">#":
            found[name].append(word)
    return found


def acl_file(name: str) -> dict[str, list[str]]:
    lines = (ROOT / "deploy" / name).read_text().splitlines()
    return users_of([word for line in lines for word in ["--user", *line.split()[1:]]])


def test_compose_redis_has_a_user_for_each_with_the_rights_of_the_acl_file(compose: dict[str, Any]) -> None:
    ours, file = users_of(redis_command(compose)), acl_file("users.acl")
    assert set(ours) == {"default", "health", "admin", "worker", "producer", "consumer"}
    assert ours.pop("health") == ["on", "nopass", "resetkeys", "resetchannels", "-@all", "+ping"]
    assert ours == {name: file[name] for name in ours}
    environment = compose["services"]["worker"]["environment"]
    assert environment["FACTUS_REDIS_URL"].startswith("redis://worker:${REDIS_WORKER_PASSWORD:?")
    others = [name for name in environment if name.startswith("REDIS_")]
    assert sorted(others) == [f"REDIS_{user}_PASSWORD" for user in ("ADMIN", "CONSUMER", "PRODUCER", "WORKER")]
    assert not any(environment[name] for name in others)


def test_compose_redis_starts_with_its_command(compose: dict[str, Any], tmp_path: Path) -> None:
    """On the bundled server, with the passwords filled in: every word of it is understood."""
    _, *options = redis_command(compose)
    socket = tmp_path / "s"
    place = ["--port", "0", "--unixsocket", str(socket), "--dir", str(tmp_path)]
    with subprocess.Popen(
        [embedded_binary.find_binary(), *place, *options], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as server:
        try:
            until(socket.exists, what=lambda: f"ended with {server.poll()}")
            for user in ("health", "admin", "worker", "producer", "consumer"):
                with redis.Redis(unix_socket_path=str(socket), username=user, password="FILLED_IN") as client:
                    assert client.ping()
            with redis.Redis(unix_socket_path=str(socket)) as client, pytest.raises(redis.AuthenticationError):
                client.ping()
            with redis.Redis(unix_socket_path=str(socket), username="admin", password="FILLED_IN") as client:
                assert client.config_get("maxmemory") == {"maxmemory": str(512 * 2**20)}
        finally:
            server.terminate()


@pytest.mark.parametrize("name", ["users.acl", "users-of-account.acl"])
def test_no_user_but_admin_has_a_category_or_a_command_that_administers(name: str) -> None:
    rights = acl_file(name)
    for user, words in rights.items():
        commands = [word for word in words if word[0] in "+-"]
        assert commands[0] == ("+@all" if user == "admin" else "-@all")
        if user in ("admin", "default"):
            continue
        assert not any(word.startswith("+@") for word in commands), user
        harmful = (
            "config function fcall script|flush select keys scan flush debug monitor shutdown acl client sort dump"
        )
        assert not any(word.removeprefix("+").startswith(tuple(harmful.split())) for word in commands), user
        assert not any(word in ("~*", "&*", "allkeys", "allchannels", "allcommands") for word in words)
        if user.startswith("producer"):
            assert commands == ["-@all", "+xadd", "+ping", "+wait"]


_CALLED = re.compile(r"redis\.p?call\('(XGROUP|XINFO|MEMORY)?(?:', ')?(\w+)'")


def test_the_worker_s_user_may_all_that_the_scripts_call() -> None:
    """So that a right that is needed once a year is missed today: what is tried on a server is the daily work."""
    texts = {path.name: path.read_text() for path in (ROOT / "worker" / "store" / "lua").rglob("*.lua")}
    calls = [match for text in texts.values() for match in _CALLED.findall(text)]
    called = {(f"{container}|{word}" if container else word).lower() for container, word in calls}
    (sizes,) = re.findall(r"local SIZE = \{(.*)\}", texts["types.lua"])
    called |= {word.lower() for word in re.findall(r"'(\w+)'", sizes)}
    assert {"strlen", "rename", "memory|usage", "xgroup|create", "xinfo|stream"} <= called
    assert len(called) > 40
    rights = {word.removeprefix("+") for word in acl_file("users.acl")["worker"]}
    assert not {word for word in called if not {word, word.partition("|")[0]} & rights}


def test_image_is_built_from_what_is_known_by_its_hash() -> None:
    lines = (ROOT / "Dockerfile").read_text()
    assert "--require-hashes -r uv.txt" in lines
    assert "uv sync --frozen" in lines
    assert re.fullmatch(r"uv==[\d.]+( \\\n    --hash=sha256:[0-9a-f]{64})+\n", (ROOT / "deploy" / "uv.txt").read_text())
    assert lines.count("FROM ${PYTHON_IMAGE}") == lines.count("FROM ") == 2


def test_unit_has_no_right_that_it_does_not_need() -> None:
    unit = (ROOT / "deploy" / "factus-worker@.service").read_text().splitlines()
    assert {
        "MemoryMax=512M", "TasksMax=128", "LimitCORE=0", "NoNewPrivileges=yes", "ProtectSystem=strict",
        "PrivateTmp=yes", "PrivateDevices=yes", "UMask=0077", "CapabilityBoundingSet=", "AmbientCapabilities=",
        "SystemCallFilter=@system-service", "SystemCallFilter=~@privileged", "SystemCallErrorNumber=EPERM",
        "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX", "StateDirectoryMode=0700", "RemoveIPC=yes",
        "ProtectHome=yes", "LoadCredential=accounts.toml:/etc/factus-worker/accounts.toml",
        "Environment=FACTUS_ACCOUNTS_FILE=%d/accounts.toml",
    } <= set(unit)  # fmt: skip
    assert not any(re.search(r"(?i)password|secret|token", line) for line in unit if not line.startswith("#"))


def test_unit_of_webhooks_has_the_same_bounds_and_no_credentials_of_factus() -> None:
    worker, webhooks = (
        set((ROOT / "deploy" / f"factus-{name}@.service").read_text().splitlines()) for name in ("worker", "webhooks")
    )
    lost = {line for line in worker - webhooks if not line.startswith("#")}
    assert lost == {
        "Description=factus-worker %i", "ExecStart=/opt/factus-worker/.venv/bin/factus-worker run", "TasksMax=128",
        "LoadCredential=accounts.toml:/etc/factus-worker/accounts.toml",
        "Environment=FACTUS_ACCOUNTS_FILE=%d/accounts.toml",
    }  # fmt: skip
    assert {"ReadWritePaths=/etc/factus-worker/webhooks", "KillMode=mixed", "TimeoutStopSec=45"} <= webhooks
    assert not any("accounts" in line for line in webhooks if not line.startswith("#"))


def test_unit_of_the_door_has_the_same_bounds() -> None:
    worker, door = (
        set((ROOT / "deploy" / name).read_text().splitlines())
        for name in ("factus-worker@.service", "factus-serve.service")
    )
    lost = {line for line in worker - door if not line.startswith("#")}
    assert lost == {
        "Description=factus-worker %i", "ExecStart=/opt/factus-worker/.venv/bin/factus-worker run", "TasksMax=128",
        "TimeoutStopSec=45",
    }  # fmt: skip
    credentials = re.findall(r"LoadCredential=(\S+?):", "\n".join(door))
    assert {f"%d/{name}" for name in credentials} == set(re.findall(r"Environment=FACTUS_\w+=(\S+)", "\n".join(door)))


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
@pytest.mark.parametrize("name", ["factus-worker@.service", "factus-webhooks@.service", "factus-serve.service"])
def test_systemd_understands_every_line_of_a_unit(name: str, tmp_path: Path) -> None:
    """With the program and the user of this machine: whether those are there is not the file's matter."""
    text = (ROOT / "deploy" / name).read_text().replace("/opt/factus-worker/.venv/bin/factus-worker", sys.executable)
    unit = tmp_path / name.replace("@", "@1")
    unit.write_text(re.sub(r"(?m)^(User|Group)=.*\n", "", text))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True)
    assert unit.name not in done.stderr, done.stderr


KUBERNETES = ROOT / "deploy" / "kubernetes"


def manifests(kind: str) -> dict[str, dict[str, Any]]:
    """The objects of a kind, by name. Their shape is looked at by ``make check``, against Kubernetes's own schemas."""
    found = [one for path in KUBERNETES.glob("*.yaml") for one in yaml.safe_load_all(path.read_text())]
    return {one["metadata"]["name"]: one for one in found if one["kind"] == kind}


@pytest.mark.parametrize("component", ["worker", "webhooks", "serve"])
def test_pods_have_no_right_that_they_do_not_need_and_are_never_all_away(component: str) -> None:
    name = f"factus-{component}"
    deployment, budget = manifests("Deployment")[name]["spec"], manifests("PodDisruptionBudget")[name]["spec"]
    labels = deployment["template"]["metadata"]["labels"]
    assert deployment["selector"]["matchLabels"] == budget["selector"]["matchLabels"] == labels
    assert labels["app.kubernetes.io/component"] == component
    assert (deployment["replicas"], budget["maxUnavailable"]) == (2, 1)
    assert deployment["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    pod = deployment["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert f"USER {pod['securityContext']['runAsUser']}" in (ROOT / "Dockerfile").read_text().splitlines()
    (container,) = pod["containers"]
    assert container["args"] == [{"worker": "run"}.get(component, component)]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}
    assert container["resources"]["limits"] == {"memory": "512Mi"}
    probes = {name: container[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")}
    # A restart mends no Redis: whether the process is alive does not ask it.
    assert probes == {
        "startup": {"path": "/healthz", "port": "metrics"},
        "liveness": {"path": "/healthz", "port": "metrics"},
        "readiness": {"path": "/readyz", "port": "metrics"},
    }
    ports = {port["name"]: str(port["containerPort"]) for port in container["ports"]}
    environment = {one["name"]: one["value"] for one in container["env"]}
    assert environment["FACTUS_METRICS_PORT"] == ports["metrics"]
    assert not any(SECRET_NAME.search(name) for name in environment if name != "FACTUS_JOBS_KEYS")


def test_pods_stop_as_units_do_and_nothing_scales_by_the_length_of_the_intake() -> None:
    grace = {
        name: one["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
        for name, one in manifests("Deployment").items()
    }
    assert grace == {"factus-worker": 45, "factus-webhooks": 45, "factus-serve": 20}
    kinds = {one["kind"] for path in KUBERNETES.glob("*.yaml") for one in yaml.safe_load_all(path.read_text())}
    assert kinds == {"ConfigMap", "Deployment", "PodDisruptionBudget", "Service", "Kustomization"}
    assert not any(SECRET_NAME.search(name) for name in manifests("ConfigMap")["factus-settings"]["data"])


def test_unit_waits_for_the_calls_under_way() -> None:
    unit = (ROOT / "deploy" / "factus-worker@.service").read_text()
    assert {"TimeoutStopSec=45", "Restart=always", "KillMode=mixed"} <= set(unit.splitlines())


def test_fw_runs_the_command_as_the_unit_does(tmp_path: Path) -> None:
    """Typed at 23:40, it must not ask another Redis than the service's."""
    unit, text = (ROOT / "deploy" / "factus-worker@.service").read_text(), (ROOT / "deploy" / "fw").read_text()
    (command,) = re.findall(r"(?m)^ExecStart=(\S+) run$", unit)
    (accounts,) = re.findall(r"(?m)^LoadCredential=accounts.toml:(\S+)$", unit)
    (settings,) = re.findall(r"(?m)^EnvironmentFile=(\S+)$", unit)
    assert f'exec {command} "$@"' in text
    assert f"export FACTUS_ACCOUNTS_FILE={accounts}" in text
    assert f"cd {Path(settings).parent} " in text
    assert f"ln -s {Path(settings).name} {Path(settings).parent}/.env" in text
    shown = tmp_path / "factus-worker"
    shown.write_text('#!/bin/sh\necho "$PWD $FACTUS_ACCOUNTS_FILE $*"\n')
    shown.chmod(0o755)
    script = text.replace(command, str(shown)).replace(str(Path(settings).parent), str(tmp_path))
    done = subprocess.run(["sh", "-c", script, "fw", "status", "FV 1"], capture_output=True, text=True)
    assert done.stdout == f"{tmp_path} {tmp_path}/accounts.toml status FV 1\n"
