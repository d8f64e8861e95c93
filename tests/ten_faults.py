"""
The ten faults that happen most, and what each of five eyes says of them: the page, ``status``, ``doctor``, the metrics,
the alert. One list, from which ``docs/operations.md`` has its table; ``tests/integration/ten_faults/`` plants
them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Fault:
    """
    One fault, and what is said of it.

    ``kind`` is the id of the problem, ``check`` that of ``doctor``, ``series`` what a scrape has of it. ``cause`` and
    ``mend`` are words of ``status``, of ``doctor`` and of the page; ``in_english`` those of the alert's mend.
    """

    name: str
    kind: str
    check: str
    series: str
    alert: str
    cause: str
    mend: str
    in_english: str
    account: str = ""
    calls: bool = False
    """``doctor`` has to ask Factus."""
    besides: frozenset[str] = frozenset()
    """Other alerts that fire as well."""


FAULTS: Final = (
    Fault(
        "Redis is read-only (a replica)",
        "redis.writes",
        "redis.replicas",
        'factus_lane_blocked{reason="redis.read_only"}',
        "FactusRedisRefusesWrites",
        "no acepta escrituras",
        "es una réplica: apunte FACTUS_REDIS_URL al primario",
        "it is a replica: point FACTUS_REDIS_URL at the primary",
    ),
    Fault(
        "Redis's disk is full",
        "redis.writes",
        "redis.persistence",
        'factus_lane_blocked{reason="redis.disk"}',
        "FactusDiskFull",
        "MISCONF",
        "no puede escribir en su disco: libere espacio",
        "it cannot write to its disk: make room",
    ),
    Fault(
        "wrong password",
        "account.held",
        "accounts",
        'factus_lane_blocked{account="password",reason="factus.credentials"}',
        "FactusCredentialsRefused",
        "Factus rechaza las credenciales de la cuenta",
        "corrija usuario, clave y credenciales de la cuenta y reinicie el servicio",
        "mend user, password and credentials of the account and restart the service",
        account="password",
    ),
    Fault(
        "402: the plan is used up",
        "account.held",
        "accounts",
        'factus_lane_blocked{account="payment",reason="factus.payment_required"}',
        "FactusPaymentRequired",
        "Factus exige un pago o un paquete de documentos (402)",
        "renueve el plan o compre un paquete de documentos en Factus",
        "renew the plan or buy a package of documents at Factus",
        account="payment",
    ),
    Fault(
        "somebody else's document is not validated",
        "lane.held",
        "accounts",
        'factus_lane_blocked{account="foreign",family="invoice",reason="factus.conflict"}',
        "FactusForeignDocument",
        "POS-77",
        "valide o elimine",
        "validate or remove at Factus the document that is not validated",
        account="foreign",
    ),
    Fault(
        "the DIAN is silent",
        "lane.held",
        "accounts",
        'factus_lane_blocked{account="dian",family="invoice",reason="dian.pending"}',
        "FactusDianSilent",
        "la DIAN no ha respondido",
        "nada: se reenvía igual hasta que la DIAN responda; no lo elimine",
        "nothing: it is sent again unchanged until DIAN answers; do not remove it",
        account="dian",
    ),
    Fault(
        "a consumer lags, and loses entries",
        "group.lost",
        "intake",
        'factus_problems{kind="group.lost",severity="failure"}',
        "FactusConsumerLost",
        "grupo erp",
        "inicie el consumidor, o suba FACTUS_RESULTS_MAXLEN",
        "start the consumer, or raise FACTUS_RESULTS_MAXLEN",
    ),
    Fault(
        "an endpoint of webhooks is dead",
        "webhook.failing",
        "webhooks",
        'factus_problems{kind="webhook.failing",severity="failure"}',
        "FactusWebhookFailing",
        "responde 503",
        "arregle el receptor y pruébelo: factus-worker webhooks test tienda",
        "mend the receiver and try it: factus-worker webhooks test NAME",
    ),
    Fault(
        "a numbering range is at its end",
        "range.ending",
        "factus.ranges",
        'factus_range_ending{account="range",family="invoice",prefix="SETP"}',
        "FactusRangeEnds",
        "de 5.000.001 números",
        "pida otra autorización de numeración",
        "ask for another numbering authorization",
        account="range",
        calls=True,
    ),
    Fault(
        "no worker lives",
        "workers.none",
        "workers",
        'factus_workers{state="alive"}',
        "FactusNoWorker",
        "ningún trabajador está en marcha",
        "inicie uno: factus-worker run",
        "start one: factus-worker run",
        besides=frozenset({"FactusWorkerLost"}),
    ),
)


def table() -> list[str]:
    """The table of docs/operations.md, one line each."""
    lines = ["| fault | `status` | `doctor` | page | metrics | alert | mend |", "|---|---|---|---|---|---|---|"]
    for one in FAULTS:
        doctor = f"`{one.check}`" + (" with `--calls`" if one.calls else "")
        lines.append(
            f"| {one.name} | `{one.kind}` | {doctor} | `{one.kind}`: {one.mend} | `{one.series}` | `{one.alert}` "
            f"| {one.in_english} |"
        )
    return lines


if __name__ == "__main__":
    print("\n".join(table()))
