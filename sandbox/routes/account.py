"""The account itself: its company and logo, its subscriptions, and DIAN's data of acquirers."""

from dataclasses import fields as members
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha1
from typing import Any, Final

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.responses import Response

from sandbox.families.request_parts import MUNICIPALITY, require
from sandbox.routes import responses
from sandbox.routes.middleware import Call
from sandbox.state.company import Company
from sandbox.values import catalogs
from sandbox.values.catalogs import code_and_name, municipality
from sandbox.values.datetimes import iso_utc
from sandbox.values.fields import (
    Errors,
    email,
    from_catalog,
    invalid,
    missing,
    optional,
    optional_text,
    record,
    required,
)

_UNLIMITED: Final = "Ilimitado"
_OPENED: Final = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
_EXPIRES: Final = datetime(2030, 1, 1, tzinfo=UTC).timestamp()
_DAY_S: Final = 86_400
_SAMPLED: Final = frozenset({"11", "12", "13", "21", "22", "31", "41", "42", "50", "91"})
_IMAGES: Final = {b"\x89PNG\r\n\x1a\n": "png", b"\xff\xd8\xff": "jpg"}


def _names_are_complete(sent: dict[str, Any], prefix: str, errors: Errors) -> None:
    is_company = sent.get("legal_organization_code") == "1"
    for name in ("company",) if is_company else ("names", "surnames"):
        require(name, sent, prefix, errors)


_check_company = record(
    {
        "legal_organization_code": required(from_catalog("legal-organizations")),
        "company": optional_text(),
        "trade_name": optional_text(),
        "names": optional_text(),
        "surnames": optional_text(),
        "registration_code": optional_text(),
        "economic_activity": optional_text(),
        "phone": optional_text(),
        "email": optional(email),
        "address": optional_text(),
        "tribute_code": optional(from_catalog("customer-tributes")),
        "municipality_code": required(MUNICIPALITY),
        "responsibilities": optional(from_catalog("fiscal-responsibilities")),
    },
    _names_are_complete,
)
_KEPT_WHEN_LEFT_OUT: Final = frozenset({"nit", "dv", "logo", "tribute_code", "responsibilities", "updated_at"})


async def show_company(call: Call) -> Response:
    await call.state.pause(call.state.config.reading_latency)
    return responses.ok(_shown(call.account.company))


async def update_company(call: Call) -> Response:
    """A whole new record, but for the NIT and the logo; documents print it from now on."""
    await call.state.pause(call.state.config.reading_latency)
    errors: Errors = {}
    sent = _check_company(call.body or {}, "", errors)
    if errors:
        return responses.fields_refused(errors)
    emptied = {member.name: "" for member in members(Company) if member.name not in _KEPT_WHEN_LEFT_OUT}
    call.account.company = replace(call.account.company, **{**emptied, **sent, "updated_at": call.state.now()})
    return responses.ok(_shown(call.account.company))


async def update_logo(call: Call) -> Response:
    await call.state.pause(call.state.config.reading_latency)
    content, errors = await _image(call), Errors()
    if content is None:
        missing("image", errors)
        return responses.fields_refused(errors)
    kind = next((kind for head, kind in _IMAGES.items() if content.startswith(head)), None)
    if kind is None:
        invalid("image", errors)
        return responses.fields_refused(errors)
    name = f"{sha1(content, usedforsecurity=False).hexdigest()}.{kind}"
    call.account.company = replace(call.account.company, logo=name, updated_at=call.state.now())
    return responses.ok({"url_logo": call.account.company.url_logo})


async def _image(call: Call) -> bytes | None:
    """The file of the form; None when there is none, or no form."""
    try:
        async with call.request.form() as form:
            image = form.get("image")
            return await image.read() if isinstance(image, UploadFile) else None
    except HTTPException:
        return None


async def list_subscriptions(call: Call) -> Response:
    """Bills and notes without end, payrolls with a quota. The quota is told and never enforced."""
    await call.state.pause(call.state.config.reading_latency)
    issued = {name: sum(shelf.validations.values()) for name, shelf in call.account.shelves.items()}
    n_payrolls = issued.pop("payrolls", 0) + issued.pop("adjustment-payrolls", 0)
    invoicing = [row["name"] for row in catalogs.rows("numbering-range-document-types").values()]
    payrolls = [row["name"] for row in catalogs.rows("payroll-numbering-range-document-types").values()]
    return responses.ok(
        [
            _subscription(call, "Facturación", invoicing, sum(issued.values()), None),
            _subscription(call, "Nómina", payrolls, n_payrolls, 100_000),
        ]
    )


def _subscription(call: Call, name: str, types: list[str], n_issued: int, quota: int | None) -> dict[str, Any]:
    has_paid = call.account.has_paid
    return {
        "name": name,
        "supported_document_types": types,
        "documents_quota": quota or 0,
        "documents_consumed": n_issued,
        "documents_available": _UNLIMITED if quota is None else max(0, quota - n_issued),
        "days_until_expiration": max(0, int((_EXPIRES - call.state.now()) / _DAY_S)) if has_paid else 0,
        "activated_at": iso_utc(_OPENED),
        "expires_at": iso_utc(_EXPIRES if has_paid else call.state.now()),
        "has_expired": not has_paid,
        "is_active": has_paid,
        "has_unlimited_quota": quota is None,
    }


async def show_acquirer(call: Call) -> Response:
    """The sample data of the sandbox: ten numbers for each of ten identity types."""
    await call.state.pause(call.state.config.reading_latency)
    query, errors = call.request.query_params, Errors()
    code, number = query.get("identification_document_code", ""), query.get("identification_number", "")
    if not code:
        missing("identification_document_code", errors)
    elif code not in catalogs.rows("identity-document-types"):
        invalid("identification_document_code", errors)
    if not number:
        missing("identification_number", errors)
    if errors:
        return responses.fields_refused(errors)
    place = number.removeprefix(f"{code}9999")
    if code not in _SAMPLED or place not in map(str, range(1, 11)) or place == number:
        return responses.unknown_acquirer()
    named = catalogs.rows("identity-document-types")[code]["name"]
    return responses.ok({"name": f"Nombre {named} {place}", "email": f"Mail_{named}_{place}@mail.com"})


def _shown(company: Company) -> dict[str, Any]:
    return {
        "url_logo": company.url_logo,
        "nit": company.nit,
        "dv": company.dv,
        "company": company.company,
        "trade_name": company.trade_name,
        "names": company.names,
        "surnames": company.surnames,
        "graphic_representation_name": company.name,
        "registration_code": company.registration_code,
        "economic_activity": company.economic_activity,
        "phone": company.phone,
        "email": company.email,
        "address": company.address,
        "tribute": code_and_name("customer-tributes", company.tribute_code),
        "legal_organization": code_and_name("legal-organizations", company.legal_organization_code),
        "municipality": municipality(company.municipality_code),
        "responsibilities": [code_and_name("fiscal-responsibilities", company.responsibilities)],
        "created_at": iso_utc(_OPENED),
        "updated_at": iso_utc(company.updated_at),
    }
