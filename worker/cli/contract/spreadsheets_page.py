"""
The page about spreadsheets, for an accountant: what the columns are called, how values are written, what is refused.

Its tables are made of the data that the reader and the template use.
"""

from __future__ import annotations

from typing import Final

from schemas.names import ISSUE, job_type_of
from schemas.sheets.faults import RULES
from schemas.sheets.fields import FAMILIES, Field, fields_of, profiles, sheet_name

_FIRST_WARNING: Final = "SHT-101"

_HEAD: Final = """\
# Facturar desde una hoja de cálculo

Esta página la genera `make docs` a partir de los mismos datos que usa el programa.

## En cinco pasos

1. Pida la plantilla: `factus-worker submit --template ventas.xlsx` (para notas y documentos soporte, con `--type`: vea abajo).
2. Llénela y borre los dos ejemplos. Cada fila es una línea; las filas con la misma **Referencia** son un solo documento,
   aunque no estén juntas. Los datos de la cabeza (cliente, pago) basta escribirlos en la primera.
3. Revise: `factus-worker check ventas.xlsx`. Dice todos los errores de una vez, cada uno con su celda (`Facturas!F12`),
   el valor que hay y qué hacer. No envía nada.
4. Envíe y espere: `factus-worker submit ventas.xlsx --wait`. Si algo tiene errores no se envía nada (con `--partial` se
   envía lo que está bien). Ctrl-C deja de esperar y no detiene nada; el mismo comando vuelve a esperar.
5. Al final queda `ventas.resultado.xlsx`: una fila por referencia con número, CUFE, resultado, regla, motivo y qué hacer,
   y una hoja **Por corregir** con las filas que no pasaron. Corrija allí y envíe ese archivo:
   `factus-worker submit ventas.resultado.xlsx --wait`.

Nada se emite dos veces: enviar otra vez un archivo, corregido o no, solo emite lo nuevo o lo que cambió. Un documento se
conoce por su referencia; no use la misma para dos documentos.

Sirven `.xlsx`, `.xls`, `.csv` y `.txt` (con `;`, `,`, tabulador o `|`; UTF-8, UTF-16 o Windows-1252). Se mira lo que el archivo es, no
su nombre. Límites: 300 MB descomprimido, 200.000 filas, 5.000.000 de celdas; un documento, 8.000 líneas; un `.xls`, 24 MB.
De más de 5.000 errores se dicen los primeros y se cuentan los demás.

| Documento | `--type` | Hoja de la plantilla |
| --- | --- | --- |
"""

_VALUES: Final = """
## Cómo se escriben los valores

| Valor | Se entiende | Se rechaza |
| --- | --- | --- |
| Números | `1234567`, `1.234.567,89`, `1,234,567.89`, `$ 1.234,50`, `1'234.567,50` | `1.234` si nada en su columna dice si es mil o uno con decimales: use `--decimal ,` o `--decimal .`; más de dos decimales; `(1.000)`, `100-` |
| Tarifas | `19`, `19%`, `IVA 19%`, `0.19` si toda la columna son fracciones, `exento`, `excluido` | `0.19` y `19` en la misma columna |
| Descuento % | `10`, `10%` | `0.1` sin el signo % |
| Fechas | `31/12/2026`, `31-12-26`, `2026-12-31`, `20261231`, una fecha de Excel; el día va antes del mes | `12/31/2026`: toda la columna |
| Identificación | `900123456`, `900.123.456`, `900123456-7` | `9,00123E+08`, o un número de más de 15 cifras: Excel ya perdió cifras |
| Códigos | el código, o el nombre; `5001` se lee `05001` si está en la tabla, y se avisa | un nombre que no existe, o que es de varios (`Armenia`) |
| Dinero | | una celda vacía, una de error (`#DIV/0!`) o una fórmula sin valor guardado: nunca cuentan como 0 |

El **Total**, si está, se compara al centavo con lo calculado y no se envía. Con **Precio con IVA** el total de cada línea
difiere en 0,01 como máximo. Las filas ocultas también se envían, y se avisa cuántas son.

## Opciones

| Opción | Para qué |
| --- | --- |
| `--sheet NOMBRE` | la hoja, si varias tienen documentos |
| `--map CAMPO=ENCABEZADO` | un encabezado que no se conoce: `--map "Precio=Vlr neto"` (se puede repetir) |
| `--decimal ,` o `.` | el signo decimal de textos como `1.234` |
| `--encoding NOMBRE` | la codificación de un `.csv` viejo: `cp850`, `mac_roman` |
| `--profile` | el archivo de otro programa, abajo |
| `--partial` | enviar los documentos que están bien |
| `--wait`, `--results ARCHIVO` | esperar, y dónde dejar los resultados (`.xlsx` o `.csv`) |
"""


def spreadsheets_page() -> str:
    """The whole page, in Spanish."""
    parts = [
        _HEAD,
        "".join(
            f"| {_DOCUMENTS[family]} | `{job_type_of(family, ISSUE)}` | {sheet_name(family)} |\n" for family in FAMILIES
        ),
        _VALUES,
        "\n## Las columnas\n\nMayúsculas, tildes, espacios y signos de los encabezados no cuentan, y el orden tampoco.\n",
        *(_columns(family) for family in FAMILIES),
        _profiles(),
        _rules(),
    ]
    return "".join(parts).rstrip() + "\n"


_DOCUMENTS: Final = {
    "invoice": "Factura de venta",
    "credit_note": "Nota crédito",
    "debit_note": "Nota débito",
    "support_document": "Documento soporte",
}


def _columns(family: str) -> str:
    rows = fields_of(family)
    if family != FAMILIES[0]:
        known = {one.key for one in fields_of(FAMILIES[0])}
        own = [one for one in rows if one.key not in known]
        without = [one.label for one in fields_of(FAMILIES[0]) if one.key not in {row.key for row in rows}]
        told = f"Las mismas, sin {', '.join(without)}." if without else "Las mismas."
        table = _table(own) if own else ""
        also = " Y además:\n\n" if own else "\n"
        return f"\n### {_DOCUMENTS[family]}\n\n{told}{also}{table}"
    return f"\n### {_DOCUMENTS[family]}\n\n{_table(rows)}"


def _table(rows: tuple[Field, ...] | list[Field]) -> str:
    lines = ["| Columna | Obligatoria | Qué se escribe | También se llama |", "| --- | --- | --- | --- |"]
    for one in rows:
        need = "sí" if one.is_required else "esta o Precio con IVA" if one.key == "price" else ""
        names = ", ".join(name.replace("pct", "%") for name in one.names if name != one.label.lower())
        lines.append(f"| **{one.label}** | {need} | {one.help} | {names} |")
    return "\n".join(lines) + "\n"


def _profiles() -> str:
    lines = [
        "\n## Archivos de otros programas\n",
        "| `--profile` | Qué es | Encabezados que conoce |",
        "| --- | --- | --- |",
    ]
    for one in profiles().values():
        names = ", ".join(name for own in one.names.values() for name in own)
        lines.append(f"| `{one.name}` | {one.about} | {one.prefix}, {names} |")
    lines.append(
        "\nEsos archivos no traen el nombre, la dirección ni el municipio del cliente: agregue esas columnas. Un código de "
        "impuesto de Siigo no es una tarifa: escriba 19%, 5% o excluido. Si World Office trae descuentos, diga con `--map` "
        "si son porcentaje o valor.\n"
    )
    return "\n".join(lines)


def _rules() -> str:
    lines = ["\n## Lo que dice la revisión\n", "| Regla | Qué encontró | |", "| --- | --- | --- |"]
    for rule, text in RULES.items():
        lines.append(f"| {rule} | {text} | {'aviso' if rule >= _FIRST_WARNING else ''} |")
    lines.append(
        "\nLas demás reglas (`CUS-…`, `ITM-…`, `SUM-…`) son las de todo documento, dichas en la celda que corresponde.\n"
    )
    return "\n".join(lines)
