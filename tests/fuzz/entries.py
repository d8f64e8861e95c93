"""
What producers push in a fuzzing run: valid jobs of all types, changed everywhere, floods, and honest jobs between.

One seed and one number of a round give one list of actions.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import Any, Final

from jobs.example_payloads import example
from jobs.registry import JOB_TYPES
from tests.builders import a_bill
from tests.fuzz import values
from tests.fuzz.actions import Action, Add, Delete, Plant
from tests.fuzz.values import Raw, hostile, mutate, write

CALM: Final = "calm"
"""Whose requests Factus's side answers as the real one does: the honest jobs are this account's."""
OWN: Final = "own"
"""An account with streams of its own, answered with hostility."""
WILD: Final = ("wild-1", "wild-2", "wild-3", OWN)
JWT: Final = "eyJhbGciOiJIUzI1NiJ9.eyJwbGFudGVkIjoiZnV6eiJ9.c2lnbmF0dXJlLW9mLXRoZS1mdXp6ZXI"
TYPES: Final = tuple(sorted(JOB_TYPES))
_ISSUING: Final = tuple(name for name in TYPES if name.endswith(".issue"))
_MIB: Final = 1024 * 1024

THEMES: Final = ("mixed",) * 12 + ("big", "flood", "batches", "lists", "ids", "hands", "trims", "numbers")
"""What a round is about; each but the first is a twentieth."""


@dataclass
class Producer:
    """Makes the actions of one round."""

    chance: random.Random
    prefix: str
    scale: float = 1.0
    """How much of floods and large entries; 1 for a long run."""
    n: int = 0

    def round(self, n_entries: int, theme: str = "", n_good: int = 8) -> list[Action]:
        theme = theme or self.chance.choice(THEMES)
        special: list[Action] = getattr(self, f"_{theme}")() if theme != "mixed" else []
        found: list[Action] = [self.entry() for _ in range(n_entries)] + special
        self.chance.shuffle(found)
        if theme in ("big", "batches"):
            found = special + [action for action in found if action not in special]
        for n in range(n_good):
            found.insert(len(found) * (n + 1) // (n_good + 1), self.good())
        return found

    def name(self) -> str:
        self.n += 1
        return f"{self.prefix}-{self.n}"

    # -- jobs ------------------------------------------------------------------------------------------------------
    def good(self) -> Add:
        """An honest job, mostly an invoice."""
        name = self.name()
        payload: dict[str, Any] = a_bill(reference_code=f"G{name}")
        job = {"type": "invoice.issue", "account": CALM, "id": f"good-{name}", "payload": payload}
        if self.chance.random() < 0.2:
            job |= {"type": "catalog.search", "payload": {"catalog": "taxes", "query": "01"}}
        return Add(((b"job", write(job).encode()),), is_good=True)

    def valid(self, account: str = "") -> dict[str, Any]:
        """A job that the intake takes."""
        chance, name = self.chance, self.name()
        type_ = chance.choice(_ISSUING if chance.random() < 0.5 else TYPES)
        payload = example(type_)
        if "reference_code" in payload and chance.random() < 0.9:
            payload["reference_code"] = f"R{name}"
        job: dict[str, Any] = {"type": type_, "account": account or chance.choice(WILD[:3]), "payload": payload}
        if chance.random() < 0.7:
            job["id"] = f"z-{name}"
        return job

    def entry(self) -> Action:
        """One push of a stranger."""
        chance = self.chance
        is_own = chance.random() < 0.1
        job: Any = self.valid(OWN if is_own else "")
        owner = OWN if is_own else ""
        kind = chance.random()
        if kind < 0.3:
            if job["type"] == "invoice.issue" and chance.random() < 0.3:
                job["options"] = {"archive": ["pdf", "xml"], "track_radian": True}
            return Add(((b"job", write(job).encode()),), owner)
        if kind < 0.55:
            self._envelope(job)
        elif kind < 0.85:
            job = mutate(job, chance, chance.choice([1, 1, 2, 5]))
        raw = write(job).encode("utf-8", "surrogatepass")
        if kind >= 0.85 or chance.random() < 0.05:
            raw = values.broken_bytes(raw, chance)
        return self._pushed(raw, owner)

    def _pushed(self, raw: bytes, owner: str) -> Action:
        chance = self.chance
        match chance.randrange(40):
            case 0:
                return Add(((b"job", raw), (b"job", write(self.valid()).encode())), owner)
            case 1:
                return Add(((chance.choice([b"Job", b"job ", b"", b"\xff", b"payload"]), raw),), owner)
            case 2:
                more = tuple((f"f{n}".encode(), b"x") for n in range(chance.choice([1, 50, 2000])))
                return Add((*more, (b"job", raw)), owner)
            case 3:
                return Add(((b"job", raw), (b"token", JWT.encode())), owner)
            case 4:
                return Add(((b"job", raw),), owner, times=chance.choice([2, 3, 20]))
            case 5:
                return Delete(chance.randrange(1, 20))
            case _:
                return Add(((b"job", raw),), owner)

    def _envelope(self, job: dict[str, Any]) -> None:
        """One or a few fields of the envelope at their edges."""
        chance = self.chance
        for _ in range(chance.choice([1, 1, 2, 4])):
            name, pool = chance.choice(_FIELDS)
            job[name] = hostile(chance) if chance.random() < 0.25 else chance.choice(pool)
            if name == "batch_size":
                job.setdefault("batch", f"b-{chance.randrange(5)}")

    # -- themes ----------------------------------------------------------------------------------------------------
    def _many(self, most: int) -> int:
        return max(round(most * self.scale * self.chance.uniform(0.2, 1)), 1)

    def _big(self) -> list[Action]:
        """Entries of up to 16 MiB: rubbish, JSON that says little, and JSON that says much."""
        chance, found = self.chance, list[Action]()
        for _ in range(self._many(40)):
            size = round(chance.choice([1, 1.01, 1.01, 2, 4, 16, 16]) * _MIB)
            body = chance.choice(
                [
                    b"x" * size,
                    b'{"id":"big","metadata":"' + b"x" * size + b'"}',
                    b"[" * size,
                    b"[" + b"1," * (size // 2),
                ]
            )
            found.append(Add(((b"job", body),)) if chance.random() < 0.8 else Add(((b"job", b"{}"), (b"x", body))))
        return found

    def _flood(self) -> list[Action]:
        """One reference, or one id, again and again while it is open; or rubbish in any number."""
        kind = self.chance.randrange(4)
        job = self.valid()
        job |= {"type": "invoice.issue", "payload": a_bill(reference_code=f"F{self.name()}")}
        if kind > 0:
            job.pop("id", None)
        raw = write(job).encode() if kind < 3 else self.chance.choice([b"", b"x", b"{}", b"null", b'{"id":1}'])
        return [Add(((b"job", raw),), times=self._many(12_000))]

    def _batches(self) -> list[Action]:
        chance, found = self.chance, list[Action]()
        for _ in range(self._many(20)):
            job = self.valid()
            job |= {"batch": f"b-{self.prefix}-{chance.randrange(3)}", "batch_size": Raw(chance.choice(values.SIZES))}
            if chance.random() < 0.5:
                job["surprise"] = 1
            found.append(Add(((b"job", write(job).encode()),)))
        return found

    def _lists(self) -> list[Action]:
        """Just below the largest size, with as many faults as can be had for it."""
        chance, found = self.chance, list[Action]()
        for _ in range(self._many(12)):
            job = self.valid()
            item = chance.choice(
                ['"x"', '"pdf"', "{}", "[]", "1", "1e99", '{"a":{}}', "null", "[[]]", '"\\ud800"', "0.1", "-1"]
            )
            size = chance.choice([_MIB // 16, _MIB // 2, _MIB - 6000])
            spoilt = Raw("[" + ",".join([item] * max(size // (len(item) + 1) - 1, 1)) + "]")
            if chance.random() < 0.2:
                spoilt = Raw("{" + ",".join(f'"{n:x}":0' for n in range(size // 10)) + "}")
            match chance.randrange(6):
                case 0:
                    job["options"] = {"archive": spoilt}
                case 1:
                    job["metadata"] = {"a": spoilt}
                case 2:
                    job["payload"]["items"] = spoilt
                case 3:
                    job[chance.choice(["payload", "options", "batch_size", "id", "surprise"])] = spoilt
                case 4:
                    key = chance.choice(list(job["payload"]) or ["items"])
                    job["payload"][key] = spoilt
                case 5:
                    job = {"type": spoilt} if chance.random() < 0.5 else {f"k{n}": 0 for n in range(size // 12)}
            found.append(Add(((b"job", write(job).encode()),)))
        return found

    def _ids(self) -> list[Action]:
        """Ids of entries: of the future, the last there can be, and names of jobs that look like them."""
        chance, found = self.chance, list[Action]()
        for id_ in chance.sample(["4102444800000-0", "4102444800000-18446744073709551615", "9999999999999-5"], 2):
            found.append(Add(((b"job", write(self.valid()).encode()),), id=id_))
        for _ in range(self._many(10)):
            job = self.valid() | {"id": chance.choice(values.IDS)}
            found.append(Add(((b"job", write(job).encode()),)))
        if chance.random() < 0.5:
            found.append(Add(((b"job", write(self.valid()).encode()),), id="18446744073709551615-18446744073709551615"))
        return found

    def _hands(self) -> list[Action]:
        """Keys of another kind under the names that a push leads to."""
        chance, found = self.chance, list[Action]()
        for _ in range(self._many(8)):
            job = self.valid() | {"type": "invoice.issue", "batch": f"h{self.name()}", "id": f"h{self.name()}"}
            reference = f"H{self.name()}"
            job["payload"] = a_bill(reference_code=reference)
            account = job["account"]
            name = chance.choice(
                [
                    f"job:{account}:{job['id']}",
                    f"doc:{account}:invoice:{reference}",
                    f"doc:{account}:invoice:{reference}:joined",
                    f"batch:{account}/{job['batch']}",
                ]
            )
            kinds = [
                kind for kind in ("string", "list", "set", "hash", "zset") if kind != _OURS[name.partition(":")[0]]
            ]
            kinds = ["hash"] if name.endswith(":joined") else kinds
            found += [
                Plant(name, chance.choice(kinds)),
                Add(((b"job", write(job).encode()),), times=chance.choice([1, 2])),
            ]
        return found

    def _trims(self) -> list[Action]:
        found: list[Action] = []
        for _ in range(self._many(10)):
            raw = write(self.valid()).encode()
            found.append(replace(Add(((b"job", raw),)), maxlen=self.chance.choice([0, 1, 5, 50])))
            found.append(Delete(self.chance.randrange(1, 30)))
        return found

    def _numbers(self) -> list[Action]:
        """Valid documents with every number at an edge."""
        found: list[Action] = []
        for _ in range(self._many(60)):
            job = self.valid()
            for node in values._containers(job["payload"]):
                for key in node if isinstance(node, dict) else ():
                    if (
                        isinstance(node[key], str)
                        and node[key].replace(".", "").isdigit()
                        and self.chance.random() < 0.3
                    ):
                        number = self.chance.choice(values.NUMBERS)
                        node[key] = Raw(number) if self.chance.random() < 0.6 else number
            found.append(Add(((b"job", write(job).encode()),)))
        return found


_OURS: Final = {"job": "hash", "doc": "hash", "batch": "hash"}
_FIELDS: Final[tuple[tuple[str, tuple[Any, ...]], ...]] = (
    ("issue_on", values.DAYS),
    ("not_before", values.INSTANTS),
    ("expires_at", values.INSTANTS),
    ("id", values.IDS),
    ("account", (*values.OTHER_ACCOUNTS, OWN, CALM)),
    ("batch", (*values.TEXTS, "b-1", "b-2")),
    ("batch_size", tuple(map(Raw, values.SIZES))),
    ("priority", ("high", "low", "normal", "HIGH", "", 1)),
    (
        "metadata",
        ({"n": Raw("1e300000000")}, {"n": Raw("1" + "0" * 99)}, {"x": "x" * 4000}, {"x": "x" * 4096}, {}, None),
    ),
    ("options", ({"archive": ["pdf"] * 12}, {"archive": ["pdf", "xml"]}, {"track_radian": True}, {"x": 1}, [], None)),
    ("token", (JWT, JWT * 100, "x", None)),
    ("traceparent", ("00-" + "a" * 32 + "-" + "b" * 16 + "-01", "x", None)),
    ("type", (*TYPES, "no.such", "invoice.track", "invoice.archive", "x" * 64, "x" * 65, "invoice.issue\n")),
)
