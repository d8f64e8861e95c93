"""Finding a code by what one remembers of its name."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.catalogs import tables
from schemas.catalogs.search import catalogs, nearest, search

SHIPPED = {path.stem for path in Path(tables.__file__).parent.glob("*.json")}


def found(catalog: str, query: str, limit: int = 50) -> list[str]:
    return [row["code"] for row in search(catalog, query, limit)]


def test_every_table_has_a_title() -> None:
    assert catalogs().keys() == SHIPPED
    assert len(set(catalogs().values())) == len(SHIPPED)


@pytest.mark.parametrize(
    ("catalog", "query", "first"),
    [
        ("municipalities", "bogota", "11001"),
        ("municipalities", "Bogotá D.C.", "11001"),
        ("municipalities", "medellin", "05001"),
        ("municipalities", "MEDELLÍN", "05001"),
        ("municipalities", "05001", "05001"),
        ("municipalities", "  cali ", "76001"),
        ("unit-measures", "kilogramo", "KGM"),
        ("unit_measures", "Unidad", "94"),
        ("unit-measures", "kgm", "KGM"),
        ("countries", "estados unidos", "US"),
        ("countries", "espana", "ES"),
        ("currencies", "dolar estadounidense", "USD"),
        ("currencies", "peso mex", "MXN"),
        ("Payment_Methods", "efectivo", "10"),
        ("taxes", "iva", "01"),
        ("operation-types", "ss-recaudo", "SS-Recaudo"),
        ("fiscal-responsibilities", "O-13", "O-13"),
    ],
)
def test_what_was_meant_comes_first(catalog: str, query: str, first: str) -> None:
    assert found(catalog, query)[0] == first


def test_pesos_come_in_the_published_order() -> None:
    pesos = [row["name"] for row in search("currencies", "peso", 100)]
    published = [row["name"] for row in tables.rows("currencies") if row["name"].startswith("Peso")]
    assert len(published) > 5
    assert pesos[: len(published)] == published


def test_names_rank_from_whole_to_part() -> None:
    """The name, its start, a word's start, a part: 'gramo', 'gramo por …', 'fuerza de gramo …', 'kilogramo'."""
    names = [row["name"].lower() for row in search("unit-measures", "gramo", 1000)]
    assert names[0] == "gramo"
    starts = [name.startswith("gramo") for name in names]
    assert starts == sorted(starts, reverse=True)
    inside = [bool(re.search(r"\bgramo", name)) for name in names]
    assert inside == sorted(inside, reverse=True)
    assert not all(inside)


def test_words_may_come_in_any_order_and_unfinished() -> None:
    assert found("countries", "unid isl") == ["UM", "VI"]
    assert found("countries", "unid virg") == ["VI"]


def test_department_tells_namesakes_apart() -> None:
    assert found("municipalities", "rionegro antioquia") == ["05615"]
    assert len(found("municipalities", "rionegro")) > 1


def test_empty_query_lists_the_first_rows() -> None:
    assert search("municipalities", "  ", 3) == [dict(row) for row in tables.rows("municipalities")[:3]]
    assert len(search("payment-forms", "", 100)) == 2


@pytest.mark.parametrize("limit", [0, -1])
def test_no_rows_for_no_limit(limit: int) -> None:
    assert search("countries", "", limit) == []


def test_code_that_is_published_twice_comes_twice() -> None:
    assert [row["name"] for row in search("unit-measures", "MGM", 5)] == ["miligramo", "megahercio"]


@pytest.mark.parametrize("query", ["¿?", "....", "zzzzzz"])
def test_nothing_fits(query: str) -> None:
    assert found("municipalities", query) == []


def test_rows_keep_all_their_columns_and_belong_to_the_caller() -> None:
    row = search("municipalities", "05001", 1)[0]
    assert row == {"code": "05001", "name": "Medellin", "department": {"code": "05", "name": "Antioquia"}}
    row["department"]["name"] = "spoiled"
    assert search("municipalities", "05001", 1)[0]["department"]["name"] == "Antioquia"


@pytest.mark.parametrize("catalog", ["colores", "", "../records", "municipalities.json", "README"])
def test_unknown_table(catalog: str) -> None:
    with pytest.raises(KeyError):
        search(catalog, "", 1)


def test_misspelt_table_is_guessed() -> None:
    assert nearest("municipality") == "municipalities"
    assert nearest("unit_measure") == "unit-measures"
    assert nearest("xyz") is None
    assert nearest("x" * 1_000_000) is None


def test_a_search_takes_a_fraction_of_a_document() -> None:
    search("municipalities", "a", 1)

    def once() -> float:
        start = time.process_time()
        search("municipalities", "san antioquia", 20)
        return time.process_time() - start

    assert min(once() for _ in range(20)) < 0.005


@given(st.sampled_from(sorted(SHIPPED)), st.data())
def test_every_row_is_found_by_its_code_and_by_its_name(catalog: str, data: Any) -> None:
    row = dict(data.draw(st.sampled_from(tables.rows(catalog))))
    assert row in search(catalog, row["code"], 2)
    assert row in search(catalog, row["name"].upper(), 2000)


@given(st.sampled_from(["countries", "taxes"]), st.text(max_size=20), st.integers(-2, 10))
def test_any_query_is_answered(catalog: str, query: str, limit: int) -> None:
    rows = search(catalog, query, limit)
    assert len(rows) <= max(limit, 0)
    assert all(row in [dict(known) for known in tables.rows(catalog)] for row in rows)
