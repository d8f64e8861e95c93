"""What the storage met is told in Spanish, with what an operator can look up, and without what it must not repeat."""

from __future__ import annotations

import errno
import os
import re

import pytest

from worker.archive.storage_errors import reason

S3_REFUSAL = """The operation lacked the necessary privileges to complete for path x: Error performing PUT \
http://127.0.0.1:1/b/x in 796.163µs - Server returned non-2xx status code: {status} Forbidden: \
<Error><AWSAccessKeyId>AKIASECRETKEY</AWSAccessKeyId><StringToSign>AWS4-HMAC-SHA256</StringToSign></Error>

Debug source:
PermissionDenied {{ path: "x", source: RetryError(RetryErrorImpl {{ inner: Status {{ status: {status} }} }}) }}"""


class GenericError(Exception):
    """As obstore's own."""


@pytest.mark.parametrize("number", sorted(errno.errorcode))
def test_no_errno_is_told_in_the_system_s_english(number: int) -> None:
    for error in (
        OSError(number, os.strerror(number)),
        GenericError(f"Unable to open file /a/b#1: {os.strerror(number)} (os error {number})\n\nDebug source: ..."),
        GenericError(f"HTTP error: error sending request\n\nOs {{\n    code: {number},\n    kind: X,\n}}"),
    ):
        told = reason(error)
        assert os.strerror(number) not in told
        assert told.endswith(f" ({errno.errorcode[number]})")


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.EACCES, "permiso"),
        (errno.ENOSPC, "disco está lleno"),
        (errno.EDQUOT, "cuota"),
        (errno.EROFS, "solo lectura"),
        (errno.EEXIST, "un archivo donde debe haber una carpeta"),
        (errno.ENOTDIR, "un archivo donde debe haber una carpeta"),
        (errno.ENAMETOOLONG, "nombre es demasiado largo"),
        (errno.ETIMEDOUT, "a tiempo"),
        (errno.EXDEV, "error del sistema (EXDEV)"),
    ],
)
def test_what_an_operator_can_mend_has_words(number: int, words: str) -> None:
    assert words in reason(OSError(number, os.strerror(number)))


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 429, 500, 503])
def test_a_refusal_has_its_status_and_no_secret(status: int) -> None:
    told = reason(GenericError(S3_REFUSAL.format(status=status)))
    assert re.fullmatch(rf"el almacenamiento respondió HTTP {status}(?: \([a-zó ]+\))?", told)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (GenericError("error sending request ... inner: Http(HttpError { kind: Timeout, source"), "a tiempo"),
        (GenericError('error sending request ... "dns error", Custom { kind: Uncategorized'), "no se encuentra"),
        (GenericError("Received redirect without LOCATION, this normally"), "AWS_REGION"),
        (GenericError("PUT http://169.254.169.254/latest/api/token status: 403"), "AWS_ACCESS_KEY_ID"),
        (GenericError("HTTP error: error sending request"), "no hay conexión"),
        (NotImplementedError("Operation PUT not supported"), "no admite"),
        (GenericError("AKIASECRETKEY"), "sin decir por qué"),
        (OSError(), "sin decir por qué"),
        (PermissionError("no number"), "sin decir por qué"),
    ],
)
def test_what_has_no_number_is_told_by_its_mark(error: Exception, words: str) -> None:
    told = reason(error)
    assert words in told
    assert "GenericError" not in told
    assert "AKIASECRETKEY" not in told
