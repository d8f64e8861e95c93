"""
The files of a certificate: JSON for programs, a page to be printed, a spreadsheet. Each is written whole or not at all.

A certificate that stands in the folder under the same name belongs to the chain: it stays, under its hash.
"""

from __future__ import annotations

import json
import tempfile
from html import escape
from pathlib import Path
from typing import Any, Final

from jobs.closing.certificate import PREVIOUS, SHA256
from jobs.closing.chain import is_certificate
from worker.cli.close.names import PREFIX
from worker.cli.close.sections import Certificate, Section, sections, standing, verdict
from worker.cli.files.limits import FileRefused
from worker.cli.files.whole import write_whole
from worker.speech import Speech

_STYLE: Final = """
body{font:11pt/1.4 system-ui,sans-serif;margin:2em auto;max-width:70em;padding:0 1em;color:#111;background:#fff}
h1{font-size:1.5em;margin:0}h2{font-size:1.1em;margin:1.6em 0 .4em}
table{border-collapse:collapse;width:100%;font-size:.85em}
th,td{border:1px solid #999;padding:.25em .5em;text-align:left;vertical-align:top;overflow-wrap:anywhere}
th{background:#eee}.r{text-align:right;white-space:nowrap}
.good,.bad{font-weight:bold;border-left:.4em solid;padding-left:.6em}
.good{border-color:#1a7f37}.bad{border-color:#b42318}
code{font-size:.85em;overflow-wrap:anywhere}tr{break-inside:avoid}thead{display:table-header-group}
@media print{body{margin:0;max-width:none}@page{size:landscape;margin:1.5cm}}
"""
_LONGEST: Final = 32_000
_WIDEST: Final = 60


def make_folder(folder: str) -> None:
    """
    See that files can be written, before anything is asked for.

    Raises:
        FileRefused: They cannot.
    """
    base = Path(folder)
    try:
        base.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=base):
            pass
    except OSError as exc:
        raise FileRefused(f"{folder}: no se puede escribir ({exc.strerror or exc})") from exc


def write_all(folder: str, certificate: Certificate, speech: Speech) -> list[str]:
    """
    Write the three files; their paths.

    Raises:
        FileRefused: The folder cannot be written to.
    """
    base = Path(folder)
    name = f"{PREFIX}{certificate['account']}-{certificate['day']}"
    paths = [base / f"{name}.{ending}" for ending in ("json", "html", "xlsx")]
    text = json.dumps(dict(certificate), ensure_ascii=False, indent=2) + "\n"
    try:
        _keep_former(paths[0], certificate)
        write_whole(paths[0], lambda path: path.write_text(text, encoding="utf-8"))
        write_whole(paths[1], lambda path: path.write_text(page(certificate, speech), encoding="utf-8"))
        write_whole(paths[2], lambda path: _write_xlsx(path, certificate, speech))
    except OSError as exc:
        raise FileRefused(f"{exc.filename or folder}: no se puede escribir ({exc.strerror or exc})") from exc
    return [str(path) for path in paths]


def _keep_former(path: Path, certificate: Certificate) -> None:
    """Another certificate of that day is kept as ``cierre-ACCOUNT-DAY.HASH.json``: the chain needs it."""
    try:
        former = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return
    if is_certificate(former) and former[SHA256] != certificate[SHA256]:
        kept = path.with_name(f"{path.stem}.{former[SHA256][:8]}{path.suffix}")
        if not kept.exists():
            path.replace(kept)


# -- the page ----------------------------------------------------------------------------------------------------------
def page(certificate: Certificate, speech: Speech) -> str:
    """One page, printable, that loads nothing."""
    say = speech.say
    told, is_good = verdict(certificate, speech)
    title = say(
        f"Cierre del {certificate['day']}, cuenta {certificate['account']}",
        f"Closing of {certificate['day']}, account {certificate['account']}",
    )
    facts = [
        (say("Hecho", "Made"), certificate["made_at"]),
        ("SHA-256", certificate[SHA256]),
        (say("Certificado anterior", "Certificate before"), certificate[PREVIOUS] or say("ninguno", "none")),
        (say("Llamadas a Factus", "Calls to Factus"), str(certificate["calls"])),
    ]
    parts = [
        f'<!DOCTYPE html>\n<html lang="{speech.language}">\n<head>\n<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>",
        f"<h1>{escape(title)}</h1>\n<p>{escape(standing(certificate, speech))}</p>",
        f'<p class="{"good" if is_good else "bad"}">{escape(told)}.</p>',
        *(_table(one) for one in sections(certificate, speech)),
        f"<h2>{escape(say('Huella', 'Fingerprint'))}</h2>",
        *(f"<p>{escape(name)}: <code>{escape(value)}</code></p>" for name, value in facts),
        "</main>\n</body>\n</html>\n",
    ]
    return "\n".join(parts)


def _table(one: Section) -> str:
    def cells(tag: str, row: tuple[str, ...], scope: str = "") -> str:
        return "".join(
            f"<{tag}{scope}{' class=r' if n in one.right else ''}>{escape(cell)}</{tag}>" for n, cell in enumerate(row)
        )

    rows = "\n".join(f"<tr>{cells('td', row)}</tr>" for row in one.rows)
    head = cells("th", one.headings, ' scope="col"')
    return f"<h2>{escape(one.title)}</h2>\n<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table>"


# -- the spreadsheet ---------------------------------------------------------------------------------------------------
def _write_xlsx(path: Path, certificate: Certificate, speech: Speech) -> None:
    """Text cells only: nothing that somebody has written runs as a formula, and no number loses a digit."""
    import xlsxwriter
    from xlsxwriter.exceptions import XlsxWriterException

    options = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    book: Any = xlsxwriter.Workbook(str(path), options)
    text = book.add_format({"num_format": "@", "valign": "top"})
    head = book.add_format({"bold": True, "bg_color": "#1F3864", "font_color": "white", "num_format": "@"})
    say = speech.say
    told, _ = verdict(certificate, speech)
    summary = Section(
        say("Resumen", "Summary"),
        (say("Dato", "Fact"), say("Valor", "Value")),
        (
            (say("Cuenta", "Account"), certificate["account"]),
            (say("Día", "Day"), certificate["day"]),
            (say("Estado", "Standing"), standing(certificate, speech)),
            (say("Resultado", "Verdict"), told),
            (say("Hecho", "Made"), certificate["made_at"]),
            ("SHA-256", certificate[SHA256]),
            (say("Certificado anterior", "Certificate before"), certificate[PREVIOUS] or ""),
        ),
    )
    for one in (summary, *sections(certificate, speech)):
        sheet = book.add_worksheet(one.title[:31])
        for column, heading in enumerate(one.headings):
            sheet.write_string(0, column, heading, head)
            longest = max((len(row[column]) for row in one.rows), default=0)
            sheet.set_column(column, column, min(max(longest, len(heading)) + 2, _WIDEST))
        for n, row in enumerate(one.rows, 1):
            for column, cell in enumerate(row):
                sheet.write_string(n, column, cell[:_LONGEST], text)
        sheet.freeze_panes(1, 0)
    try:
        book.close()
    except XlsxWriterException as exc:
        raise OSError(str(exc)) from exc
