"""The ASGI application: routes, and nothing but routes."""

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.families.families import FAMILIES, Family
from sandbox.routes import account, bill_events, ranges, read_one, reception, responses
from sandbox.routes.control import control_routes
from sandbox.routes.create import create
from sandbox.routes.example_documents import prepare
from sandbox.routes.login import token_endpoint
from sandbox.routes.middleware import (
    Handler,
    Reader,
    RouteKind,
    by_filter,
    by_path,
    by_reference_in_body,
    by_track_id,
    guard,
)
from sandbox.routes.ranges import INVOICING, PAYROLL, Collection, RangeHandlers
from sandbox.routes.read_many import list_documents
from sandbox.state.config import SandboxConfig
from sandbox.state.sandbox_state import SandboxState


def create_app(config: SandboxConfig) -> Starlette:
    """A sandbox of its own: two applications share nothing. Its state is `app.state.sandbox`."""
    state = SandboxState(config, prepare)
    routes = [Route("/oauth/token", token_endpoint(state), methods=["POST"])]
    for family in FAMILIES:
        routes += _family_routes(family, state)
    # Literal segments before the id of a range, and before each other: `payrolls` is no range.
    routes += _range_routes("payroll-ranges", "/v2/numbering-ranges/payrolls", PAYROLL, state)
    routes += _account_routes(state)
    routes += _range_routes("numbering-ranges", "/v2/numbering-ranges", INVOICING, state)
    app = Starlette(
        routes=routes + control_routes(state),
        exception_handlers={404: _no_route, 405: _wrong_method},
    )
    app.router.redirect_slashes = False
    app.state.sandbox = state
    return app


def _family_routes(family: Family, state: SandboxState) -> list[Route]:
    one = family.path + "/{number}"
    # The references of some ERPs hold slashes; sent as %2F or as they are, they arrive here decoded.
    by_reference = family.delete_path + "/{reference:path}"

    def route(path: str, method: str, kind: str, handler: Handler, read: Reader = by_path) -> Route:
        return Route(path, guard(RouteKind(family.name, kind, family), handler, read, state), methods=[method])

    routes = [
        route(family.create_path, "POST", "create", create, by_reference_in_body),
        route(family.path, "GET", "list", list_documents, by_filter),
        route(by_reference, "DELETE", "delete", read_one.delete),
    ]
    if family.is_shown_by_reference:
        routes.append(route(by_reference, "GET", "show", read_one.show_by_reference))
    routes += [
        route(one, "GET", "show", read_one.show),
        # One official page prints this path with a slash at the end.
        route(one + "/download-xml", "GET", "download", read_one.download_xml),
        route(one + "/download-xml/", "GET", "download", read_one.download_xml),
    ]
    if family.print_pdf is not None:
        routes.append(route(one + "/download-pdf", "GET", "download", read_one.download_pdf))
    if family.mailed is not None:
        routes += [
            route(one + "/download-attached-document-xml", "GET", "download", read_one.download_attached_document),
            route(one + "/send-email", "POST", "email", read_one.send_email),
            route(one + "/email-content", "GET", "email", read_one.email_content),
        ]
    if family.has_events:
        routes += [
            route(one + "/radian/events", "GET", "events", bill_events.list_events),
            route(one + "/radian/events/{event_type}", "POST", "accept", bill_events.accept_tacitly),
        ]
    return routes


def _range_routes(area: str, path: str, collection: Collection, state: SandboxState) -> list[Route]:
    handlers, one = RangeHandlers(collection), path + "/{range_id}"

    def route(path: str, method: str, kind: str, handler: Handler) -> Route:
        return Route(path, guard(RouteKind(area, kind), handler, by_path, state), methods=[method])

    return [
        route(path, "GET", "list", handlers.list),
        route(path, "POST", "add", handlers.add),
        route(one, "GET", "show", handlers.show),
        route(one, "DELETE", "delete", handlers.delete),
        route(one + "/current", "PATCH", "renumber", handlers.renumber),
        route(one + "/toggle-status", "PATCH", "toggle", handlers.toggle),
    ]


def _account_routes(state: SandboxState) -> list[Route]:
    def route(path: str, method: str, area: str, kind: str, handler: Handler, read: Reader = by_path) -> Route:
        return Route("/v2/" + path, guard(RouteKind(area, kind), handler, read, state), methods=[method])

    event = "receptions/bills/{bill_id}/radian/events/{event_type}"
    return [
        route("receptions/upload", "POST", "receptions", "upload", reception.upload, by_track_id),
        route("receptions/bills", "GET", "receptions", "list", reception.list_received),
        route(event, "PATCH", "receptions", "emit", reception.emit_event),
        route("documents/{track_id}/download-xml", "GET", "documents", "download", reception.download_by_code),
        route("numbering-ranges/dian", "GET", "numbering-ranges", "dian", ranges.list_associated),
        route("companies", "GET", "companies", "show", account.show_company),
        route("companies", "PUT", "companies", "update", account.update_company),
        route("companies/logo", "POST", "companies", "logo", account.update_logo),
        route("subscriptions", "GET", "subscriptions", "list", account.list_subscriptions),
        route("dian/acquirer", "GET", "acquirers", "show", account.show_acquirer),
    ]


async def _no_route(request: Request, error: Exception) -> Response:
    return responses.no_route(request.url.path)


async def _wrong_method(request: Request, error: Exception) -> Response:
    headers = error.headers if isinstance(error, HTTPException) else None
    text = f"The {request.method} method is not supported for route {request.url.path.lstrip('/')}."
    return responses.answer(405, {"message": text}, headers)
