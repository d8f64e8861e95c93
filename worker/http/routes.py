"""
The addresses of the door, as a table: the application serves it, the OpenAPI document is written from it. Data only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from schemas.contract.envelope import ACCOUNT_PATTERN
from worker.http.marks import PATTERN, is_mark

PREFIX: Final = "/api/v1"
MOST_EVENTS: Final = 1000
MOST_ROWS: Final = 100

AccountName = Annotated[
    str, Field(pattern=ACCOUNT_PATTERN, description="La cuenta; sin ella, todas las que se permiten")
]


def _a_place(text: str) -> str:
    if not is_mark(text):
        raise ValueError
    return text


class Query(BaseModel):
    """Parameters of a route. Others are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class NoQuery(Query):
    """A route without parameters."""


class OfAccount(Query):
    """A route about one thing that several accounts may have."""

    account: AccountName | None = None


class EventsQuery(Query):
    """Which events, and from where on."""

    after: Annotated[str, Field(pattern=PATTERN), AfterValidator(_a_place)] = Field(
        default="0", description="Id detrás del cual se lee; $ es lo que venga desde ahora"
    )
    types: Annotated[str, Field(max_length=500)] = Field(
        default="*", description="Clases de evento, con * y separadas por comas: invoice.*,job.refused"
    )
    account: AccountName | None = None
    limit: Annotated[int, Field(ge=1, le=MOST_EVENTS)] = Field(default=100, description="Cuántos, a lo sumo")


class CatalogQuery(Query):
    """What is looked for in a table."""

    query: Annotated[str, Field(max_length=250)] = Field(default="", description="Un código, o parte de un nombre")
    limit: Annotated[int, Field(ge=1, le=MOST_ROWS)] = Field(default=20, description="Cuántas filas, a lo sumo")


class Login(BaseModel):
    """Who comes in."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    username: Annotated[str, Field(min_length=1, max_length=64)]
    password: Annotated[str, Field(min_length=1, max_length=1024)] = Field(repr=False)


class LoggedIn(BaseModel):
    """A login, good for an hour and for this door only."""

    access_token: str
    token_type: Literal["bearer"]
    expires_in: int = Field(description="Seconds")


Kind = Literal["login", "push", "push_type", "job", "story", "file", "events", "catalog", "docs", "document"]


@dataclass(frozen=True, slots=True)
class RouteRow:
    """
    One address.

    Attributes:
        path: Below PREFIX, in OpenAPI's form.
        kind: What answers it.
        answers: Statuses beside those that every address has, with what they mean.
        is_open: Whether nobody is asked who he is.
    """

    method: Literal["GET", "POST"]
    path: str
    kind: Kind
    summary: str
    query: type[Query] = NoQuery
    answers: Mapping[int, str] | None = None
    is_open: bool = False


_PUSHED: Final = {
    202: "Está en la cola; su resultado llega como evento",
    200: "Con Prefer: wait=N, el evento final: se hizo",
    413: "Pesa más de 1 MiB",
    422: "No es un sobre que se pueda leer; o, con Prefer: wait=N, el evento final: rechazado",
    502: "Con Prefer: wait=N, el evento final: no se pudo hacer",
}

ROUTES: Final = (
    RouteRow(
        "POST", "/auth/login", "login", "Entra una persona: cambia usuario y clave por un token de una hora",
        answers={200: "El token", 429: "Cinco claves equivocadas en un minuto"}, is_open=True,
    ),
    RouteRow("POST", "/jobs", "push", "Envía un trabajo: el cuerpo es el sobre", answers=_PUSHED),
    RouteRow("POST", "/jobs/{type}", "push_type", "Envía un trabajo: el cuerpo es el contenido", answers=_PUSHED),
    RouteRow("GET", "/jobs/{id}", "job", "Dónde está un trabajo, por qué, y su evento final", OfAccount),
    RouteRow(
        "GET", "/documents/{family}/{reference_code}", "story", "La historia de un documento, como la cuenta status",
        OfAccount,
    ),
    RouteRow(
        "GET", "/documents/{family}/{reference_code}/files/{kind}", "file", "Un archivo guardado: pdf, xml, attached",
        OfAccount,
    ),
    RouteRow(
        "GET", "/events", "events", "Los eventos, como JSON o (Accept: text/event-stream) como Server-Sent Events",
        EventsQuery, answers={429: "Demasiadas conexiones abiertas"},
    ),
    RouteRow("GET", "/catalogs/{name}", "catalog", "Busca en una tabla de códigos", CatalogQuery),
    RouteRow("GET", "/docs", "docs", "Esta documentación, para leer y probar", is_open=True),
    RouteRow("GET", "/openapi.json", "document", "OpenAPI 3.1 de esta puerta", is_open=True),
    RouteRow("GET", "/asyncapi.json", "document", "AsyncAPI 3.0 de las colas", is_open=True),
)  # fmt: skip
