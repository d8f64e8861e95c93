"""
The files of a validated document, fetched from Factus into the archive: one a turn, for ``download`` and for what
follows a document alike.

A file that fails keeps no other from the archive. One that cannot be had now steps behind the others: the next attempt
takes a file that has not been tried yet, else the one whose last try lies longest back; so the pauses may grow with
every failure, and a good file never waits for more than one of them. One that is refused, or whose name is taken, is
noted and left. When nothing is left to do, or time is up, the job fails with one error for each file that is missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final

from jobs import answers
from jobs.archive_names import ARCHIVE_KINDS, Stored, archive_name, decode_file
from jobs.calls import CallContext, Stop
from jobs.errors import ArchiveConflict, ArchiveUnavailable
from jobs.factus_requests import get
from jobs.families import Kind
from jobs.outcomes import Ending, Finished, Retry
from schemas import strict_json
from schemas.contract.event import ErrorDetail
from schemas.records import SendState

_NOT_BEGUN: Final = ("job.expired", "date.missed")


@dataclass(frozen=True, slots=True)
class Files:
    """
    What has become of the files that are wanted.

    ``told`` is the job's progress: ``number`` and ``day`` of the document, ``documents`` that are archived,
    ``conflicts`` (kind: the URI that holds other content), ``refused`` and ``delayed`` (kind: why, as an error;
    the one that was delayed last stands last).
    """

    kinds: tuple[Kind, ...]
    told: Mapping[str, Any]

    @property
    def documents(self) -> list[dict[str, Any]]:
        return list(self.told.get("documents", ()))

    @property
    def missing(self) -> list[Kind]:
        """What is not archived, whatever the reason."""
        have = {row["kind"] for row in self.documents}
        return [kind for kind in self.kinds if kind not in have]

    @property
    def left(self) -> list[Kind]:
        """What may still be had, the next to be tried first."""
        delayed = list(self._of("delayed"))
        left = [kind for kind in self.missing if kind not in self._of("conflicts") and kind not in self._of("refused")]
        return sorted(left, key=lambda kind: delayed.index(kind) if kind in delayed else -1)

    def archived(self, kind: Kind, stored: Stored) -> Files:
        return self._with(documents=[*self.documents, archived_row(kind, stored)])

    def taken(self, kind: Kind, uri: str) -> Files:
        """Other content has the file's name."""
        return self._with(conflicts={**self._of("conflicts"), kind: uri})

    def refused(self, kind: Kind, reasons: Iterable[ErrorDetail]) -> Files:
        return self._with(refused={**self._of("refused"), kind: _joined(reasons).model_dump()})

    def delayed(self, kind: Kind, reason: ErrorDetail) -> Files:
        others = {name: why for name, why in self._of("delayed").items() if name != kind}
        return self._with(delayed={**others, kind: reason.model_dump()})

    def why(self, kind: Kind) -> ErrorDetail | None:
        """Why a file is missing; None when nothing has come of it yet."""
        uri = self._of("conflicts").get(kind)
        if uri:
            return taken_error(uri)
        found = self._of("refused").get(kind) or self._of("delayed").get(kind)
        return ErrorDetail.model_validate(found) if found else None

    def is_settled(self, kind: Kind) -> bool:
        return kind not in self.left

    def _of(self, name: str) -> Mapping[Kind, Any]:
        found: Mapping[Kind, Any] = self.told.get(name, {})
        return found

    def _with(self, **changes: Any) -> Files:
        return replace(self, told={**self.told, **changes})


def files_of(progress: Mapping[str, Any], kinds: Iterable[Kind]) -> Files:
    """What is known of the wanted files; a kind that is named twice is one."""
    return Files(tuple(dict.fromkeys(kinds)), progress)


async def fetch_next(context: CallContext, files: Files, *, may_come: bool = False) -> Ending:
    """
    Fetch one file that is not archived yet, and archive it.

    Args:
        may_come: A file that Factus does not have (404) may be there later.
    """
    left = files.left
    if left:
        try:
            files = await _fetch(context, files, left[0], may_come=may_come)
        except Stop as stop:
            return _delayed(files, left[0], stop.ending)
    if files.left:
        return context.more(files.told, "Faltaban archivos por descargar")
    return _ended(context, files)


def files_late(context: CallContext, files: Files, late: Finished) -> Finished:
    """How the job ends when its time is up: what is archived stays, and each file that is missing says why."""
    if late.errors[0].code in _NOT_BEGUN:
        return late
    reasons = {kind: _why_late(context, files, kind) for kind in files.missing}
    return _failed(context, files, reasons) if reasons else late


async def _fetch(context: CallContext, files: Files, kind: Kind, *, may_come: bool) -> Files:
    """
    Raises:
        Stop: The file cannot be had now.
    """
    try:
        content = await read_file(context, context.family.download(files.told["number"], kind))
    except Stop as stop:
        ending = stop.ending
        if not isinstance(ending, Finished):
            raise
        if may_come and ending.errors[0].code == "factus.not_found":
            raise Stop(context.policy.retry("job", ending.errors[0], SendState.NOTHING)) from None
        return files.refused(kind, ending.errors)
    told = files.told
    name = archive_name(
        context.policy.job.account, date.fromisoformat(told["day"]), context.policy.job.family, told["number"], kind
    )
    try:
        return files.archived(kind, await store_file(context, name, content, kind))
    except ArchiveConflict as exc:
        return files.taken(kind, exc.held.uri)


async def read_file(context: CallContext, path: str) -> bytes:
    """
    The file that Factus hands over at *path*.

    Raises:
        Stop: It cannot be had now, or at all.
    """
    content = decode_file(await context.read(get(path)))
    if content is None:
        raise Stop(context.policy.after_call(answers.Done()))
    return content


async def store_file(context: CallContext, name: str, content: bytes, kind: Kind) -> Stored:
    """
    Put a file into the archive.

    Raises:
        ArchiveConflict: Other content has its name.
        Stop: The archive does not take it now.
    """
    try:
        return await context.archive.put(name, content, content_type=ARCHIVE_KINDS[kind])
    except ArchiveUnavailable as exc:
        reason = ErrorDetail(code="archive.unavailable", message=str(exc), retryable=True)
        raise Stop(context.policy.retry("job", reason, SendState.NOTHING)) from None


def taken_error(uri: str) -> ErrorDetail:
    """Why a file is not archived whose name other content has."""
    text = f"Ya hay otro contenido guardado en {uri} y nada se reemplaza. Revise cuál es el bueno."
    return ErrorDetail(code="archive.conflict", message=text)


def archived_row(kind: Kind, stored: Stored) -> dict[str, Any]:
    """A file in ``data.documents``."""
    return {"kind": kind, "uri": stored.uri, "sha256": stored.sha256, "bytes": stored.bytes}


def _delayed(files: Files, kind: Kind, ending: Ending) -> Ending:
    if not isinstance(ending, Retry) or not ending.is_failure:
        return ending  # no place in the allowance: it says nothing of the file
    return replace(ending, progress=strict_json.dump(dict(files.delayed(kind, ending.reason).told)))


def _ended(context: CallContext, files: Files) -> Finished:
    reasons = {kind: reason for kind in files.missing if (reason := files.why(kind))}
    if reasons:
        return _failed(context, files, reasons)
    number, documents = files.told["number"], files.documents
    message = f"{context.family.noun} {number}, archivos guardados: {len(documents)}."
    return context.completed(message, {"number": number, "documents": documents})


def _why_late(context: CallContext, files: Files, kind: Kind) -> ErrorDetail:
    why = files.why(kind)
    if why and files.is_settled(kind):
        return why
    return context.policy.time_is_up(why).errors[0]


def _failed(context: CallContext, files: Files, reasons: Mapping[Kind, ErrorDetail]) -> Finished:
    """``data`` of a failure is null by contract: the message says what is archived, and where."""
    stored = ", ".join(f"{row['kind']} en {row['uri']}" for row in files.documents) or "ninguno"
    missing = ", ".join(reasons)
    errors = tuple(
        reason.model_copy(update={"message": f"Archivo {kind}: {reason.message}"}) for kind, reason in reasons.items()
    )
    named = files.told.get("number") or f"con referencia {context.policy.job.reference_code}"
    message = f"{context.family.noun} {named}, archivos sin guardar: {missing}. Guardados: {stored}."
    number = files.told.get("number", "")
    return Finished("failed", message, errors=errors, number=number, archived=tuple(files.documents))


def _joined(reasons: Iterable[ErrorDetail]) -> ErrorDetail:
    """One error of several, without their fields: the call has none that a producer wrote."""
    first, *others = reasons
    text = "; ".join(reason.message for reason in (first, *others))
    return ErrorDetail(code=first.code, message=text, retryable=first.retryable)
