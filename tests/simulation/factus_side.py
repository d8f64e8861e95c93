"""
The simulation's own hold on the sandbox: what stands there before, what happens there from outside, and what is there
at the end. In the same process or over HTTP; none of it goes through the worker.
"""

from __future__ import annotations

import base64
import json
import time
import urllib.parse
import urllib.request
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Final, Protocol

from sandbox.families.draft import draft
from sandbox.families.families import FAMILIES, Family
from sandbox.routes import document_files
from sandbox.routes.report import documents, report
from sandbox.routes.store_document import store_document
from sandbox.state.accounts import Account
from sandbox.state.numbering import NumberingRange
from sandbox.state.radian import LAST_WORDS, add_event
from sandbox.state.sandbox_state import SandboxState
from sandbox.values import datetimes
from tests.simulation.bodies import AT_FACTUS, Body, Known

_BY_NAME: Final = {family.name: family for family in FAMILIES}
_PATHS: Final = {"pdf": "download-pdf", "xml": "download-xml", "attached": "download-attached-document-xml"}
_AGENT: Final = "factus-simulation/1"
_RANGE_DOCUMENT: Final = "30"

Rows = dict[tuple[str, str], list[dict[str, Any]]]
"""By account and family, oldest first."""


class Side(Protocol):
    """What both forms have."""

    def store(self, account: str, family: str, body: Body) -> Known:
        """A validated document, before everything."""
        ...

    def receive(self, account: str, cufe: str) -> int:
        """A bill of a supplier; its id."""
        ...

    def add_range(self, account: str, prefix: str) -> int:
        """A numbering range that is not active and that no document uses; its id."""
        ...

    def event(self, account: str, reference: str, code: str, days_ago: float = 0.0) -> None:
        """A RADIAN event on a bill of ours."""
        ...

    def rows(self) -> Rows: ...

    def report(self) -> dict[str, Any]: ...

    def file(self, account: str, family: str, number: str, kind: str) -> bytes:
        """What a download brings."""
        ...

    def radian(self, account: str, number: str) -> list[str]:
        """The CUDEs of a bill's events, in their order."""
        ...

    def active_ranges(self, account: str) -> Mapping[str, bool]: ...


class InProcess:
    """The sandbox in this process."""

    def __init__(self, state: SandboxState, late_s: tuple[float, ...] = (0.0,)) -> None:
        self._state = state
        self._late_s = late_s
        """How long before it was stored a document may have been sent."""
        self.stocked: set[tuple[str, str, str]] = set()

    def account(self, name: str) -> Account:
        return self._state.accounts.open(name)

    def store(self, account: str, family: str, body: Body) -> Known:
        found, row = self.account(account), _BY_NAME[AT_FACTUS[family]]
        errors: dict[str, list[str]] = {}
        sent = json.loads(json.dumps(body.payload))
        made = draft(found, row, sent, self._state.now(), errors)
        assert made is not None, errors
        document = store_document(self._state, found, row, made)
        found.shelf(row.name).mark_validated(document, self._state.now())
        self.stocked.add((account, family, document.reference))
        return Known(account, family, document.reference, document.number, body.party)

    def receive(self, account: str, cufe: str) -> int:
        return self.account(account).received.upload(cufe, self._state.config.seed, self._state.now()).id

    def add_range(self, account: str, prefix: str) -> int:
        ranges = self.account(account).ranges
        key = int(ranges.next_id(False, 0))
        ranges.add(NumberingRange(key, _RANGE_DOCUMENT, prefix, 1, is_active=False))
        return key

    def event(self, account: str, reference: str, code: str, days_ago: float = 0.0) -> None:
        document = self.account(account).shelf("bills").find(reference)
        assert document is not None
        add_event(document.code, document.events, code, self._state.now() - days_ago * 86_400)

    def rows(self) -> Rows:
        return {
            (account.user, ours): self._rows(account, _BY_NAME[name])
            for account in self._state.accounts.all()
            for ours, name in AT_FACTUS.items()
        }

    def _rows(self, account: Account, family: Family) -> list[dict[str, Any]]:
        rows = documents(account, family, None)
        for row in rows:
            document = account.shelf(family.name).find(row["reference_code"])
            assert document is not None
            row["days"] = sorted({f"{datetimes.at(document.created_at - late_s):%Y-%m-%d}" for late_s in self._late_s})
        return rows

    def report(self) -> dict[str, Any]:
        return report(self._state)

    def file(self, account: str, family: str, number: str, kind: str) -> bytes:
        found, row = self.account(account), _BY_NAME[AT_FACTUS[family]]
        document = found.shelf(row.name).find_number(number)
        assert document is not None
        match kind:
            case "pdf":
                assert row.print_pdf is not None
                return row.print_pdf(row.show(document, found.company))
            case "xml":
                return document_files.xml_of(row, document, found.company).encode()
            case _:
                return document_files.attached_document_of(row, document, found.company).encode()

    def radian(self, account: str, number: str) -> list[str]:
        document = self.account(account).shelf("bills").find_number(number)
        return [event["cude"] for event in document.events] if document else []

    def active_ranges(self, account: str) -> Mapping[str, bool]:
        return {str(one.id): one.is_active for one in self.account(account).ranges.all(False)}

    def open_bills(self, account: str) -> set[str]:
        """References of validated bills on which more events may come."""
        shelf = self.account(account).shelf("bills")
        return {
            document.reference
            for document in shelf.newest_first()
            if document.is_validated and not {event["event_code"] for event in document.events} & LAST_WORDS
        }


class OverHttp:
    """The sandbox as a process. A request counts in the account's window: see :meth:`rest`."""

    def __init__(self, url: str, a_window: int, window_s: float) -> None:
        self._url = url
        self._window_s = window_s
        self._a_window = a_window
        """Requests that an account may make in one window of its own."""
        self.stocked: set[tuple[str, str, str]] = set()
        self._tokens: dict[str, str] = {}
        self._n_sent: defaultdict[str, int] = defaultdict(int)

    def _ask(self, method: str, path: str, account: str = "", body: Any = None) -> Any:
        headers = {"User-Agent": _AGENT, "Content-Type": "application/json"}
        if account:
            headers["Authorization"] = f"Bearer {self._token(account)}"
            self._n_sent[account] += 1
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._url + path, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def _token(self, account: str) -> str:
        if account not in self._tokens:
            form = {"grant_type": "password", "client_id": "x", "client_secret": "x"}
            data = urllib.parse.urlencode({**form, "username": account, "password": "x"}).encode()
            request = urllib.request.Request(f"{self._url}/oauth/token", data, {"User-Agent": _AGENT})
            with urllib.request.urlopen(request, timeout=30) as answer:
                self._tokens[account] = json.load(answer)["access_token"]
            self._n_sent[account] += 1
        return self._tokens[account]

    def store(self, account: str, family: str, body: Body) -> Known:
        self._wait_for_room(account)
        path = AT_FACTUS[family] + ("" if family.startswith("payroll") else "/validate")
        data = self._ask("POST", f"/v2/{path}", account, body.payload)["data"]
        assert data["is_validated"], data
        self.stocked.add((account, family, data["reference_code"]))
        return Known(account, family, data["reference_code"], data["number"], body.party)

    def _wait_for_room(self, account: str) -> None:
        if self._n_sent[account] > self._a_window * 0.8:
            self.rest()

    def rest(self) -> None:
        """Until no window holds a request of ours."""
        if self._n_sent:
            time.sleep(self._window_s + 1)
            self._n_sent.clear()

    def look_on(self, accounts: Iterable[str]) -> None:
        """From now on our own requests are not limited: all is over, and the report was taken."""
        self._tokens.clear()
        for account in accounts:
            self._ask("POST", f"/_sandbox/accounts/{account}", body={"rate_limit": 0})

    def receive(self, account: str, cufe: str) -> int:
        self._wait_for_room(account)
        return int(self._ask("POST", "/v2/receptions/upload", account, {"track_id": cufe})["data"]["id"])

    def add_range(self, account: str, prefix: str) -> int:
        self._wait_for_room(account)
        body = {"document": _RANGE_DOCUMENT, "prefix": prefix, "resolution_number": "18760000001", "current": "1"}
        return int(self._ask("POST", "/v2/numbering-ranges", account, body)["data"]["id"])

    def event(self, account: str, reference: str, code: str, days_ago: float = 0.0) -> None:
        body = {"account": account, "reference": reference, "event_code": code, "days_ago": days_ago}
        self._ask("POST", "/_sandbox/events", body=body)

    def rows(self) -> Rows:
        accounts = self.report()["accounts"]
        return {
            (account, ours): self._ask("GET", f"/_sandbox/documents?account={account}&family={name}")
            for account in accounts
            for ours, name in AT_FACTUS.items()
        }

    def report(self) -> dict[str, Any]:
        found: dict[str, Any] = self._ask("GET", "/_sandbox/report")
        return found

    def file(self, account: str, family: str, number: str, kind: str) -> bytes:
        data = self._ask("GET", f"/v2/{AT_FACTUS[family]}/{number}/{_PATHS[kind]}", account)["data"]
        return base64.b64decode(data["pdf_base_64_encoded" if kind == "pdf" else "xml_base_64_encoded"])

    def codes(self, account: str, reference: str) -> set[str]:
        """The RADIAN events of a bill of ours, as one sees them who is not Factus's client."""
        rows = self._ask("GET", f"/_sandbox/documents?account={account}&family=bills")
        return {code for row in rows if row["reference_code"] == reference for code in row["events"]}

    def radian(self, account: str, number: str) -> list[str]:
        rows = self._ask("GET", f"/v2/bills/{number}/radian/events", account)["data"]
        return [*dict.fromkeys(row["cude"] for row in rows)]  # some accounts' lists have each twice

    def active_ranges(self, account: str) -> Mapping[str, bool]:
        found: dict[str, bool] = {}
        page = 1
        while True:
            data = self._ask("GET", f"/v2/numbering-ranges?page={page}", account)["data"]
            found |= {str(row["id"]): bool(row["is_active"]) for row in data["data"]}
            if page >= data["pagination"]["last_page"]:
                return found
            page += 1
