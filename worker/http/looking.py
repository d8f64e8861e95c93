"""
What is known: a job, the story of a document, its files, and the shipped tables.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import Response

from jobs.archive_names import ARCHIVE_KINDS, ArchiveKind, archive_name
from jobs.document_verbs import day_of
from jobs.errors import ArchiveUnavailable
from jobs.families import FAMILIES
from jobs.follow_ups import archive_job
from schemas import strict_json
from schemas.catalogs import search as catalogs
from schemas.contract.envelope import ACCOUNT_PATTERN
from schemas.factus import BOGOTA
from schemas.names import family_of
from schemas.records import DocumentRecord, DocumentState
from worker.http.answers import NOT_FOUND, Refusal, answer, body_of, forbidden, invalid, not_found, unavailable
from worker.http.callers import Caller
from worker.http.door import Door
from worker.http.masking import masked
from worker.http.requests import caller_of, query_of, turn_to_read
from worker.http.routes import PREFIX, CatalogQuery, OfAccount
from worker.speech import SPANISH
from worker.status.explain import Explanation, explain, explain_event
from worker.status.story import story_of
from worker.store.connection import command

_DOCUMENTS: Final = f"{PREFIX}/documents/"
_FILE: Final = re.compile(r"(?s)(.+)/files/([^/]+)")
_LONGEST_REFERENCE: Final = 100
_ACCOUNT: Final = re.compile(ACCOUNT_PATTERN)
_NEITHER: Final = f"{NOT_FOUND} Si pide un archivo, sus clases son {', '.join(ARCHIVE_KINDS)}."
_PUSHED: Final = Explanation(
    reference_code=None, job_id="", account="", family=None, job_type="", state="pushed",
    where="en la cola de entrada", why="ningún trabajador lo ha recibido todavía", next="se recibe en segundos",
    next_at=None, since=None, outcome=None, number=None, attempts=0, last_error=None, position=None, n_in_lane=None,
    tried_until=None,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Named:
    """What an address below ``/documents/`` names."""

    family: str
    reference_code: str
    kind: ArchiveKind | None

    def whole(self) -> Named:
        """The same where an address names no files: what looks like one is the end of a reference."""
        if self.kind is None:
            return self
        return Named(self.family, f"{self.reference_code}/files/{self.kind}", None)


class Looking:
    """The routes that tell."""

    def __init__(self, door: Door) -> None:
        self._door = door

    # -- jobs ------------------------------------------------------------------------------------------------------
    async def job(self, request: Request) -> Response:
        """One job: where it is and why, and its final event."""
        door, caller = self._door, caller_of(self._door, request)
        account = _account(query_of(request, OfAccount), caller)
        wanted = request.path_params["id"]
        async with turn_to_read(door):
            found = await door.finder.by_id(wanted, account=account, may_see=caller.sees)
            if len(found) > 1:
                raise invalid("Varias cuentas tienen un trabajo con este id: diga cuál con account.", "account")
            if not found:
                return await self._without_record(wanted, account, caller)
            one = found[0].job.job
            event = await door.finals.of_job(one) if one.is_final else None
            told = explain(found[0], door.accounts.zones.get(one.account, BOGOTA), SPANISH)
        return _job_answer(told, event, caller)

    async def _without_record(self, wanted: str, account: str | None, caller: Caller) -> Response:
        """A job that was refused at once, or that nobody has taken in."""
        door = self._door
        # The default account stays what it is, whichever is asked for: else its unnamed jobs would be anybody's.
        pushed = await door.finder.pushed_for(
            wanted, account=account, may_see=caller.sees, default_account=await door.accounts.default()
        )
        if pushed is not None:
            return _job_answer(_PUSHED, None, caller, job_id=wanted, account=pushed)

        def may_see(whose: str) -> bool:
            # An event whose account could not be read may be anybody's: it is for who may see all.
            return caller.sees(whose) and (account is None or whose in (account, ""))

        for owner in (None, *sorted(filter(may_see, door.accounts.own_streams))):
            if event := await door.finals.of_entry(wanted, may_see, owner):
                return _job_answer(explain_event(strict_json.parse_written(event), SPANISH), event, caller)
        found = await door.finder.last_event(wanted, account, caller.sees)
        if found and found["job_id"] == wanted:
            return _job_answer(explain_event(found, SPANISH), strict_json.dump(found).encode(), caller)
        raise not_found()

    # -- documents -------------------------------------------------------------------------------------------------
    async def document(self, request: Request) -> Response:
        """The story of a document, or one of its files."""
        door, caller = self._door, caller_of(self._door, request)
        account = _account(query_of(request, OfAccount), caller)
        named = named_by(request, _DOCUMENTS)
        if named.family not in FAMILIES:
            raise not_found(f"No existe la clase de documento {named.family[:40]}: {', '.join(FAMILIES)}.")
        if named.kind is not None:
            return await self._file(named, named.kind, account, caller)
        try:
            data = await story_data(door, caller, named, account)
        except Refusal as refused:
            # Perhaps a file was meant, of a kind that there is not; nothing of the request is said again.
            if refused.status == 404 and "/files/" in named.reference_code:
                raise not_found(_NEITHER) from refused
            raise
        return answer(True, "Esto se sabe del documento.", data)

    async def _file(self, named: Named, kind: ArchiveKind, account: str | None, caller: Caller) -> Response:
        if caller.is_masked:
            raise forbidden("Los archivos muestran datos de personas: este usuario no los puede ver.")
        names = [account] if account else sorted(await self._door.accounts.names())
        async with turn_to_read(self._door):
            found = {}
            for name in names:
                if caller.sees(name) and (data := await self._validated(name, named)) is not None:
                    found[name] = data
            if len(found) > 1:
                raise invalid("Varias cuentas tienen este documento: diga cuál con account.", "account")
            for name, data in found.items():
                return await self._stored(name, named, kind, data)
        raise not_found()

    async def _validated(self, account: str, named: Named) -> Mapping[str, Any] | None:
        """``data`` of a document that is validated."""
        key = self._door.keys.document(account, named.family, named.reference_code)
        stored = dict(await command(self._door.redis, "HGETALL", key))
        record = DocumentRecord.from_hash(stored) if stored else None
        if record is None or record.state is not DocumentState.VALIDATED or not record.event:
            return None
        event: Mapping[str, Any] = strict_json.parse_written(record.event)
        data: Mapping[str, Any] | None = event["data"]
        if data is None or data.get("number"):
            return data
        return {**data, "number": await self._number_learnt(account, event["job_id"])}

    async def _number_learnt(self, account: str, job_id: str) -> str | None:
        """The answer that told of the validation had no number: that under which its files were archived since."""
        key = self._door.keys.job(account, archive_job(job_id))
        number: bytes | None = await command(self._door.redis, "HGET", key, "number")
        return number.decode() if number else None

    async def _stored(self, account: str, named: Named, kind: ArchiveKind, data: Mapping[str, Any]) -> Response:
        """The file as the archive has it; its name follows from the document alone, and nothing of the request."""
        number = data.get("number")
        day = date.fromisoformat(day_of(data.get("factus") or {}))
        if not isinstance(number, str):
            raise not_found()
        name = archive_name(account, day, named.family, number, kind)
        try:
            content = await self._door.archive.get(name)
        except ArchiveUnavailable as exc:
            raise unavailable("El archivo de documentos no responde.") from exc
        if content is None:
            raise not_found(
                "El documento está validado y este archivo no está guardado: pídalo con un trabajo download."
            )
        headers = {"Content-Disposition": f'attachment; filename="{name.rpartition("/")[2].replace("%", "_")}"'}
        return Response(content, media_type=ARCHIVE_KINDS[kind], headers=headers)

    # -- tables ----------------------------------------------------------------------------------------------------
    async def catalog(self, request: Request) -> Response:
        """Rows of a shipped table."""
        caller_of(self._door, request)
        asked, name = query_of(request, CatalogQuery), request.path_params["name"]
        if not catalogs.exists(name):
            near = catalogs.nearest(name)
            raise not_found(f"No existe esta tabla. ¿Quiso decir {near}?" if near else "No existe esta tabla.")
        items = catalogs.search(name, asked.query, asked.limit)
        spelled = name.strip().lower().replace("_", "-")
        return answer(True, f"{len(items)} filas.", {"catalog": spelled, "items": items})


def _account(asked: OfAccount, caller: Caller) -> str | None:
    """The account that is asked for; who may not see it is told so, whether there is one of that name or not."""
    if asked.account is not None and not caller.sees(asked.account):
        raise forbidden()
    return asked.account


def named_by(request: Request, below: str) -> Named:
    """
    Family, reference and kind of an address. References hold slashes: written ``%2F``, they are no part of the path;
    written as they are, they belong to the reference all the same, and so does ``/files/`` before no kind of file.

    Args:
        below: What stands before the family.

    Raises:
        Refusal: 404, no document has such a name.
    """
    raw = request.scope.get("raw_path") or request.url.path.encode()
    rest = raw.decode("ascii", "replace").partition("?")[0].removeprefix(below)
    family, _, reference = rest.partition("/")
    file = _FILE.fullmatch(reference)
    kind = next((one for one in ARCHIVE_KINDS if file and one == unquote(file[2])), None)
    text = unquote(file[1] if file and kind else reference)
    if not text or len(text) > _LONGEST_REFERENCE or "\ufffd" in text:
        raise not_found()
    return Named(unquote(family), text, kind)


async def story_data(door: Door, caller: Caller, named: Named, account: str | None) -> dict[str, Any]:
    """
    The story of a document as somebody may see it: ``found`` and ``is_waiting_for_intake``.

    Raises:
        Refusal: 404, nothing is known of it that he may be told.
    """
    async with turn_to_read(door):
        story = await story_of(
            door.finder,
            named.reference_code,
            door.accounts.zones,
            SPANISH,
            account=account,
            family=named.family,
            may_see=caller.sees,
            default_account=await door.accounts.default(),
        )
    # A job's id finds it as well, and so does an event of another family: here only the document is asked for.
    mine = [one for one in story.to_json()["found"] if _is_of(one, named)]
    if not mine and not story.is_pushed:
        raise not_found()
    data: dict[str, Any] = _plain({"found": mine, "is_waiting_for_intake": story.is_pushed})
    return masked(data) if caller.is_masked else data


def _is_of(told: Mapping[str, Any], named: Named) -> bool:
    is_its_family = told["family"] == named.family or family_of(told["job_type"]) in (named.family, "?")
    return told["reference_code"] == named.reference_code and is_its_family


def _plain(value: Any) -> Any:
    """Without what is no JSON of ours: tuples, and texts that are enums."""
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    return str(value) if isinstance(value, str) else value


def _job_answer(
    told: Explanation, event: bytes | None, caller: Caller, *, job_id: str | None = None, account: str | None = None
) -> Response:
    head: dict[str, Any] = {
        "job_id": job_id or told.job_id,
        "account": account or told.account,
        "state": str(told.state),
        "where": told.where,
        "why": told.why,
        "next": told.next,
        "next_at": told.next_at,
    }
    shown = event
    if caller.is_masked:
        head = masked(head)
        shown = strict_json.dump(masked(strict_json.parse_written(event))).encode() if event is not None else None
    data = strict_json.dump(head).encode()[:-1] + b',"final":' + (shown or b"null") + b"}"
    return Response(body_of(True, head["where"], data), media_type="application/json")
