"""What the facts of Redis mean. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from worker.doctor.checks import IDS, Check, Status, skipped
from worker.doctor.redis_facts import RedisPlace, RedisSeen, Refusal, Unreachable
from worker.speech import Speech
from worker.status.causes import redis_mend

OF_REDIS: Final = tuple(id_ for id_ in IDS if "redis" in id_ and id_ != "redis.reachable")

OLDEST_REDIS: Final = (6, 2)
COUNTING_REDIS: Final = (7, 0)
OLDEST_VALKEY: Final = (7, 2)
MEMORY_WARNING: Final = 0.80
MEMORY_FAILURE: Final = 0.95
CLOCK_WARNING_MS: Final = 2_000
CLOCK_FAILURE_MS: Final = 60_000

_OF_REFUSAL: Final = {
    "OOM": "redis.memory", "MISCONF": "redis.persistence", "READONLY": "redis.replicas",
    "NOREPLICAS": "redis.replicas", "MASTERDOWN": "redis.replicas", "NOPERM": "redis.rights",
}  # fmt: skip
"""Which check tells that writes are refused; all other words are told by ``redis.reachable``."""

_MIB: Final = 1024 * 1024


def unreachable_checks(seen: Unreachable, place: RedisPlace, speech: Speech) -> list[Check]:
    """There is no server to ask: one line, and all that hangs on it."""
    mend = seen.mend
    if seen.is_login:
        mend = speech.say("revise usuario y clave en FACTUS_REDIS_URL", "check user and password in FACTUS_REDIS_URL")
    elif seen.is_loading:
        mend = speech.say("espere: está cargando sus datos", "wait: it is loading its data")
    mend = mend or speech.say(
        "mire que Redis esté en marcha, la red hasta él y FACTUS_REDIS_URL; el trabajo sigue solo cuando responda",
        "see that Redis runs, the network to it, and FACTUS_REDIS_URL; work goes on by itself when it answers",
    )
    found = speech.say(f"no se puede preguntar a Redis: {seen.words}", f"Redis cannot be asked: {seen.words}")
    why = speech.say("Redis no responde (redis.reachable)", "Redis does not answer (redis.reachable)")
    return [Check("redis.reachable", "failure", place.address, found, mend), *skipped(OF_REDIS, place.address, why)]


def redis_checks(seen: RedisSeen, place: RedisPlace, speech: Speech) -> list[Check]:
    """All that concerns the server itself."""
    of = {_OF_REFUSAL.get(seen.refusal.word, "redis.reachable"): seen.refusal} if seen.refusal else {}
    makers: dict[str, Callable[[RedisSeen, RedisPlace, Speech], tuple[Status, str, str]]] = {
        "redis.reachable": _reachable,
        "redis.version": _version,
        "redis.persistence": _persistence,
        "redis.eviction": _eviction,
        "redis.memory": _memory,
        "redis.replicas": _replicas,
        "redis.rights": _rights,
        "clock.redis": _clock,
    }
    found = []
    for id_, make in makers.items():
        refusal = of.get(id_)
        told = _refused(refusal, speech) if refusal and id_ != "redis.rights" else make(seen, place, speech)
        found.append(Check(id_, told[0], place.address, told[1], told[2]))
    return found


def _refused(refusal: Refusal, speech: Speech) -> tuple[Status, str, str]:
    what = speech.say("no acepta escrituras", "it takes no writes")
    return "failure", f"{what}: {refusal.words}", redis_mend(refusal.word, speech)


def _unseen(speech: Speech) -> tuple[Status, str, str]:
    found = speech.say("este usuario de Redis no puede ver INFO", "this user of Redis may not see INFO")
    mend = speech.say("dele +info, como en deploy/users.acl", "give it +info, as in deploy/users.acl")
    return "skipped", found, mend


def _reachable(seen: RedisSeen, place: RedisPlace, speech: Speech) -> tuple[Status, str, str]:
    return "ok", speech.say("responde", "answers"), ""


def _version(seen: RedisSeen, place: RedisPlace, speech: Speech) -> tuple[Status, str, str]:
    if seen.info is None:
        return _unseen(speech)
    valkey = str(seen.info.get("valkey_version", ""))
    name, text = ("Valkey", valkey) if valkey else ("Redis", str(seen.info.get("redis_version", "")))
    version = _version_of(text)
    if str(seen.info.get("redis_mode", "")) == "cluster":
        return (
            "failure",
            speech.say(f"{name} {text}, como Cluster", f"{name} {text}, as a Cluster"),
            speech.say(
                "use un servidor solo, o detrás de Sentinel: sus scripts tocan varias claves a la vez",
                "use a server alone, or behind Sentinel: the scripts touch several keys at once",
            ),
        )
    if version < (OLDEST_VALKEY if valkey else OLDEST_REDIS):
        found = speech.say(f"{name} {text or '?'} es demasiado viejo", f"{name} {text or '?'} is too old")
        return "failure", found, speech.say("ponga Redis 6.2 o Valkey 7.2, o más nuevo", "install Redis 6.2 or Valkey 7.2, or newer")  # fmt: skip  # noqa: E501
    if not valkey and version < COUNTING_REDIS:
        return (
            "warning",
            speech.say(
                f"Redis {text} sirve, pero no cuenta lo que se recorta de una cola sin leer",
                f"Redis {text} serves, but does not count what is trimmed from a stream unread",
            ),
            speech.say("pase a Redis 7 o Valkey cuando pueda", "move to Redis 7 or Valkey when you can"),
        )
    return "ok", f"{name} {text}", ""


def _version_of(text: str) -> tuple[int, int]:
    found = re.match(r"(\d{1,4})\.(\d{1,4})", text)
    return (int(found[1]), int(found[2])) if found else (0, 0)


_ALWAYS: Final = "CONFIG SET appendonly yes, CONFIG SET appendfsync always, CONFIG REWRITE"


def _persistence(seen: RedisSeen, place: RedisPlace, speech: Speech) -> tuple[Status, str, str]:
    if seen.info is None:
        return _unseen(speech)
    info, say = seen.info, speech.say
    if _number(info, "aof_enabled") != 1:
        return (
            "failure",
            say("no guarda el registro (appendonly no): una caída pierde trabajos ya enviados",
                "it keeps no log (appendonly no): a crash loses jobs that were pushed"),
            f"{_ALWAYS} (deploy/redis.conf)",
        )  # fmt: skip
    if str(info.get("aof_last_write_status", "ok")) != "ok":
        return (
            "failure",
            say("la última escritura en su disco falló (aof_last_write_status)",
                "its last write to disk failed (aof_last_write_status)"),
            redis_mend("MISCONF", speech),
        )  # fmt: skip
    if str(info.get("aof_last_bgrewrite_status", "ok")) != "ok":
        return (
            "warning",
            say("no pudo reescribir su registro (aof_last_bgrewrite_status)",
                "it could not rewrite its log (aof_last_bgrewrite_status)"),
            say("mire el espacio en su disco y su registro", "look at the room on its disk, and at its log"),
        )  # fmt: skip
    match seen.appendfsync:
        case "always":
            return "ok", "appendonly yes, appendfsync always", ""
        case None:
            return (
                "warning",
                say("appendonly yes; este usuario no puede ver appendfsync (CONFIG)",
                    "appendonly yes; this user may not see appendfsync (CONFIG)"),
                say("mírelo en el servidor: CONFIG GET appendfsync debe decir always",
                    "look at the server: CONFIG GET appendfsync has to say always"),
            )  # fmt: skip
        case "everysec":
            return (
                "warning",
                say("appendfsync everysec: un corte de luz puede llevarse el último segundo de trabajos enviados",
                    "appendfsync everysec: a power cut can take the last second of pushed jobs"),
                "CONFIG SET appendfsync always, CONFIG REWRITE",
            )  # fmt: skip
        case other:
            return (
                "failure",
                say(f"appendfsync {other}: un corte de luz puede llevarse medio minuto de trabajos enviados",
                    f"appendfsync {other}: a power cut can take half a minute of pushed jobs"),
                "CONFIG SET appendfsync always, CONFIG REWRITE",
            )  # fmt: skip


def _eviction(seen: RedisSeen, place: RedisPlace, speech: Speech) -> tuple[Status, str, str]:
    if seen.info is None:
        return _unseen(speech)
    policy = str(seen.info.get("maxmemory_policy", "?"))
    if policy == "noeviction":
        return "ok", "maxmemory-policy noeviction", ""
    return (
        "failure",
        speech.say(
            f"maxmemory-policy {policy}: un registro desalojado dejaría salir un documento dos veces",
            f"maxmemory-policy {policy}: an evicted record would let a document go out twice",
        ),
        "CONFIG SET maxmemory-policy noeviction, CONFIG REWRITE",
    )


def _memory(seen: RedisSeen, place: RedisPlace, speech: Speech) -> tuple[Status, str, str]:
    if seen.info is None:
        return _unseen(speech)
    used, most = _number(seen.info, "used_memory"), _number(seen.info, "maxmemory")
    whole = most or _number(seen.info, "total_system_memory")
    bound = (
        speech.say("de maxmemory", "of maxmemory")
        if most
        else speech.say("de la máquina (sin maxmemory)", "of the machine (no maxmemory)")
    )
    share = used / whole if whole else 0.0
    found = f"{speech.count(used // _MIB)} MiB"
    if whole:
        found = speech.say(
            f"{found} de {speech.count(whole // _MIB)} MiB {bound}",
            f"{found} of {speech.count(whole // _MIB)} MiB {bound}",
        )
    if share < MEMORY_WARNING:
        return "ok", found, ""
    return "failure" if share >= MEMORY_FAILURE else "warning", found, redis_mend("OOM", speech)


def _replicas(seen: RedisSeen, place: RedisPlace, speech: Speech) -> tuple[Status, str, str]:
    if seen.info is None:
        return _unseen(speech)
    info, say = seen.info, speech.say
    if str(info.get("role", "master")) != "master":
        return "failure", say("es una réplica", "it is a replica"), redis_mend("READONLY", speech)
    n = _number(info, "connected_slaves")
    told = speech.of(n, ("réplica", "replica"), ("réplicas", "replicas"))
    if not place.is_sentinel:
        return "ok", say(f"primario, {told}", f"primary, {told}"), ""
    if not _waits_for_replicas(seen):
        return (
            "failure",
            say("detrás de Sentinel y sin min-replicas-to-write 1: un primario aislado seguiría aceptando trabajos que "
                "luego se pierden",
                "behind Sentinel and without min-replicas-to-write 1: a primary cut off would go on taking jobs that "
                "are lost later"),
            say("en cada servidor: CONFIG SET min-replicas-to-write 1, CONFIG REWRITE",
                "on every server: CONFIG SET min-replicas-to-write 1, CONFIG REWRITE"),
        )  # fmt: skip
    if not n:
        return "failure", told, redis_mend("NOREPLICAS", speech)
    return "ok", say(f"primario, {told}, min-replicas-to-write", f"primary, {told}, min-replicas-to-write"), ""


def _waits_for_replicas(seen: RedisSeen) -> bool:
    """By the setting, or where this user may not see it by INFO, which counts good replicas only where it is set."""
    if seen.min_replicas is not None:
        return seen.min_replicas.isdigit() and int(seen.min_replicas) >= 1
    return seen.info is not None and "min_slaves_good_slaves" in seen.info


def _rights(seen: RedisSeen, place: RedisPlace, speech: Speech) -> tuple[Status, str, str]:
    rights, say = seen.rights, speech.say
    user = say(f"usuario {rights.user}: ", f"user {rights.user}: ") if rights.user else ""
    missing = list(rights.missing)
    if seen.refusal and seen.refusal.word == "NOPERM":
        missing.insert(0, "set")
    if missing:
        names = ", ".join(dict.fromkeys(missing))
        return (
            "warning",
            user + say(f"sirve para mirar, no para un trabajador; le falta: {names}",
                       f"it serves to look, not for a worker; it lacks: {names}"),
            say("si es el usuario de los trabajadores, dele los permisos de worker en deploy/users.acl",
                "if it is the workers' user, give it the rights of worker in deploy/users.acl"),
        )  # fmt: skip
    if not rights.is_known:
        why = f" ({rights.why})" if rights.why else ""
        found = say(f"este servidor no dice los permisos{why}", f"this server does not tell rights{why}")
        return "skipped", user + found, ""
    if rights.may_flush and not place.is_own:
        return (
            "warning",
            user + say("puede todo, también FLUSHALL", "it may do anything, FLUSHALL too"),
            say("use los usuarios de deploy/users.acl, uno para cada papel",
                "use the users of deploy/users.acl, one for each role"),
        )  # fmt: skip
    return "ok", user + say("puede lo que un trabajador necesita", "it may do what a worker needs"), ""


def _clock(seen: RedisSeen, place: RedisPlace, speech: Speech) -> tuple[Status, str, str]:
    if seen.clock_off_ms is None:
        found = speech.say("este usuario no puede preguntar la hora (TIME)", "this user may not ask the time (TIME)")
        return "skipped", found, speech.say("dele +time", "give it +time")
    return clock_verdict(seen.clock_off_ms, "Redis", speech)


def clock_verdict(off_ms: float, whose: str, speech: Speech) -> tuple[Status, str, str]:
    """A clock beside this machine's. More than 2 s is worth a word, more than a minute moves deadlines and days."""
    seconds = f"{abs(off_ms) / 1000:.1f} s"
    if speech.language == "es":
        seconds = seconds.replace(".", ",")
    if abs(off_ms) <= CLOCK_WARNING_MS:
        return "ok", speech.say(f"{seconds} de diferencia con este equipo", f"{seconds} off this machine"), ""
    way = speech.say("adelantado", "ahead") if off_ms > 0 else speech.say("atrasado", "behind")
    found = speech.say(
        f"el reloj de {whose} va {way} {seconds} frente a este equipo",
        f"the clock of {whose} is {seconds} {way} of this machine",
    )
    mend = speech.say(
        "sincronice los dos relojes (chrony o systemd-timesyncd)", "synchronise both clocks (chrony, systemd-timesyncd)"
    )
    return "failure" if abs(off_ms) > CLOCK_FAILURE_MS else "warning", found, mend


def _number(info: Any, name: str) -> int:
    found = info.get(name, 0)
    return found if isinstance(found, int) else 0
