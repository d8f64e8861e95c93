"""
The token with which our own commands push, where jobs are signed: ``FACTUS_JOBS_TOKEN``, or a file.

It goes beside the job, never into it, and is told to nobody.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from worker.cli.bilingual import option
from worker.speech import Speech

if TYPE_CHECKING:
    from worker.settings.model import Settings

_MOST_BYTES: Final = 64 * 1024

token_option: Callable[[Callable[..., Any]], Callable[..., Any]] = option(
    "--token-file",
    named=("ARCHIVO", "FILE"),
    told=(
        "Archivo con el token del productor (trabajos firmados).  [FACTUS_JOBS_TOKEN_FILE, FACTUS_JOBS_TOKEN]",
        "File with the producer's token (signed jobs).  [FACTUS_JOBS_TOKEN_FILE, FACTUS_JOBS_TOKEN]",
    ),
)


def producers_token(settings: Settings, file: str | None) -> str:
    """
    The token to push with; empty where none is set.

    Raises:
        ConfigurationError: The file cannot be read, or jobs are signed and there is none.
    """
    from jobs.errors import ConfigurationError
    from worker.bounded_files import FileUnusable, read_whole, text_of

    say = Speech(settings.lang).say
    if file is None:
        found = settings.producers_token() or ""
    else:
        try:
            found = text_of(read_whole(file, most=_MOST_BYTES)).strip()
        except FileUnusable as exc:
            raise ConfigurationError(f"--token-file: {file}: {say(exc.es, str(exc))}") from exc
        if not found:
            raise ConfigurationError(f"--token-file: {file}: {say('está vacío', 'it is empty')}")
    if settings.jobs_signed and not found:
        raise ConfigurationError(
            say(
                "Los trabajos van firmados (FACTUS_JOBS_SIGNED) y no hay token. Diga cuál con --token-file o "
                "FACTUS_JOBS_TOKEN_FILE; se hace con factus-worker token issue",
                "Jobs are signed (FACTUS_JOBS_SIGNED) and there is no token. Name one with --token-file or "
                "FACTUS_JOBS_TOKEN_FILE; factus-worker token issue makes it",
            )
        )
    return found


def entry_of(job: str, token: str) -> dict[Any, Any]:
    """The fields of a stream entry. A job that brings a token of its own keeps it: two would be none."""
    return {"job": job, "token": token} if token and not _has_token(job) else {"job": job}


def _has_token(job: str) -> bool:
    if '"token"' not in job and "\\u" not in job:
        return False
    from schemas import strict_json

    parsed = strict_json.parse(job)
    return isinstance(parsed, dict) and parsed.get("token") is not None
