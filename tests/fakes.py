"""
Factus in memory, behind the port: a small truth to check attempts against, with gates and faults.

It holds what the real one would hold (documents by reference, the family lock, the old document for a repeated
reference), so that a test can ask what was issued rather than which method was called.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from jobs import answers
from jobs.answers import Answer
from jobs.archive_names import Stored as StoredFile
from jobs.errors import ArchiveConflict
from jobs.factus_requests import Request
from jobs.ports import LockState
from schemas import strict_json
from schemas.factus import DocumentView
from schemas.records import JobRecord
from tests.patience import PATIENCE_S


@dataclass
class Stored:
    """One document as Factus holds it."""

    number: str
    raw: dict[str, Any]
    n_creates: int = 1


@dataclass
class FakeFactus:
    """
    The port ``Gateway``.

    ``script`` answers the next creates in order; an entry may be a Seen (nothing is stored), or a callable that is
    given the stored document's normal answer and returns what is seen instead (the answer is lost, late ...).
    ``replies`` answers other calls by ``METHOD /path``, in order, the last one again and again; a download has a file
    anyway.
    """

    script: list[Answer | Callable[[Answer], Answer]] = field(default_factory=list)
    finds: list[Answer] = field(default_factory=list)
    deletes: list[Answer] = field(default_factory=list)
    documents: dict[str, Stored] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)
    order: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    before_create: Callable[[JobRecord], Any] | None = None
    gate: asyncio.Event | None = None
    blocker: Answer = field(default_factory=answers.Absent)
    replies: dict[str, list[Answer]] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    before_call: Callable[[Request], Any] | None = None
    _awaited: list[tuple[str, int, asyncio.Future[None]]] = field(default_factory=list)

    async def called(self, name: str, n: int = 1, *, timeout_s: float = PATIENCE_S) -> None:
        """Wait until a method, or ``METHOD /path``, has been called *n* times."""
        if self.calls[name] < n:
            found: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._awaited.append((name, n, found))
            async with asyncio.timeout(timeout_s):
                await found

    def _note(self, name: str) -> None:
        self.calls[name] += 1
        for awaited, n, found in self._awaited:
            if awaited == name and self.calls[name] >= n and not found.done():
                found.set_result(None)

    async def create(self, job: JobRecord, *, latest_ms: int) -> Answer:
        self.order.append(job.reference_code)
        self._note("create")
        if self.before_create:
            await self.before_create(job)
        if self.gate:
            await self.gate.wait()
        planned = self.script.pop(0) if self.script else None
        if planned is not None and not callable(planned):
            return planned
        answer = self._store(job)
        return planned(answer) if planned else answer

    async def find(self, family: str, reference_code: str) -> Answer:
        self._note("find")
        if self.finds:
            return self.finds.pop(0)
        found = self.documents.get(reference_code)
        return answers.DocumentSeen(DocumentView(found.raw)) if found else answers.Absent()

    async def find_unvalidated(self, family: str) -> Answer:
        self._note("find_unvalidated")
        return self.blocker

    async def delete(self, job: JobRecord, reference_code: str, *, settle_ms: int) -> Answer:
        self._note("delete")
        if self.deletes:
            return self.deletes.pop(0)
        self.deleted.append(reference_code)
        return answers.Done() if self.documents.pop(reference_code, None) else answers.Absent()

    async def call(self, request: Request, *, marks: JobRecord | None = None) -> Answer:
        name = f"{request.method} {request.path}"
        self._note(name)
        self.requests.append(request)
        if self.before_call:
            await self.before_call(request)
        planned = self.replies.get(name)
        if planned:
            return planned.pop(0) if len(planned) > 1 else planned[0]
        if "/download-" in request.path:
            key = "pdf_base_64_encoded" if request.path.endswith("pdf") else "xml_base_64_encoded"
            return answers.Replied({"data": {"file_name": "f", key: base64.b64encode(name.encode()).decode()}})
        return answers.NotFound("no encontrado")

    def _store(self, job: JobRecord) -> Answer:
        known = self.documents.get(job.reference_code)
        if known:
            known.n_creates += 1
            return answers.DocumentSeen(DocumentView(known.raw))
        number = f"SETP{990000000 + len(self.documents) + 1}"
        stored = Stored(number, a_document(job, number=number))
        self.documents[job.reference_code] = stored
        return answers.DocumentSeen(DocumentView(stored.raw))


class FreeChangeLock:
    """The port ``ChangeLock`` with nobody else in it."""

    async def acquire_change_lock(self, job: JobRecord, thing: str) -> LockState:
        return "held"

    async def acquire_removal_lock(self, job: JobRecord, reference_code: str) -> LockState:
        return "held"


@dataclass
class MemoryArchive:
    """The port ``Archive``: ``faults`` are raised first, in order."""

    files: dict[str, bytes] = field(default_factory=dict)
    faults: list[Exception] = field(default_factory=list)
    after_put: Callable[[], Any] | None = None

    async def put(self, name: str, content: bytes, *, content_type: str) -> StoredFile:
        if self.faults:
            raise self.faults.pop(0)
        known = self.files.setdefault(name, content)
        held = StoredFile(f"memory:///{name}", hashlib.sha256(known).hexdigest(), len(known))
        if known != content:
            raise ArchiveConflict(held)
        if self.after_put:
            await self.after_put()
        return held


def a_document(job: JobRecord, *, number: str = "SETP1", **changes: Any) -> dict[str, Any]:
    """A validated document of Factus for a job, in the parts that we read."""
    payload = strict_json.parse(job.payload) if job.payload else {}
    return {
        "reference_code": job.reference_code,
        "number": number,
        "is_validated": True,
        "validated_at": "13-05-2026 08:21:49 AM",
        "created_at": "13-05-2026 08:21:47 AM",
        "errors": {},
        "cufe": "ab" * 48,
        "customer": {"identification": payload.get("customer", {}).get("identification", job.party)},
        "totals": {"total": job.total, "tax_amount": "0.00"},
        "links": {"qr": "https://example.com/qr", "public_url": "https://example.com/doc"},
        **changes,
    }


def lost(_answer: Answer) -> Answer:
    """Factus committed, and its answer never arrived."""
    return answers.Unknown("se perdió la respuesta")
