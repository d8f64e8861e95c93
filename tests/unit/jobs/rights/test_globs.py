"""Globs of ``*`` alone."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.rights.globs import any_matches, matches


@pytest.mark.parametrize(
    ("glob", "name", "is_matched"),
    [
        ("*", "anything", True),
        ("*", "", True),
        ("", "", True),
        ("", "a", False),
        ("invoice.*", "invoice.issue", True),
        ("invoice.*", "invoice.", True),
        ("invoice.*", "my.invoice.issue", False),  # anchored
        ("*.get", "invoice.get", True),
        ("*.get", "invoice.get_all", False),
        ("invoice.*", "Invoice.issue", False),  # case-sensitive
        ("INVOICE.*", "invoice.issue", False),
        ("a*a", "a", False),  # one character is not two
        ("a*a", "aa", True),
        ("a*b*c", "aXbYc", True),
        ("a*b*c", "acb", False),
        ("*b*b*", "ab", False),
        ("invoice.?ssue", "invoice.issue", False),  # all else stands for itself
        ("invoice.[a-z]*", "invoice.issue", False),
        ("acm[e]", "acme", False),
        ("acme\n", "acme", False),
    ],
)
def test_globs(glob: str, name: str, is_matched: bool) -> None:
    assert matches(glob, name) is is_matched


@given(st.text("ab*", max_size=12), st.text("ab", max_size=12))
def test_a_glob_means_what_a_regular_expression_of_it_means(glob: str, name: str) -> None:
    expression = ".*".join(re.escape(part) for part in glob.split("*"))
    assert matches(glob, name) is bool(re.fullmatch(expression, name, re.DOTALL))


def test_no_glob_takes_long() -> None:
    """``*a*a*a…b`` is what backtracking hangs on."""
    began_at = time.perf_counter()
    assert not matches("*a" * 4000 + "*b", "a" * 8000)
    assert time.perf_counter() - began_at < 1


def test_one_of_several() -> None:
    assert any_matches(("b", "a*"), "ab")
    assert not any_matches((), "ab")
