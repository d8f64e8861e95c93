"""
The addresses of the page. GET and HEAD, but for the login; whoever is unknown gets the form, and nothing else.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import cache, partial
from pathlib import Path
from typing import Any, Final

from redis.exceptions import RedisError
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from jobs.families import FAMILIES
from worker.guard import log_unavailable
from worker.http.answers import Refusal, not_found
from worker.http.callers import PERSON, Caller
from worker.http.docs_page import Held, file_answer, held
from worker.http.door import Door
from worker.http.login import LoggingIn
from worker.http.looking import named_by, story_data
from worker.http.page import session
from worker.http.page.eyes import Eyes, story_path
from worker.http.page.hosts import is_own, own_names
from worker.http.page.live import LiveStream
from worker.http.page.look import Looks
from worker.http.page.rendering import load_all, page_of, rendered, story_of_page
from worker.http.page.story import story_shown
from worker.http.requests import ROUTE

_STATIC: Final = Path(__file__).parent / "static"
_FILES: Final = {
    "page.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
POLICY: Final = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
_DOCUMENTS: Final = "/documents/"
_RETRY_S: Final = 5
_WRONG: Final = {
    401: "Usuario o clave equivocados.",
    403: "Este formulario no se envió desde esta página.",
    422: "Escriba usuario y clave.",
    429: "Demasiados intentos: espere un minuto.",
    503: "El servicio está ocupado: intente otra vez.",
}

Answerer = Callable[[Request], Awaitable[Response]]


class Page:
    """The routes of one door."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._looks = Looks(door)
        self._login = LoggingIn(door)
        self._names = own_names(door.settings.http_host, door.settings.http_names)

    def routes(self) -> list[BaseRoute]:
        """All of them, for a router."""
        rows: list[tuple[str, Answerer, str]] = [
            ("/", self.page, "GET"),
            ("/live", self.live, "GET"),
            ("/documents", self.find, "GET"),
            ("/documents/{family}/{reference_code:path}", self.document, "GET"),
            ("/page/{name}", self.file, "GET"),
            ("/login", self.login, "POST"),
            ("/logout", self.logout, "POST"),
        ]
        return [Route(path, self._guarded(path, answerer), methods=[method]) for path, answerer, method in rows]

    def _guarded(self, route: str, answerer: Answerer) -> Answerer:
        """An answerer behind the name that it was asked by; what it refuses is told on a page."""

        async def answer(request: Request) -> Response:
            request.scope[ROUTE] = route
            if not is_own(request.headers.get("host", ""), self._names):
                return _notice(421, "Otro nombre", _MISDIRECTED, has_way_back=False)
            try:
                return await answerer(request)
            except Refusal as refused:
                return _refused(refused)
            except (RedisError, ConnectionError, TimeoutError) as exc:
                log_unavailable("page", exc)
                return _away()

        return answer

    # -- what is seen ----------------------------------------------------------------------------------------------
    async def page(self, request: Request) -> Response:
        """Everything at a glance."""
        caller = session.caller_of(self._door, request)
        if caller is None:
            return self._form(request)
        looked = await self._looks.newest()
        return _html(page_of(looked, self._eyes(caller), _name_of(caller)))

    async def live(self, request: Request) -> Response:
        """What keeps it fresh."""
        caller = session.caller_of(self._door, request)
        if caller is None:
            return Response(status_code=401, headers={"WWW-Authenticate": "Bearer"})
        return LiveStream(self._door, self._looks, partial(session.caller_of, self._door, request), caller)

    async def find(self, request: Request) -> Response:
        """From a form to the address of a story: nothing is looked up."""
        if session.caller_of(self._door, request) is None:
            return self._form(request)
        family, code = (request.query_params.get(name, "").strip() for name in ("family", "reference_code"))
        if family not in FAMILIES or not code:
            raise not_found("Diga la clase de documento y su referencia.")
        return RedirectResponse(story_path("", family, code), status_code=303)

    async def document(self, request: Request) -> Response:
        """The story of one document."""
        door, caller = self._door, session.caller_of(self._door, request)
        if caller is None:
            return self._form(request)
        named = named_by(request, _DOCUMENTS).whole()
        account = request.query_params.get("account") or None
        if named.family not in FAMILIES or (account is not None and not caller.sees(account)):
            raise not_found()
        data = await story_data(door, caller, named, account)
        story = partial(story_shown, named.family, named.reference_code, data)
        return _html(story_of_page(story, self._eyes(caller), _name_of(caller)))

    async def file(self, request: Request) -> Response:
        """Style, script and sign: the same for everybody."""
        name = request.path_params["name"]
        if name not in _FILES:
            raise not_found()
        return file_answer(request, _held(name))

    # -- in and out ------------------------------------------------------------------------------------------------
    async def login(self, request: Request) -> Response:
        """From name and password to a cookie."""
        following = "/"

        def read(raw: bytes) -> Any:
            nonlocal following
            typed, following = session.typed_of(raw)
            return typed

        if not session.is_from_here(request):
            return self._form(request, following, 403)
        try:
            token = await self._login.token(request, read)
        except Refusal as refused:
            return self._form(request, following, refused.status, refused)
        answer = RedirectResponse(following, status_code=303)
        session.let_in(self._door, request, answer, token)
        return answer

    async def logout(self, request: Request) -> Response:
        """Without the cookie, and at the form."""
        if not session.is_from_here(request):
            return self._form(request, "/", 403)
        answer = RedirectResponse("/", status_code=303)
        session.let_out(self._door, request, answer)
        return answer

    def _form(
        self, request: Request, following: str | None = None, status: int = 401, refused: Refusal | None = None
    ) -> Response:
        door = self._door
        if following is None:
            query = f"?{request.url.query}" if request.url.query else ""
            raw: bytes = request.scope.get("raw_path") or b"/"
            following = session.next_of(raw.decode("ascii", "replace").partition("?")[0] + query)
        wrong = _WRONG.get(status, "No se pudo entrar.") if refused is not None or status == 403 else ""
        has_users = door.users is not None and door.key is not None
        html = rendered("login", next=following, wrong=wrong, has_users=has_users)
        headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
        if refused is not None and "Retry-After" in refused.headers:
            headers["Retry-After"] = refused.headers["Retry-After"]
        return _html(html, status, headers)

    def _eyes(self, caller: Caller) -> Eyes:
        return Eyes(caller, self._door.accounts.zones)


def page_routes(door: Door) -> list[BaseRoute]:
    """The routes of the page of a door, with everything loaded that the first who looks would wait for."""
    load_all()
    return Page(door).routes()


def _name_of(caller: Caller) -> str:
    return caller.name.removeprefix(PERSON)


# -- answers -----------------------------------------------------------------------------------------------------------
_MISDIRECTED: Final = (
    "Esta página no se sirve con ese nombre.",
    "Si el nombre es de este servicio, póngalo en FACTUS_HTTP_NAMES.",
)


def _html(html: str, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    shown = {
        "Content-Security-Policy": POLICY,
        "Cache-Control": "no-store",
        # With "no-referrer" a browser sends the page's own forms with ``Origin: null``, which is_from_here must refuse.
        "Referrer-Policy": "same-origin",
        **(headers or {}),
    }
    return Response(html.encode("utf-8", "replace"), status, shown, "text/html; charset=utf-8")


def _notice(
    status: int, title: str, lines: tuple[str, ...], *, has_way_back: bool = True, headers: dict[str, str] | None = None
) -> Response:
    return _html(rendered("notice", title=title, lines=lines, has_way_back=has_way_back), status, headers)


def _refused(refused: Refusal) -> Response:
    if refused.status == 503:
        return _away()
    title = "No se encontró" if refused.status == 404 else "No se puede mostrar"
    return _notice(refused.status, title, (refused.errors[0]["message"],), headers=dict(refused.headers))


def _away() -> Response:
    """Redis does not answer. A browser looks again by itself, with or without scripts."""
    lines = (
        "No se puede leer nada ahora. La página vuelve sola, en cuanto Redis responda.",
        "Lo que está en la cola no se pierde.",
    )
    headers = {"Refresh": str(_RETRY_S), "Retry-After": str(_RETRY_S)}
    return _notice(503, "Redis no responde", lines, has_way_back=False, headers=headers)


@cache
def _held(name: str) -> Held:
    return held((_STATIC / name).read_bytes(), _FILES[name])
