"""
The routes under `/_sandbox/`: the report, and everything that a test or a person changes from outside.

They need no token and no agent, count in no limit, and are the only part that Factus does not have.
"""

import json
from collections.abc import Awaitable, Callable
from datetime import date
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.families.families import FAMILIES, Family
from sandbox.routes.example_documents import add_examples
from sandbox.routes.report import documents, report
from sandbox.routes.store_document import add_foreign
from sandbox.state.accounts import Account
from sandbox.state.bill_life import ANSWERS, REGISTERS
from sandbox.state.dian import rejection_rules
from sandbox.state.faults import PlanError, read_rules
from sandbox.state.radian import CODES, RECEIPT, add_event
from sandbox.state.sandbox_state import SandboxState
from sandbox.state.store import Document
from sandbox.values import datetimes


class ControlError(ValueError):
    """A control request that makes no sense; the text is the answer."""


Body = dict[str, Any]
_DAY_S: Final = 86_400
_FARTHEST_S: Final = 100 * 365 * _DAY_S


def control_routes(state: SandboxState) -> list[Route]:
    control = _Control(state)
    return [
        _route("report", ["GET"], control.report),
        _route("documents", ["GET"], control.documents),
        _route("faults", ["POST", "DELETE"], control.faults),
        _route("reset", ["POST"], control.reset),
        _route("tokens/revoke", ["POST"], control.revoke),
        _route("documents/foreign", ["POST"], control.foreign),
        _route("documents/examples", ["POST"], control.examples),
        _route("documents/settle", ["POST"], control.settle),
        _route("dian", ["POST"], control.dian),
        _route("events", ["POST"], control.event),
        _route("radian", ["POST"], control.radian),
        _route("clock", ["POST"], control.clock),
        _route("accounts/{user}", ["POST"], control.account),
    ]


def _route(path: str, methods: list[str], act: Callable[[Request, Body], Awaitable[Any]]) -> Route:
    async def endpoint(request: Request) -> Response:
        raw = await request.body()
        try:
            body = json.loads(raw) if raw else {}
            # A plan may be a bare list; all other bodies are objects.
            return JSONResponse(await act(request, body if isinstance(body, dict) else {"rules": body}))
        except (ControlError, PlanError) as error:
            return JSONResponse({"error": str(error)}, 400)
        except ValueError as error:
            return JSONResponse({"error": f"not JSON: {error}"}, 400)

    return Route(f"/_sandbox/{path}", endpoint, methods=methods)


def _given(body: Body, name: str, kind: type, default: Any) -> Any:
    """A value of the body, of the type it must have; an integer is a float too, a boolean is neither."""
    value = body.get(name, default)
    if value is None and default is None:
        return None
    if isinstance(value, bool) is not (kind is bool) or not isinstance(value, (kind, int) if kind is float else kind):
        raise ControlError(f"{name} is no {kind.__name__}")
    return value


def _texts(body: Body, name: str, default: tuple[str, ...]) -> tuple[str, ...]:
    values = _given(body, name, list, list(default))
    if not all(isinstance(value, str) for value in values):
        raise ControlError(f"{name} is no list of texts")
    return tuple(values)


def _days(body: Body, name: str) -> frozenset[date]:
    try:
        return frozenset(date.fromisoformat(text) for text in _texts(body, name, ()))
    except ValueError:
        raise ControlError(f"{name} is no list of days, such as 2026-07-13") from None


def _course(body: Body) -> tuple[tuple[str, float], ...]:
    steps = _given(body, "life", list, [])
    for step in steps:
        if not isinstance(step, dict) or step.get("event_code") not in CODES:
            raise ControlError(f"life is a list of event_code, one of {list(CODES)}, and days")
    return tuple((step["event_code"], _given(step, "days", float, 0.0) * _DAY_S) for step in steps)


def _ids(body: Body, name: str) -> list[int]:
    values = _given(body, name, list, [])
    if not all(isinstance(value, int) and not isinstance(value, bool) for value in values):
        raise ControlError(f"{name} is no list of numbers")
    return list(values)


class _Control:
    def __init__(self, state: SandboxState) -> None:
        self._state = state

    async def report(self, request: Request, body: Body) -> Body:
        return report(self._state)

    async def documents(self, request: Request, body: Body) -> list[Body]:
        query = request.query_params
        account, family = self._account(dict(query)), _family(query)
        return documents(account, family, query.get("state"))

    async def faults(self, request: Request, body: Body) -> Body:
        if request.method == "DELETE":
            self._state.plan.clear()
            return {"rules": []}
        self._state.plan.add(read_rules(body))
        return {"rules": self._state.plan.counts()}

    async def reset(self, request: Request, body: Body) -> Body:
        self._state.reset()
        return {"reset": True}

    async def revoke(self, request: Request, body: Body) -> Body:
        user = _given(body, "account", str, None)
        revoked = {"access": self._state.tokens.revoke(user)}
        if _given(body, "refresh", bool, False):
            revoked["refresh"] = self._state.tokens.revoke_refresh(user)
        return {"revoked": revoked}

    async def foreign(self, request: Request, body: Body) -> Body:
        account, family = self._account(body), _family(body)
        reference = _given(body, "reference", str, "AJENO-1")
        document = add_foreign(self._state, account, family, reference, _given(body, "seconds", float, None))
        if document is None:
            raise ControlError(f"reference {reference!r} is taken or empty")
        return {"reference_code": document.reference, "number": document.number}

    async def examples(self, request: Request, body: Body) -> Body:
        """The documents that public examples name."""
        return {"added": add_examples(self._state, self._account(body))}

    async def settle(self, request: Request, body: Body) -> Body:
        """End the waiting of a document, ours or foreign: validated, rejected, or gone."""
        document, account, family = self._document(body)
        shelf, outcome = account.shelf(family.name), body.get("outcome", "validated")
        if document.is_validated:
            raise ControlError("it is validated already")
        if document.reference in shelf.under_way:
            raise ControlError("its create is under way")
        if outcome == "validated":
            document.errors = {}
            shelf.mark_validated(document, self._state.now())
        elif outcome == "rejected":
            rules = rejection_rules(_given(body, "rules", dict, {}))
            shelf.mark_rejected(document, rules, _given(body, "shape", str, "map"))
        elif outcome == "gone":
            account.remove(family.name, document)
        else:
            raise ControlError("outcome is validated, rejected or gone")
        return {"reference_code": document.reference, "outcome": outcome}

    async def dian(self, request: Request, body: Body) -> Body:
        if _given(body, "up", bool, True):
            self._state.dian.come_up()
        else:
            self._state.dian.go_down(self._state.now(), _given(body, "seconds", float, None))
        return {"up": self._state.dian.is_up(self._state.now())}

    async def event(self, request: Request, body: Body) -> Body:
        """A RADIAN event from outside: of the buyer on an issued bill, of anybody on a received one. No order rules."""
        code = body.get("event_code", RECEIPT)
        if code not in CODES:
            raise ControlError(f"event_code is one of {list(CODES)}")
        at = self._state.radian_now() - _given(body, "days_ago", float, 0.0) * _DAY_S
        if "cufe" in body:
            received = self._account(body).received.find(_given(body, "cufe", str, ""))
            if received is None:
                raise ControlError("no such received bill")
            return add_event(received.cufe, received.events, code, at)
        document, _, _ = self._document(body)
        return add_event(document.code, document.events, code, at)

    async def radian(self, request: Request, body: Body) -> Body:
        """What happens to the bills on credit of an account, by RADIAN's clock."""
        life, answers = self._account(body).life, body.get("answers", REGISTERS)
        if answers not in ANSWERS:
            raise ControlError(f"answers is one of {list(ANSWERS)}")
        life.events = _course(body)
        life.holidays = _days(body, "holidays")
        life.answers = answers
        life.emits = _given(body, "emits", bool, False)
        life.shows_after_s = _given(body, "shows_after", float, 0.0)
        life.is_doubled = _given(body, "doubled", bool, False)
        life.is_reversed = _given(body, "reversed", bool, False)
        return {"answers": life.answers, "emits": life.emits, "life": [list(step) for step in life.events]}

    async def clock(self, request: Request, body: Body) -> Body:
        """Move RADIAN's clock, forward or back; without anything it tells where it stands."""
        by_s = _given(body, "days", float, 0.0) * _DAY_S + _given(body, "seconds", float, 0.0)
        if not abs(self._state.radian_ahead_s + by_s) <= _FARTHEST_S:
            raise ControlError("days and seconds lead out of the calendar")
        self._state.radian_ahead_s += by_s
        return {"now": datetimes.at(self._state.radian_now()).isoformat(timespec="seconds")}

    async def account(self, request: Request, body: Body) -> Body:
        """Change an account, made if it is new, by the keys that are sent."""
        account = self._state.accounts.open(request.path_params["user"])
        known = {
            "refused",
            "product",
            "paid",
            "v2",
            "rate_limit",
            "rate_window",
            "ranges",
            "forbidden",
            "reuse_numbers",
        }
        if unknown := set(body) - known:
            raise ControlError(f"unknown keys {sorted(unknown)}; known are {sorted(known)}")
        account.is_refused = _given(body, "refused", bool, account.is_refused)
        account.has_product = _given(body, "product", bool, account.has_product)
        account.has_paid = _given(body, "paid", bool, account.has_paid)
        account.serves_v2 = _given(body, "v2", bool, account.serves_v2)
        account.window.limit = _given(body, "rate_limit", int, account.window.limit)
        account.window.window_s = _given(body, "rate_window", float, account.window.window_s)
        account.busiest.window_s = account.window.window_s
        account.reuses_numbers = _given(body, "reuse_numbers", bool, account.reuses_numbers)
        account.forbidden = _texts(body, "forbidden", account.forbidden)
        if "ranges" in body:
            account.ranges.rename_bill_range(_ids(body, "ranges"))
        return {
            "account": account.user,
            "refused": account.is_refused,
            "product": account.has_product,
            "paid": account.has_paid,
            "v2": account.serves_v2,
            "rate_limit": account.window.limit,
            "rate_window": account.window.window_s,
            "ranges": account.ranges.bill_ids(),
            "forbidden": list(account.forbidden),
            "reuse_numbers": account.reuses_numbers,
        }

    def _account(self, body: Body) -> Account:
        user = _given(body, "account", str, None)
        if user is None:
            accounts = self._state.accounts.all()
            if len(accounts) != 1:
                raise ControlError("say which account")
            return accounts[0]
        return self._state.accounts.open(user)

    def _document(self, body: Body) -> tuple[Document, Account, Family]:
        account, family = self._account(body), _family(body)
        shelf = account.shelf(family.name)
        reference, number = _given(body, "reference", str, ""), _given(body, "number", str, "")
        document = shelf.find(reference) or shelf.find_number(number)
        if document is None:
            raise ControlError("no such document: give reference or number")
        return document, account, family


def _family(body: Any) -> Family:
    name = body.get("family", FAMILIES[0].name)
    for family in FAMILIES:
        if family.name == name:
            return family
    raise ControlError(f"family is one of {[family.name for family in FAMILIES]}")
