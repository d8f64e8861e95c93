"""The server tells of each entry that is in the way of a sale: of some that are not, and never of one too few."""

from __future__ import annotations

import json
from random import Random

import pytest

from jobs.overtaking import outline_of
from schemas import strict_json
from schemas.contract.envelope import MAX_JOB_BYTES
from tests.builders import a_bill
from tests.service_in_process import quick, services_on

TEXTS = ["S", "7", "ñ", "a/b"]
BOUNDS = {"look_entries": 50}


def a_job(payload=None, **envelope):
    return json.dumps({"type": "invoice.issue", "account": "acme", "payload": payload or {}} | envelope)


async def told(redis, namespace, entries, texts=TEXTS):
    """The places of those that the server tells of."""
    built = services_on(redis, namespace, policies=quick(intake=BOUNDS))
    stream, reader = built.keys.jobs(), built.intake._reader
    await reader.begin()
    async with redis.pipeline(transaction=False) as pipe:
        for entry in entries:
            pipe.xadd(stream, entry if isinstance(entry, dict) else {"job": entry})
        ids = [id_.decode() for id_ in await pipe.execute()]
    after, found = "", []
    while after != ids[-1]:
        after, rows = await reader.in_the_way(stream, after, ids[-1], [text.encode() for text in texts])
        found += rows
    for id_, raw in found:
        entry = entries[ids.index(id_)]
        assert raw == job_of(entry)
    return [ids.index(id_) for id_, _ in found]


def job_of(entry):
    """What comes over the connection: nothing where it has another form, or is too large."""
    if isinstance(entry, dict):
        return b""
    raw = entry if isinstance(entry, bytes) else entry.encode()
    return raw if len(raw) <= MAX_JOB_BYTES else b""


TOLD = {
    "its id": a_job(id="S"),
    "its reference": a_job({"reference_code": "S"}),
    "its reference, deeper": a_job({"related": [{"reference_code": "S"}]}),
    "behind another": a_job({"related": [{"reference_code": "T"}], "reference_code": "S"}),
    "with blanks": '{ "type" : "invoice.issue" , "id" \n:\t"S" }',
    "a line end behind it": a_job(id="S") + "\r\n",
    "a number": '{"type":"invoice.issue","id":7}',
    "a number as a fraction": '{"type":"invoice.issue","id":7.0}',
    "a number with an exponent": '{"type":"invoice.issue","id":70e-1}',
    "a value as an escape": '{"type":"invoice.issue","id":"\\u0053"}',
    "another letter as an escape": '{"type":"invoice.issue","id":"\\u00f1"}',
    "a stroke as an escape": '{"type":"invoice.issue","id":"a\\/b"}',
    "a letter beyond ASCII": json.dumps({"type": "invoice.issue", "id": "ñ"}, ensure_ascii=False),
    "a key as an escape": '{"type":"invoice.issue","\\u0069d":"S"}',
    "a key of twice": '{"type":"invoice.issue","id":"T","id":"S"}',
    "somebody who cancels": a_job({"batch": "L"}, type="job.cancel"),
    "cancelling as an escape": '{"type":"job\\u002Ecancel","payload":{"batch":"L"}}',
    "a mark before it": b"\xef\xbb\xbf" + a_job(id="S").encode(),
    "two bytes a letter": a_job(id="S").encode("utf-16"),
    "the same without a mark": a_job(id="S").encode("utf-16-le"),
    "the same, the other way round": a_job(id="S").encode("utf-16-be"),
    "four bytes a letter": a_job(id="S").encode("utf-32-le"),
    "nothing": "",
    "a list": "[]",
    "a text": '"S"',
    "cut off": a_job({"reference_code": "T"})[:-4],
    "cut off in its id": '{"type":"invoice.issue","id":"S',
    "no fields": {"other": "S"},
    "too large": a_job({"reference_code": "T", "observation": "x" * MAX_JOB_BYTES}),
}

NOT_TOLD = {
    "a bill": json.dumps({"type": "invoice.issue", "account": "acme", "payload": a_bill(reference_code="T")}),
    "letters beyond ASCII": a_job({"reference_code": "T", "customer": {"company": "Peña/Muñoz 一"}}),
    "its text in another field": a_job({"reference_code": "T", "observation": "S", "number": 7}),
    "a longer one": a_job({"reference_code": "S-1"}, id="7S"),
    "null": a_job({"reference_code": None}, id=None),
    "the words in a text": a_job({"observation": '"id":"S"'}, id="T"),
    "a line end behind it": a_job(id="T") + "\n",
}


@pytest.mark.parametrize("entry", TOLD.values(), ids=TOLD)
async def test_it_is_told(redis, namespace, entry):
    assert await told(redis, namespace, [a_job(id="T"), entry, a_job(id="T")]) == [1]


async def test_what_has_nothing_in_common_with_it_is_not_told(redis, namespace):
    assert await told(redis, namespace, list(NOT_TOLD.values())) == []


async def test_without_a_text_there_is_told_what_cannot_be_seen_through(redis, namespace):
    entries = [*NOT_TOLD.values(), TOLD["its id"], TOLD["somebody who cancels"], TOLD["cut off"]]
    assert await told(redis, namespace, entries, texts=[]) == [len(entries) - 2, len(entries) - 1]


def spelled(random, text):
    """A JSON text, here and there with an escape."""
    letters = json.dumps(text, ensure_ascii=random.random() < 0.5)[1:-1]
    if random.random() < 0.3:
        letters = "".join(
            f"\\u{ord(letter):04x}" if random.random() < 0.3 and letter != "\\" else letter for letter in text
        ).replace('"', '\\"')
    return f'"{letters}"'


def a_value(random, depth=0):
    kinds = ["text"] * 6 + ["number", "word"] + (["object", "list"] if depth < 3 else [])
    match random.choice(kinds):
        case "text":
            return spelled(random, random.choice(["S", "T", "7", "ñ", "Sñ", "a/b", 'x"id":"S"', "job.cancel", ""]))
        case "number":
            return random.choice(["7", "8", "7.0", "-7", "0", "1e3", "70e-1", "-0"])
        case "word":
            return random.choice(["null", "true", "false"])
        case "object":
            return an_object(random, depth + 1)
        case _:
            return "[" + ",".join(a_value(random, depth + 1) for _ in range(random.randrange(3))) + "]"


def an_object(random, depth=0):
    names = random.choices(["id", "reference_code", "type", "payload", "account", "x"], k=random.randrange(5))
    blank = random.choice(["", " ", "\n\t"])
    pairs = [f"{spelled(random, name)}{blank}:{blank}{a_value(random, depth + 1)}" for name in names]
    if not depth:
        pairs.insert(0, f'"type":{spelled(random, random.choice(["invoice.issue", "invoice.email", "job.cancel"]))}')
        pairs.append(f'"payload":{an_object(random, 1)}')
    return "{" + blank + f"{blank},".join(pairs) + blank + "}"


def an_entry(random):
    """Something like a job; now and then a piece is missing."""
    raw = an_object(random).encode()
    if random.random() < 0.1:
        cut = random.randrange(len(raw))
        raw = raw[:cut] + raw[cut + random.randrange(5) :]
    return raw


def is_in_the_way(raw):
    """Whether a sale with one of these texts must not pass it."""
    try:
        parsed = strict_json.skim(raw)
    except strict_json.JsonRefused:
        # It is refused, under the id that can still be read.
        return strict_json.top_level(raw).get("id") in TEXTS
    uses = outline_of(raw, "", None).uses
    name = parsed.get("type") if isinstance(parsed, dict) else None
    return name == "job.cancel" or any(use[-1] in TEXTS for use in uses)


@pytest.mark.parametrize("seed", range(8))
async def test_of_whatever_is_written_none_is_missed(redis, namespace, seed):
    random = Random(seed)
    entries = [an_entry(random) for _ in range(500)]
    in_the_way = {n for n, raw in enumerate(entries) if is_in_the_way(raw)}
    found = set(await told(redis, namespace, entries))
    missed = in_the_way - found
    assert not missed, [entries[n] for n in sorted(missed)[:3]]
    assert len(in_the_way) > 100
    assert len(found) < len(entries)
