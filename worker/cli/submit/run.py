"""
One run of ``submit``: pushes, waits, writes the results, and says each of it to people or to programs.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

import click

from worker.cli.console import emit, json_text, open_redis
from worker.cli.producers_token import producers_token
from worker.cli.submit.course import Course

if TYPE_CHECKING:
    from worker.cli.progress import Bar
    from worker.cli.submit.push import Pushed
    from worker.cli.submit.reading import Reading
    from worker.cli.submit.results_file import ResultRow
    from worker.settings.model import Settings
    from worker.speech import Speech

_USUAL_TIMEOUT_S: Final = 600.0


class Interrupted(Exception):
    """Ctrl-C: what was pushed goes on without us."""


class Run:
    """One run of the command, and what it says."""

    def __init__(
        self,
        reading: Reading,
        speech: Speech,
        batch: str | None,
        paths: dict[str, str],
        *,
        as_json: bool,
        token_file: str | None = None,
    ) -> None:
        self.reading = reading
        self.speech = speech
        self.paths = paths
        self.as_json = as_json
        self.token_file = token_file
        self.pushed: list[Pushed] = []
        self.course = Course(len(reading.jobs), batch)
        self.is_waiting = False
        self.is_stopped = False
        self.unwritten: list[str] = []
        """Why there are no results of a file that were to be written."""

    # -- what is said --------------------------------------------------------------------------------------------------
    def tell_judged(self) -> None:
        from worker.cli.check.command import show_checked

        if not self.as_json:
            show_checked(self.reading.judged, self.speech)

    def tell_nothing_pushed(self) -> None:
        if self.as_json:
            click.echo(json_text(self.document()))
            return
        n_errors = self.speech.of(
            sum(one.n_errors for one in self.reading.judged), ("error", "error"), ("errores", "errors")
        )
        emit(
            self.speech.say(
                f"No se envió nada: hay {n_errors}. Corríjalos y envíe el archivo otra vez, o envíe con "
                f"--partial los {self.speech.documents(len(self.reading.jobs))} que están bien.",
                f"Nothing was pushed: {n_errors}. Correct them and submit the file again, or push the "
                f"{self.speech.documents(len(self.reading.jobs))} that are valid with --partial.",
            ),
            err=True,
        )

    def tell_left_out(self) -> None:
        if self.as_json:
            return
        n_left = self.speech.documents(len(self.reading.left_out))
        emit(self.speech.say(f"{n_left} con errores no se enviaron.", f"{n_left} with errors were not pushed."))

    def tell_interrupted(self) -> None:
        from worker.cli.submit.course import interrupted

        emit("")
        for line in interrupted(self.course, self.speech):
            emit(line, "yellow")

    # -- pushing and waiting -------------------------------------------------------------------------------------------
    async def push(self, settings: Settings, *, wait: bool, timeout_s: float | None) -> bool:
        """
        Push all jobs; with *wait* also stay for their ends. False when one is no success.

        Raises:
            Interrupted: After Ctrl-C; the second one ends the process at once.
        """
        from worker.cli.progress import Bar
        from worker.cli.submit.push import ends_of, push
        from worker.cli.submit.report import show_pushed
        from worker.store.keys import Keys

        token = producers_token(settings, self.token_file)
        self._hear_interrupts()
        jobs = self.reading.jobs
        own = frozenset(name for name, account in settings.accounts().items() if account.own_streams)
        keys = Keys(settings.namespace)
        async with open_redis(settings) as redis:
            places = {}
            if wait:
                places = await ends_of(redis, [keys.results(), *(keys.results(name) for name in sorted(own))])
            is_shown = wait and not self.as_json
            stream = sys.stdout if is_shown else sys.stderr
            with Bar(len(jobs), self.speech, stream=stream, quiet_s=0.0 if is_shown else 1.0) as bar:

                def told(n_pushed: int) -> None:
                    self.course.n_pushed = n_pushed
                    if n_pushed > 0 and (not is_shown or n_pushed < len(jobs)):
                        bar.show(n_pushed, self.speech.say("enviados", "pushed"))
                    if self.is_stopped:
                        raise Interrupted

                self.pushed = await push(redis, keys, jobs, own, told, self.speech, token=token)
                self.course.pushed = self.pushed
                if not wait:
                    if not self.as_json:
                        show_pushed(jobs, self.speech)
                    return True
                self.is_waiting = True
                await self._wait(settings, redis, places, bar, timeout_s)
        return self._tell_ends()

    async def _wait(
        self, settings: Settings, redis: Any, places: dict[str, str], bar: Bar, timeout_s: float | None
    ) -> None:
        """Until all are final, time is up, or nothing has come for long; the bar is drawn after each look."""
        from schemas.factus import BOGOTA
        from worker.cli.submit.pace import Pace, pace_words
        from worker.cli.submit.pause import PauseReader, usual_account
        from worker.cli.submit.push import Watch
        from worker.cli.submit.report import counts_of, lane_of
        from worker.store.keys import Keys

        accounts = settings.accounts()
        keys, speech, pace, note = Keys(settings.namespace), self.speech, Pace(), ""
        only = await usual_account(redis, keys, accounts)
        watch = Watch(redis, keys, self.pushed, places, default_account=only)
        lanes = sorted({lane_of(one.job, only) for one in watch.pushed})
        pauses = PauseReader(redis, keys, lanes, accounts)
        given_s = _USUAL_TIMEOUT_S if timeout_s is None else timeout_s
        gives_up_at, n_known = monotonic() + given_s, -1
        while True:
            n_final = sum(one.outcome is not None for one in watch.pushed)
            if n_final > n_known and timeout_s is None:
                gives_up_at = monotonic() + given_s  # the usual time-out is one without news
            n_known = n_final
            pace.note(n_final)
            told = pace_words(len(watch.pushed) - n_final, pace, speech, is_left_told=bool(note))
            words = f"{speech.say('terminados', 'final')}{counts_of(watch.pushed, speech)}"
            if not self.as_json:
                why = "" if n_final == len(watch.pushed) else note
                bar.show(n_final, words, " · ".join(part for part in (told, why) if part))
            if self.is_stopped and n_final < len(watch.pushed):
                raise Interrupted
            if n_final == len(watch.pushed) or monotonic() >= gives_up_at:
                return
            await watch.turn()
            note = await pauses.note(BOGOTA, speech, limit=settings.rate_limit, window_s=settings.rate_window)

    def _hear_interrupts(self) -> None:
        """
        Take Ctrl-C as a wish, and no cancellation.

        Under Python 3.11 redis-py sends through asyncio.wait_for, which now and then swallows one, and the wait would
        go on as if nobody had asked.
        """
        import asyncio
        import signal
        from contextlib import suppress

        loop = asyncio.get_running_loop()

        def stop() -> None:
            self.is_stopped = True
            loop.remove_signal_handler(signal.SIGINT)

        with suppress(NotImplementedError, RuntimeError, ValueError):  # no main thread, no such signals
            loop.add_signal_handler(signal.SIGINT, stop)

    def _tell_ends(self) -> bool:
        from worker.cli.submit.push import summarize
        from worker.cli.submit.report import show_summary

        summary = summarize(self.pushed)
        if not self.as_json:
            show_summary(self.pushed, self.speech)
        self._write_results()
        return summary.is_success

    # -- results -------------------------------------------------------------------------------------------------------
    def _write_results(self) -> None:
        from worker.cli.files.limits import FileRefused
        from worker.cli.submit.results_file import write_results

        rows = self._rows()
        for source, path in self.paths.items():
            own = [row for origin, row in rows if not source or origin == source]
            try:
                written = write_results(path, own)
            except FileRefused as exc:
                self.unwritten.append(str(exc))
                continue
            if not self.as_json:
                emit(f"{self.speech.say('Resultados', 'Results')}: {', '.join(written)}", hanging=2)
                self._tell_corrections(own, written)

    def tell_unwritten(self) -> None:
        """After all else: what was issued is issued, and only the file is missing."""
        for why in self.unwritten:
            emit(why, "red", err=True)
        emit(
            self.speech.say(
                "Los trabajos sí se enviaron; falta solo el archivo de resultados. Corrija lo que impide escribirlo y "
                "repita la misma orden: nada se emite dos veces.",
                "The jobs were pushed; only the file of results is missing. Mend what keeps it from being written and "
                "give the same command again: nothing is issued twice.",
            ),
            err=True,
        )

    def _tell_corrections(self, rows: Sequence[ResultRow], written: Sequence[str]) -> None:
        """What to do with what did not pass: of several sheets each has a file of its own, or a sheet of the one."""
        from worker.cli.submit.results_file import sheets_to_correct

        n = sum(row.document is not None for row in rows)
        if not n:
            return
        names = sheets_to_correct(rows)
        files = list(written[1:]) or list(written)
        told = ", ".join(files)
        if len(files) == len(names):
            commands = [f"factus-worker submit {' '.join(files)} --wait"]
        else:  # one of its sheets is read at a time
            commands = [f'factus-worker submit {told} --sheet "{name}" --wait' for name in names]
            told += f" ({', '.join(names)})"
        correct = "Corríjalo" if n == 1 else "Corríjalos"
        emit(
            self.speech.say(
                f"Por corregir: {self.speech.documents(n)}, en {told}. {correct} allí y envíe solo "
                f"{'ese archivo' if len(names) == 1 else 'eso'}: {'; '.join(commands)}",
                f"To be corrected: {self.speech.documents(n)}, in {told}. Correct them there and submit that "
                f"{'file ' if len(names) == 1 else ''}alone: {'; '.join(commands)}",
            ),
            "yellow",
            hanging=2,
        )

    def _rows(self) -> list[tuple[str, Any]]:
        from worker.cli.files.spreadsheets import SheetRow
        from worker.cli.submit.results_file import row_left_out, row_of

        errors = {id(one.row): one.errors for one in self.reading.judged}
        found = [(one.job.row.source if one.job.row else "", row_of(one)) for one in self.pushed]
        left_out = [row for row in self.reading.left_out if isinstance(row, SheetRow)]
        found += [(row.source, row_left_out(row.document, errors.get(id(row), ()), row.place)) for row in left_out]
        return found

    def document(self) -> dict[str, object]:
        """All of it for programs."""
        from worker.cli.check.command import told_for_programs

        judged = self.reading.judged
        told: dict[str, object] = {
            "pushed": self.course.n_pushed,
            "errors": [told_for_programs(one, detail) for one in judged for detail in one.errors],
            "warnings": [told_for_programs(one, detail) for one in judged for detail in one.warnings],
        }
        if self.is_waiting:
            told["results"] = [_told_end(one) for one in self.pushed]
        return told


def _told_end(one: Pushed) -> dict[str, object]:
    outcome = one.outcome
    return {
        "job_id": one.job.id,
        "reference_code": one.job.reference or None,
        "type": outcome.type if outcome else None,
        "success": outcome.success if outcome else None,
        "number": (outcome.number or None) if outcome else None,
        "cufe": (outcome.unique_code or None) if outcome else None,
        "code": (outcome.code or None) if outcome else None,
        "message": outcome.message if outcome else None,
    }
