"""What somebody sees of a look: what needs a person first, within its size, his accounts alone, and nobody's markup."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from html.parser import HTMLParser
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest

from jobs.rights.globs import any_matches
from schemas.factus import BOGOTA
from worker.http.page.eyes import Eyes, story_path
from worker.http.page.rendering import MOST_BYTES, REGIONS, page_of, regions_of, story_of_page
from worker.http.page.seen import DayAtRisk, Happened, LetterSeen, Looked
from worker.http.page.shown import BOUNDS
from worker.http.page.story import story_shown
from worker.http.page.view import view_of
from worker.status.batch import BatchSeen
from worker.status.facts import (
    AccountSeen,
    Block,
    EndpointSeen,
    Hold,
    LaneSeen,
    LettersSeen,
    Overview,
    RangeSeen,
    WorkerSeen,
)

NOW: Final = datetime(2026, 11, 30, 23, 40, tzinfo=BOGOTA)
NOW_MS: Final = round(NOW.timestamp() * 1000)
MIDNIGHT_MS: Final = NOW_MS + 20 * 60_000
HOSTILE: Final = "<script>alert(1)</script>\"'><img src=x onerror=y>&\u202e{{7*7}}{% raw %}\ud800"


@dataclass(frozen=True)
class Person:
    """Who looks."""

    accounts: tuple[str, ...] = ("*",)
    is_masked: bool = False

    def sees(self, account: str) -> bool:
        return any_matches(self.accounts, account or "?")


def eyes(*accounts: str, is_masked: bool = False, **zones: ZoneInfo) -> Eyes:
    return Eyes(Person(accounts or ("*",), is_masked), zones)


def an_account(name: str = "acme", **changes: Any) -> AccountSeen:
    base = AccountSeen(name, True, 80, 60.0, 34, None, 0, 1, 60.0, "production")
    return replace(base, **changes)


def a_lane(name: str = "acme/invoice", **changes: Any) -> LaneSeen:
    base = LaneSeen(name, name.partition("/")[0], 640, 0, 1, None, 0, backlog_s=480.0)
    return replace(base, **changes)


def an_overview(**changes: Any) -> Overview:
    worker = WorkerSeen("w1", 1, "0.1.0", ("acme", "other"), 1, 1, 10)
    base = Overview(NOW_MS, (worker,), "w1", (), (a_lane(),), (an_account(), an_account("other")), 0, ())
    return replace(base, **changes)


def looked(overview: Overview | None = None, **changes: Any) -> Looked:
    return replace(Looked(overview or an_overview()), **changes)


def happened(n: int = 1, **changes: Any) -> Happened:
    base = Happened((NOW_MS - n, 0), "invoice.validated", "acme", f"j{n}", "invoice.issue", f"FV-{n}", "", "Validada")
    return replace(base, **changes)


def held(since_ms: int = NOW_MS - 600_000) -> Hold:
    return Hold("factus.credentials", NOW_MS + 60_000, since_ms, "j1", "FV-7", "", "usuario inválido")


class Page(HTMLParser):
    """The elements of a page, for what is to be known of them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    @property
    def said(self) -> str:
        return " ".join("".join(self.text).split())


def the_page(seen: Looked, of: Eyes | None = None) -> Page:
    return Page(page_of(seen, of or eyes(), "vera"))


def test_a_calm_evening_says_so() -> None:
    found = the_page(looked())
    assert "20 minutos para la medianoche" in found.said
    assert "lunes 30 de noviembre de 2026, 23:40 en Bogotá" in found.said
    assert "Nada necesita a una persona." in found.said
    assert "Todo lo que lleva fecha alcanza a salir en su día." in found.said


def test_what_needs_a_person_stands_first_with_its_mend() -> None:
    overview = an_overview(accounts=(an_account(hold=held()), an_account("other")))
    found = the_page(looked(overview)).said
    assert "Una cosa necesita a una persona." in found
    order = [
        "Necesita a una persona",
        "Cuenta acme detenida",
        "Qué hacer: Corrija usuario",
        "En riesgo",
        "Cuentas",
        "Lotes",
    ]
    places = [found.index(words) for words in order]
    assert places == sorted(places)
    assert "Desde 23:30. Lo detiene FV-7." in found


def test_an_account_shows_its_need_against_its_allowance_and_the_time() -> None:
    (first, second) = view_of(looked(), eyes()).accounts.items
    assert (first.name, first.state, first.waiting, first.need, first.has) == ("acme", "busy", "640", "8 min", "20 min")
    assert (first.allowance, first.allowance_share, first.need_share) == ("34 de 80 en 60 s", 42, 40)
    assert first.room == "1.646", "20 windows of 80, and the 46 places that are free just now"
    assert (second.name, second.state, second.need) == ("other", "calm", "nada")


@pytest.mark.parametrize(
    ("lane", "account", "workers", "told"),
    [
        ({"backlog_s": 3000.0}, {}, True, ("late", "50 min", 100)),
        ({"hold": held()}, {}, True, ("stopped", "no se sabe", 0)),
        ({}, {"hold": held()}, True, ("stopped", "no se sabe", 0)),
        ({}, {"hold": Hold("factus.throttled", NOW_MS + 9000)}, True, ("busy", "8 min", 40)),
        ({}, {"blocks": (Block("invoice", NOW_MS),)}, True, ("stopped", "8 min", 40)),
        ({}, {}, False, ("busy", "no se sabe", 0)),
    ],
)
def test_what_stops_or_delays_an_account_is_told(
    lane: dict[str, Any], account: dict[str, Any], workers: bool, told: tuple[str, str, int]
) -> None:
    overview = an_overview(lanes=(a_lane(**lane),), accounts=(an_account(**account),))
    overview = overview if workers else replace(overview, workers=())
    (first,) = view_of(looked(overview), eyes()).accounts.items
    assert (first.state, first.need, first.need_share) == told


def test_midnight_is_that_of_the_accounts_zone() -> None:
    (first, *_) = view_of(looked(), eyes(acme=ZoneInfo("America/Mexico_City"))).accounts.items
    assert first.has == "1 h 20 min"


def test_what_is_at_risk_is_named_in_the_order_of_sending() -> None:
    references = tuple(("invoice", f"FV-{k}") for k in range(9))
    days = (
        DayAtRisk("other", "2026-12-01", MIDNIGHT_MS + 86_400_000, 10, 3, None),
        DayAtRisk("acme", "2026-11-30", MIDNIGHT_MS, 640, 45, MIDNIGHT_MS + 120_000, references),
        DayAtRisk("calm", "2026-11-30", MIDNIGHT_MS, 5, 0, None),
    )
    found = the_page(looked(days=days)).said
    assert "45 documentos no alcanzan a salir hoy." in found
    assert "45 de 640 no alcanzan a salir hoy · acme" in found
    assert "el último saldría a las 1 dic 00:02" in found
    assert "FV-0, FV-1, FV-2, FV-3, FV-4, FV-5 y 39 más" in found
    assert "calm" not in found
    assert found.index("· acme") < found.index("· other"), "the day that ends first"


def test_who_is_granted_some_accounts_learns_of_no_other() -> None:
    overview = an_overview(
        lanes=(a_lane(), a_lane("secreta/invoice")),
        accounts=(an_account(), an_account("secreta", hold=held())),
        n_dead=7,
        letters=LettersSeen(7, 0, 7, 0, (("internal", 7),)),
        endpoints=(EndpointSeen("secreta-erp", is_disabled=True),),
        n_delivering=1,
        ranges=(RangeSeen("secreta", "Factura de Venta", "SECR", 1, 100),),
    )
    seen = looked(
        overview,
        days=(DayAtRisk("secreta", "2026-11-30", MIDNIGHT_MS, 5, 5, None),),
        n_days_left_out=3,
        batches=(a_batch(account="secreta", batch="lote-secreta"),),
        events=(happened(account="secreta", message="secreta"), happened(2), happened(3, account="")),
        letters=(LetterSeen(NOW_MS, "internal", "secreta", "j", "invoice.issue", "FV-secreta", "x"),),
    )
    for only_acme in (eyes("acme"), eyes("ac*")):
        found = page_of(seen, only_acme, "ana")
        assert "secreta" not in found
        assert "SECR" not in found
        assert "FV-2" in found
        assert "FV-3" not in found, "what names no account is for who may see all"
    assert "secreta" in page_of(seen, eyes(), "olga")


def test_a_limited_person_is_told_that_no_worker_runs() -> None:
    found = the_page(looked(an_overview(workers=())), eyes("acme")).said
    assert "Ningún trabajador está en marcha" in found


def test_a_viewer_reads_no_people_in_the_words_of_others() -> None:
    said = "El correo ana@example.com de «Ana Pérez», NIT 900123456"
    overview = an_overview(accounts=(an_account(hold=replace(held(), said=said)),))
    seen = looked(
        overview,
        events=(happened(message=said),),
        letters=(LetterSeen(NOW_MS, "payload.invalid", "acme", "j", "invoice.issue", "FV-9", said),),
    )
    masked, whole = (page_of(seen, eyes(is_masked=is_masked), "v") for is_masked in (True, False))
    for words in ("ana@example.com", "Ana Pérez", "900123456"):
        assert words not in html.unescape(masked)
        assert words in html.unescape(whole)
    assert "•••" in masked


def a_batch(**changes: Any) -> BatchSeen:
    counts = {"invoice.validated": 100, "invoice.rejected": 20}
    base = BatchSeen("cierre", "acme", 240, counts, 120, 120, Decimal(0), None, None, False)
    base = replace(base, done_ms=NOW_MS + 300_000, at_risk=4)
    return replace(base, **changes)


def test_batches_letters_webhooks_and_ranges_are_told() -> None:
    overview = an_overview(
        endpoints=(
            EndpointSeen("sano", n_waiting=2, last_success_ms=NOW_MS - 60_000),
            EndpointSeen("roto", is_disabled=True, disabled_why="gone"),
        ),
        n_delivering=1,
        ranges=(RangeSeen("acme", "Factura de Venta", "SETP", 12, 5000),),
        n_dead=30,
        letters=LettersSeen(30, 29, 1, 0, (("internal", 1),)),
    )
    seen = looked(
        overview,
        batches=(a_batch(is_closed=True, batch="viejo"), a_batch()),
        letters=(LetterSeen(NOW_MS, "payload.invalid", "acme", "j", "invoice.issue", "FV-9", "No suma"),),
    )
    found = the_page(seen).said
    assert "cierre 120 de 240 · listo hacia las 23:45 · acme 4 en riesgo 20 sin éxito" in found
    assert found.index("cierre 120") < found.index("viejo 120 de 240 · cerrado")
    assert "29 los corrige quien los envió; 1 los mira un operador" in found
    assert "FV-9 No suma 23:40 · payload.invalid · acme · lo corrige quien lo envió" in found
    assert "Y 29 más: factus-worker dead list." in found
    assert "roto desactivada, respondió 410 0 esperan" in found
    assert "sano activa 2 esperan · última entrega 23:39" in found
    assert "Le quedan 12 de 5.000 números" in found


@pytest.mark.parametrize(
    ("endpoint", "n_problems", "rows"),
    [
        (EndpointSeen("roto", is_disabled=True, disabled_why="gone"), 0, 0),
        (EndpointSeen("roto", is_disabled=True, disabled_why="operator", n_waiting=1), 0, 0),
        # Nobody has to act, so it stands nowhere else.
        (EndpointSeen("roto", is_disabled=True, disabled_why="operator"), 0, 1),
        # Above there is no room for it.
        (EndpointSeen("roto", is_disabled=True, disabled_why="gone"), BOUNDS.problems, 1),
    ],
)
def test_a_mend_is_said_once(endpoint: EndpointSeen, n_problems: int, rows: int) -> None:
    others = tuple(an_account(f"c{n}", hold=held()) for n in range(n_problems))
    found = the_page(looked(an_overview(accounts=others, endpoints=(endpoint,), n_delivering=1))).said
    assert found.count("Qué hacer: factus-worker webhooks enable roto") == rows
    assert found.count("webhooks enable roto") == 1


@pytest.mark.parametrize("n_problems", [0, BOUNDS.problems])
def test_the_mend_of_a_range_is_said_once(n_problems: int) -> None:
    others = tuple(an_account(f"c{n}", hold=held()) for n in range(n_problems))
    seen = an_overview(accounts=others, ranges=(RangeSeen("acme", "Factura de Venta", "SETP", 12, 5000),))
    assert the_page(looked(seen)).said.count("numbering_range.create") == 1


def test_without_rights_to_webhooks_it_says_so() -> None:
    assert "no los puede leer (deploy/users.acl)" in the_page(looked()).said


@pytest.mark.parametrize("reference", [HOSTILE, "a/b", "x" * 100, "..", "%2e", "a?b#c", "ñ"])
def test_a_link_leads_to_the_reference_and_nowhere_else(reference: str) -> None:
    path = story_path("acme", "invoice", reference)
    assert re.fullmatch(r"/documents/invoice/[A-Za-z0-9._~%-]+\?account=acme", path)


def everything_hostile(n: int) -> Looked:
    """As much as can be of everything, each as long and as foul as it may be."""
    long = (HOSTILE * 40)[:900]
    accounts = tuple(an_account(f"cuenta-{k:04}-" + "w" * 52, hold=replace(held(), said=long)) for k in range(n))
    lanes = tuple(
        a_lane(f"{one.name}/invoice", hold=replace(held(), reference_code=HOSTILE, said=long)) for one in accounts
    )
    name = accounts[0].name
    references = tuple(("invoice", "𝔉" * 100) for _ in range(8))
    overview = an_overview(
        accounts=accounts,
        lanes=lanes,
        n_dead=n,
        endpoints=tuple(EndpointSeen(f"{k}{long}"[:64], is_disabled=True) for k in range(n)),
        n_delivering=0,
        ranges=tuple(RangeSeen(name, long, long, 0, 10) for _ in range(n)),
    )
    return looked(
        overview,
        days=tuple(DayAtRisk(one.name, "2026-11-30", MIDNIGHT_MS, 10, 10, None, references) for one in accounts),
        n_days_left_out=n,
        batches=tuple(a_batch(batch=f"{k}{long}"[:128], account=name) for k in range(n)),
        events=tuple(
            happened(k, type=long[:100], account=name, reference_code="𝔉" * 100, message=long) for k in range(n)
        ),
        letters=tuple(LetterSeen(NOW_MS, long, name, long, "invoice.issue", "𝔉" * 100, long) for _ in range(n)),
    )


@pytest.fixture(scope="module")
def hostile() -> str:
    return page_of(everything_hostile(1000), eyes(), HOSTILE)


def test_the_page_has_its_size_whatever_there_is_to_show(hostile: str) -> None:
    assert len(hostile.encode()) <= MOST_BYTES
    found = Page(hostile).said
    assert re.search(r"Y 9\d\d cuentas más, con menos que hacer", found)
    assert re.search(r"Y \d\.\d\d\d más: factus-worker status", found)


def test_a_thousand_ordinary_accounts_are_shown_in_full_length() -> None:
    accounts = tuple(an_account(f"cuenta-{k:04}") for k in range(1000))
    lanes = tuple(a_lane(f"{one.name}/invoice") for one in accounts)
    events = tuple(happened(k) for k in range(100))
    found = page_of(looked(an_overview(accounts=accounts, lanes=lanes), events=events), eyes(), "olga")
    assert len(found.encode()) <= MOST_BYTES
    assert "Y 980 cuentas más" in found
    assert found.count('class="account ') == 20
    assert found.count('class="time"') == 20


def test_markup_of_others_is_text(hostile: str) -> None:
    found = Page(hostile)
    assert [tag for tag, _ in found.tags].count("script") == 1, "our own"
    assert not [attrs for _, attrs in found.tags if any(name.startswith("on") or name == "style" for name in attrs)]
    assert not [tag for tag, _ in found.tags if tag in ("img", "iframe", "object", "base", "style")]
    assert "<script>alert(1)</script>" in found.said
    assert "{{7*7}}" in found.said, "no template of ours reads it"
    assert not re.search("[\u202a-\u202e\u2066-\u2069\ud800-\udfff]", hostile)


def test_texts_of_others_stand_apart_from_the_direction_of_the_line(hostile: str) -> None:
    for piece in re.findall(r"<(?!bdi)[a-z0-9]+[^>]*>([^<]*)<", hostile):
        assert "alert(1)" not in piece


def test_nothing_is_loaded_from_elsewhere(hostile: str) -> None:
    for name, value in _addresses(Page(hostile)):
        assert (value or "").startswith(("/", "#")), (name, value)
        assert not (value or "").startswith("//")


def _addresses(page: Page) -> Iterator[tuple[str, str | None]]:
    for tag, attrs in page.tags:
        for name in ("href", "src", "action", "data-live"):
            if name in attrs:
                yield f"{tag} {name}", attrs[name]


def test_a_region_is_the_inside_of_its_element() -> None:
    """What the stream sends is what the page has: a page that is loaded and one that was kept fresh are the same."""
    seen = looked(events=(happened(),), batches=(a_batch(),))
    whole = page_of(seen, eyes(), "olga")
    regions = regions_of(view_of(seen, eyes()))
    assert set(regions) == {*REGIONS, "fresh"}
    for name, inside in regions.items():
        assert f'id="{name}"' in whole
        assert inside.strip() in whole


def test_the_story_of_a_document_is_told_within_the_same_bounds() -> None:
    job = {
        "reference_code": "FV-1", "job_id": "j1", "account": "acme", "family": "invoice", "job_type": "invoice.issue",
        "state": "waiting", "where": "espera en el carril acme/invoice", "why": HOSTILE, "next": "comienza",
        "next_at": "2026-11-30T23:41:00.000-05:00", "since": "2026-11-30T23:40:00.000-05:00", "outcome": None,
        "number": "SETP1", "attempts": 2, "last_error": {"code": "x", "message": HOSTILE * 500}, "position": 3,
        "n_in_lane": 9, "tried_until": None, "rule": "FAJ43b",
        "follows": [
            {"name": "archive", "state": "failed", "why": "no", "next": "", "clock_words": [],
             "documents": [{"kind": "pdf", "bytes": 1234, "uri": "file:///x"}],
             "events": [{"event_code": "032", "event_name": "Recibo", "occurred_at": None}]},
        ],
    }  # fmt: skip

    def story(one: Eyes) -> Any:
        return story_shown("invoice", "FV-1", {"found": [job] * 50, "is_waiting_for_intake": False}, one)

    page = story_of_page(story, eyes(), "olga")
    found = Page(page)
    assert len(page.encode()) <= MOST_BYTES
    assert "Factura FV-1" in found.said
    assert "Espera en el carril acme/invoice" in found.said
    assert "Qué sigue: comienza (2026-11-30 23:41:00)" in found.said
    assert "Lugar en su carril 3 de 9" in found.said
    assert "Archivo falló" in found.said
    assert "pdf, 1.234 bytes" in found.said
    assert "<script>alert" not in page
    assert [tag for tag, _ in found.tags].count("h1") == 1
