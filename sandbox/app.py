"""The ASGI application: routes, and nothing but routes."""

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox import answers, reading
from sandbox.config import SandboxConfig
from sandbox.control import control_routes
from sandbox.creating import create
from sandbox.families import FAMILIES, Family
from sandbox.gate import Handler, Reader, by_filter, by_path, by_reference_in_body, guard
from sandbox.listing import list_documents
from sandbox.login import token_endpoint
from sandbox.state import SandboxState


def create_app(config: SandboxConfig) -> Starlette:
    """A sandbox of its own: two applications share nothing. Its state is `app.state.sandbox`."""
    state = SandboxState(config)
    routes = [Route("/oauth/token", token_endpoint(state), methods=["POST"])]
    for family in FAMILIES:
        routes += _family_routes(family, state)
    app = Starlette(
        routes=routes + control_routes(state),
        exception_handlers={404: _no_route, 405: _wrong_method},
    )
    app.router.redirect_slashes = False
    app.state.sandbox = state
    return app


def _family_routes(family: Family, state: SandboxState) -> list[Route]:
    one = family.path + "/{number}"

    def route(path: str, method: str, kind: str, handler: Handler, read: Reader = by_path) -> Route:
        return Route(path, guard(kind, family, handler, read, state), methods=[method])

    routes = [
        route(family.create_path, "POST", "create", create, by_reference_in_body),
        route(family.path, "GET", "list", list_documents, by_filter),
        # The references of some ERPs hold slashes; sent as %2F or as they are, they arrive here decoded.
        route(family.delete_path + "/{reference:path}", "DELETE", "delete", reading.delete),
        route(one, "GET", "show", reading.show),
        route(one + "/download-pdf", "GET", "download", reading.download_pdf),
        # One official page prints this path with a slash at the end.
        route(one + "/download-xml", "GET", "download", reading.download_xml),
        route(one + "/download-xml/", "GET", "download", reading.download_xml),
        route(one + "/download-attached-document-xml", "GET", "download", reading.download_attached_document),
    ]
    if family.has_email:
        routes += [
            route(one + "/send-email", "POST", "email", reading.send_email),
            route(one + "/email-content", "GET", "email", reading.email_content),
        ]
    if family.has_events:
        routes += [
            route(one + "/radian/events", "GET", "events", reading.list_events),
            route(one + "/radian/events/{event_type}", "POST", "accept", reading.accept_tacitly),
        ]
    return routes


async def _no_route(request: Request, error: Exception) -> Response:
    return answers.no_route(request.url.path)


async def _wrong_method(request: Request, error: Exception) -> Response:
    headers = error.headers if isinstance(error, HTTPException) else None
    text = f"The {request.method} method is not supported for route {request.url.path.lstrip('/')}."
    return answers.answer(405, {"message": text}, headers)
