"""Swagger UI: the files that were published, and nothing from elsewhere."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from worker.http import docs_page

STATIC = Path(docs_page.__file__).parent / "static"
DIGESTS = {
    "swagger-ui-bundle.js": "e6a898692f2d768e807c3ba4626068a69a2c5dd960dd6c76f3e4d3a3de180af2",
    "swagger-ui-bundle.js.LICENSE.txt": "37eb6e7e59aed57b2c1acf076574b818ea07b74265717e0bd67b59e0baf9abbb",
    "swagger-ui.css": "5ed08757e53da3e026d6cbecc61fe5d43585c9560b302d534ad56692519a273d",
    "favicon-32x32.png": "3ed612f41e050ca5e7000cad6f1cbe7e7da39f65fca99c02e99e6591056e5837",
}


def test_the_files_are_those_of_the_package() -> None:
    found = {name: hashlib.sha256((STATIC / name).read_bytes()).hexdigest() for name in DIGESTS}
    assert found == DIGESTS
    assert {path.name for path in STATIC.iterdir()} == {*DIGESTS, "start.js", "README.md", "LICENSE", "NOTICE"}


def test_the_page_loads_nothing_from_elsewhere_and_has_no_script_of_its_own() -> None:
    page = docs_page._PAGE.decode()
    addresses = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert addresses
    assert all(address.startswith("docs/") for address in addresses)
    assert not re.search(r"<script>(?!<)|<script(?![^>]*\bsrc=)|\bon\w+=|<style|style=", page)
    assert "unsafe" not in docs_page._POLICY
    assert "http" not in (STATIC / "start.js").read_text()
    assert not re.search(r"url\((?!\"?data:)", (STATIC / "swagger-ui.css").read_text())
