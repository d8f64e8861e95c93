"""``factus-worker status``: one document explained, or everything at a glance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from worker.cli.console import clean, json_text, open_redis, show_table, told_settings

if TYPE_CHECKING:
    from datetime import tzinfo

    from worker.cli.status.explain import Explanation
    from worker.cli.status.explain_follow_ups import Part
    from worker.cli.status.reader import Overview, StatusReader
    from worker.settings import Settings


@click.command("status")
@click.argument("reference", required=False)
@click.option("--account", metavar="NAME", help="Look in this account only.")
@click.option("--family", metavar="NAME", help="Look at this family only, such as invoice.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def command(reference: str | None, account: str | None, family: str | None, as_json: bool) -> None:
    """Explain the document of REFERENCE (a job id will do): where it is, why, what happens next and when, and what
    follows it: the files that are archived, the RADIAN events that are watched. A call is found by its job id.

    Without REFERENCE: workers, intake, lanes with the time each backlog will need, allowance, holds and tokens of the
    accounts, consumer groups of the results, dead letters. `calls` is the lane of all that issues nothing: it stands
    behind the documents of its account; what comes later there watches RADIAN, or pauses.

    \b
    Exit status: 0 all is well, 1 not found or a problem seen, 2 wrong usage.
    """
    import asyncio

    if reference is None and (account or family):
        raise click.UsageError("--account and --family go with a REFERENCE.")
    settings = told_settings()
    is_well = asyncio.run(
        _overview(settings, as_json) if reference is None else _explain(settings, reference, account, family, as_json)
    )
    if not is_well:
        raise click.exceptions.Exit(1)


async def _overview(settings: Settings, as_json: bool) -> bool:
    from dataclasses import asdict

    from schemas.factus import BOGOTA
    from worker.cli.status.explain import problems

    async with open_redis(settings, must_exist=True) as redis:
        seen = await _reader(settings, redis).overview()
    found = problems(seen)
    if as_json:
        click.echo(json_text({**asdict(seen), "problems": found}))
    else:
        _show_overview(seen, found, BOGOTA)
    return not found


def _reader(settings: Settings, redis: object) -> StatusReader:
    from redis.asyncio import Redis

    from worker.cli.status.reader import StatusReader
    from worker.store.keys import Keys

    assert isinstance(redis, Redis)
    return StatusReader(
        redis,
        Keys(settings.namespace),
        settings.accounts(),
        limit=settings.rate_limit,
        window_s=settings.rate_window,
        results_maxlen=settings.results_maxlen,
    )


def _show_overview(seen: Overview, found: list[str], zone: tzinfo) -> None:
    _section("Workers", ["worker", "version", "running", "done", "last sign"], _worker_rows(seen), "none is running")
    intake = [
        [one.stream, str(one.n_pushed), str(one.n_pending), seen.intake_leader or "nobody"] for one in seen.intakes
    ]
    _section("Intake", ["stream", "not taken in", "in hand", "taken in by"], intake, "")
    _section("Lanes", ["lane", "waiting", "later", "in flight", "stands", "next look", "backlog needs"],
             _lane_rows(seen, zone), "nothing waits")  # fmt: skip
    _section("Accounts", ["account", "factus", "allowance used", "on hold", "429s", "token"], _account_rows(seen, zone),
             "none is configured here, and no worker runs")  # fmt: skip
    groups = [[one.stream, one.name, str(one.n_unread)] for one in seen.groups]
    _section("Consumer groups", ["stream", "group", "not read"], groups, "none")
    click.echo(f"Dead letters: {seen.n_dead}")
    for problem in found:
        click.echo(clean(f"Problem: {problem}"))


def _section(title: str, headers: list[str], rows: list[list[str]], empty: str) -> None:
    click.echo(f"{title}: {len(rows)}" if rows else f"{title}: {empty}")
    if rows:
        show_table(headers, rows)
    click.echo()


def _worker_rows(seen: Overview) -> list[list[str]]:
    return [
        [one.id, one.version, str(one.n_running), str(one.n_run), f"{one.seen_ms_ago / 1000:.1f} s ago"]
        for one in seen.workers
    ]


def _lane_rows(seen: Overview, zone: tzinfo) -> list[list[str]]:
    from worker.cli.status.state_words import lane_words
    from worker.cli.time_words import clock, span

    accounts = {account.name: account for account in seen.accounts}
    rows = []
    for lane in seen.lanes:
        words = lane_words(lane, accounts[lane.account], seen.now_ms, zone) or "-"
        later = f"{lane.n_later} ({lane.n_tracking} RADIAN)" if lane.n_tracking else str(lane.n_later)
        needs = f"about {span(lane.backlog_s)}" if lane.backlog_s else ("no wait" if lane.n_waiting else "-")
        look = clock(lane.next_look_ms, zone)
        rows.append([lane.name, str(lane.n_waiting), later, str(lane.n_in_flight), words, look, needs])
    return rows


def _account_rows(seen: Overview, zone: tzinfo) -> list[list[str]]:
    from worker.cli.status.state_words import reason_words
    from worker.cli.time_words import clock, span

    rows = []
    for one in seen.accounts:
        hold = f"until {clock(one.hold.until_ms, zone)}: {reason_words(one.hold)}" if one.hold else "-"
        token = f"no. {one.token_generation}, {span(one.token_life_s)} left" if one.token_life_s else "none"
        used = f"{one.n_used} of {one.limit} in {one.window_s:g} s"
        name = one.name + ("" if one.is_configured else " (not configured here)")
        rows.append([name, one.environment or "-", used, hold, str(one.n_throttled), token])
    return rows


async def _explain(settings: Settings, reference: str, account: str | None, family: str | None, as_json: bool) -> bool:
    from dataclasses import asdict

    from schemas.factus import BOGOTA
    from worker.cli.status.explain import explain, explain_event
    from worker.cli.status.lookup import JobLookup
    from worker.store.keys import Keys

    accounts = settings.accounts()
    own = [name for name, known in sorted(accounts.items()) if known.own_streams]
    async with open_redis(settings, must_exist=True) as redis:
        finder = JobLookup(redis, Keys(settings.namespace), _reader(settings, redis), own)
        told = []
        for found in await finder.find(reference, account=account, family=family):
            job = found.job.job
            one = explain(found, accounts[job.account].zone if job.account in accounts else BOGOTA)
            # The record of a job that was refused at the door has no reason, a call's no answer; their events have.
            event = await finder.last_event(job.id, job.account) if one.needs_event else None
            told.append(explain_event(event) if event else one)
        if not told and (event := await finder.last_event(reference, account)):
            told = [explain_event(event)]
        is_pushed = not told and await finder.is_pushed(reference)
    if as_json:
        click.echo(json_text({"found": [asdict(one) for one in told], "is_waiting_for_intake": is_pushed}))
    elif told:
        for one in told:
            _show_explanation(one)
    elif is_pushed:
        name = clean(str(reference))
        click.echo(f"{name} is pushed and no worker has taken it in yet. Next: a running worker does, in seconds.")
    if not told and not is_pushed:
        click.echo(clean(_hint(settings, reference, account)), err=True)
    return bool(told or is_pushed)


def _show_explanation(one: Explanation) -> None:
    error = one.last_error or {}
    field = f" ({error['field']})" if error.get("field") else ""
    lines = [
        ("reference", f"{one.reference_code or '-'}  ({one.account}, {one.job_type})"),
        ("job", one.job_id),
        ("where", one.where),
        ("why", one.why),
        ("next", one.next),
        ("since", one.since),
        ("number", one.number),
        ("attempts", str(one.attempts)),
        ("last error", f"{error['code']}: {error['message']}{field}" if error else None),
        ("tried until", one.tried_until),
    ]
    for name, text in lines:
        if text:
            click.echo(clean(f"{name + ':':<13}{text}"))
    for part in one.follows:
        _show_part(part)
    click.echo()


def _show_part(part: Part) -> None:
    click.echo(clean(f"{part.name + ':':<13}{part.state}: {part.why}"))
    if part.next:
        click.echo(f"{'':<13}next: {clean(part.next)}")
    for document in part.documents:
        click.echo(clean(f"{'':<13}{document['kind']:<9}{document['bytes']:>9,} bytes  {document['uri']}"))
    for event in part.events:
        click.echo(clean(f"{'':<13}{event['event_code']}  {event['occurred_at'] or '-'}  {event['event_name']}"))


def _hint(settings: Settings, reference: str, account: str | None) -> str:
    where = f"account {account}" if account else "any account that is known here"
    return (
        f"{reference} is unknown in {where} (namespace {settings.namespace}). Finished ones are remembered "
        f"{settings.ledger_days} days. Check the spelling, --account, FACTUS_NAMESPACE and FACTUS_REDIS_URL."
    )
