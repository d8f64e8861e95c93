"""
``/docs``: Swagger UI from files of its own. Nothing is loaded from elsewhere, and no script stands in the page.

``static/`` holds swagger-ui-dist as it was published, with its licence (see ``static/README.md``).
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from worker.http.answers import JSON, not_found
from worker.http.door import Documents

_FOLDER: Final = Path(__file__).parent / "static"
_FILES: Final = {
    "swagger-ui.css": "text/css; charset=utf-8",
    "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
    "start.js": "text/javascript; charset=utf-8",
    "favicon-32x32.png": "image/png",
}
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
)
_PAGE: Final = b"""<!DOCTYPE html>
<html lang="es">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>factus-worker: la puerta HTTP</title>
<link rel="icon" type="image/png" href="docs/favicon-32x32.png">
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""


@dataclass(frozen=True, slots=True)
class Held:
    """A file that does not change while the process runs."""

    content: bytes
    packed: bytes
    tag: str
    media_type: str


def held(content: bytes, media_type: str) -> Held:
    """A file, packed once for all."""
    digest = hashlib.sha256(content).hexdigest()[:32]
    return Held(content, gzip.compress(content, 6, mtime=0), f'"{digest}"', media_type)


def file_answer(request: Request, file: Held) -> Response:
    """The file, or that it has not changed."""
    headers = {"ETag": file.tag, "Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
    if request.headers.get("if-none-match") == file.tag:
        return Response(status_code=304, headers=headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(file.packed, media_type=file.media_type, headers={**headers, "Content-Encoding": "gzip"})
    return Response(file.content, media_type=file.media_type, headers=headers)


class DocsPage:
    """The routes that show what the door is."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    async def page(self, request: Request) -> Response:
        return Response(_PAGE, media_type="text/html; charset=utf-8", headers={"Content-Security-Policy": _POLICY})

    async def file(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in _FILES:
            raise not_found()
        return file_answer(request, _static(name))

    async def openapi(self, request: Request) -> Response:
        return file_answer(request, await asyncio.to_thread(_written, self._documents.openapi))

    async def asyncapi(self, request: Request) -> Response:
        return file_answer(request, await asyncio.to_thread(_written, self._documents.asyncapi))


@cache
def _static(name: str) -> Held:
    return held((_FOLDER / name).read_bytes(), _FILES[name])


_WRITING: Final = Lock()
"""A document is written once, however many ask for it at once: that takes a second."""


def _written(document: Callable[[], str]) -> Held:
    with _WRITING:
        return _once(document)


@cache
def _once(document: Callable[[], str]) -> Held:
    return held(document().encode(), JSON)
