"""A certificate calls a document as everything else does."""

from __future__ import annotations

import pytest

from jobs.families import FAMILIES
from worker.cli.close.sections import family_name
from worker.speech import ENGLISH, SPANISH


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_has_its_name_in_both_languages(family: str) -> None:
    assert family_name(family, SPANISH) == FAMILIES[family].noun
    assert family_name(family, ENGLISH).lower().replace(" ", "_") == family


def test_a_family_of_another_version_is_told_by_its_key() -> None:
    assert family_name("receipt", SPANISH) == family_name("receipt", ENGLISH) == "receipt"
