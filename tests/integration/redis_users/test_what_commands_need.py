"""The commands of people do all their work as the Redis users of ``deploy/users.acl``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import redis

from tests.builders import a_bill
from tests.commands import typed
from tests.integration.redis_users.users import Connect
from tests.webhooks_rig import SECRET

AN_EVENT = {
    "type": "job.refused", "time": "2026-11-29T08:00:00.000Z", "account": "acme", "job_id": "1-1", "job_type": None,
    "reference_code": None, "data": None, "message": "x", "errors": [{"code": "envelope.invalid", "message": "x"}],
    "success": False,
}  # fmt: skip

COMMANDS = [
    ("operator", ["submit", "job.json"], 0, "Enviados 1 trabajo"),
    ("operator", ["status"], 1, "Trabajos apartados"),
    ("operator", ["results", "--group", "ops"], 0, ""),
    ("operator", ["resume", "acme"], 0, "acme"),
    ("operator", ["dead", "list"], 0, "envelope.invalid"),
    ("operator", ["dead", "retry", "--all", "--yes"], 0, "Enviados 1 de 1"),
    ("operator", ["cancel", "FV-1", "--account", "acme", "--timeout", "1ms"], 1, "No llegó respuesta a tiempo"),
    ("operator", ["cancel", "--batch", "b", "--account", "acme", "--timeout", "1ms"], 1, "No llegó respuesta a tiempo"),
    ("operator", ["health"], 1, "Ningún trabajador de este equipo"),
    ("viewer", ["health"], 1, "Ningún trabajador de este equipo"),
    ("monitor", ["health"], 1, "Ningún trabajador de este equipo"),
    ("monitor", ["dead", "list"], 1, "NoPermissionError"),
    ("monitor", ["submit", "job.json"], 1, "NoPermissionError"),
    ("door", ["submit", "job.json"], 0, "Enviados 1 trabajo"),
    ("door", ["dead", "retry", "--all", "--yes"], 1, "NoPermissionError"),
    ("viewer", ["status", "--batch", "b"], 1, "No se conoce ningún lote b"),
    ("viewer", ["status"], 1, "Trabajos apartados"),
    ("viewer", ["dead", "list"], 0, ""),
    ("viewer", ["doctor"], 1, "sirve para mirar, no para un trabajador"),
    ("viewer", ["resume", "acme"], 1, "NoPermissionError"),
    ("viewer", ["submit", "job.json"], 1, "NoPermissionError"),
    ("producer", ["submit", "job.json"], 0, "Enviados 1 trabajo"),
    ("consumer", ["results", "--group", "erp"], 0, ""),
    ("webhooks", ["webhooks", "list"], 0, "shop"),
    ("webhooks", ["webhooks", "show", "shop"], 0, "shop"),
    ("webhooks", ["webhooks", "disable", "shop"], 0, "shop"),
    ("webhooks", ["webhooks", "enable", "shop"], 0, "shop"),
    ("webhooks", ["webhooks", "test", "shop"], 1, "shop"),
    ("webhooks", ["webhooks", "rotate", "shop"], 0, "whsec_"),
    ("webhooks", ["webhooks", "replay", "shop", "--since", "1h"], 1, "no hay eventos así"),
    ("webhooks", ["results"], 0, ""),
    ("webhooks", ["submit", "job.json"], 1, "NoPermissionError"),
    ("webhooks", ["dead", "list"], 1, "NoPermissionError"),
    ("producer", ["results"], 1, "NoPermissionError"),
    ("consumer", ["submit", "job.json"], 1, "NoPermissionError"),
    ("viewer", ["webhooks", "list"], 0, "shop"),
    ("viewer", ["webhooks", "disable", "shop"], 1, "NoPermissionError"),
]


@pytest.fixture
def held(connect: Connect) -> redis.Redis:
    """An event, a letter and a hold; the log of denials is empty."""
    admin, worker = connect("admin"), connect("worker")
    admin.flushall()
    worker.sadd("factus:lanes", "acme/invoice")
    worker.xadd("factus:results", {"event": json.dumps(AN_EVENT), "type": "x", "account": "acme"})
    raw = json.dumps({"type": "invoice.issue", "payload": a_bill()})
    letter = {"reason": "envelope.invalid", "errors": json.dumps(AN_EVENT), "raw": raw, "entry": "1-1"}
    worker.xadd("factus:dead", letter)
    worker.hset("factus:account:acme", mapping={"hold_until": "99999999999999", "hold_reason": "factus.denied"})
    admin.acl_log_reset()
    return admin


@pytest.mark.parametrize(
    ("user", "arguments", "status", "told"), COMMANDS, ids=[f"{user} {' '.join(words)}" for user, words, *_ in COMMANDS]
)
def test_the_commands_need_no_more_than_the_users_of_people_may(
    socket: Path, held: redis.Redis, tmp_path: Path, user: str, arguments: list[str], status: int, told: str
) -> None:
    (tmp_path / "job.json").write_text(json.dumps(a_bill()))
    hooks_file = tmp_path / "webhooks.toml"
    hooks_file.write_text(f'[endpoints.shop]\nurl = "https://127.0.0.1:9/"\nsecrets = ["{SECRET}"]\n')
    hooks_file.chmod(0o600)
    env = {"FACTUS_REDIS_URL": f"unix://{user}:{user}@{socket}", "FACTUS_WEBHOOKS_FILE": str(hooks_file)}
    done = typed(*arguments, env=env, folder=tmp_path)
    assert (done.status, told in done.shown) == (status, True), done.shown
    # An account's token is looked at and may be denied; a viewer's try to write too.
    denials = {entry["object"] for entry in held.acl_log()}
    assert told == "NoPermissionError" or all("factus:token" in one or user == "viewer" for one in denials), denials
