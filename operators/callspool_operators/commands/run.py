"""`callspool run`: the whole job on one machine, from a file to a report."""

from __future__ import annotations

import os
import shlex
import signal
import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from callspool.errors import ApiUnreachable, CallspoolError, QueueUnavailable
from callspool.settings import Settings, load_settings
from callspool.settings.urls import redis_url_without_password
from callspool_ledger.reads.summary import read_clock
from callspool_operators.commands.doctor import find_silence
from callspool_operators.commands.send import rehearse
from callspool_operators.local.job import End, Job
from callspool_operators.local.ledger import LocalLedger
from callspool_operators.local.state import default_state_dir
from callspool_operators.local.tracking import ask_until_answered, report_of
from callspool_operators.local.workforce import (
    SANDBOX,
    STAND_INS,
    Workforce,
    check_api,
    sandbox_settings,
    start_sandbox,
)
from callspool_operators.options.clients import client_that_answers, ledger_for_a_look, reader_for
from callspool_operators.options.options import SendOptions, redis_option_that, sending_options
from callspool_operators.options.target import SendTarget, target_of
from callspool_operators.preparing.asking import ask_before_sending, check_countries
from callspool_operators.preparing.forecast import describe_what_does_not_hold
from callspool_operators.preparing.overview import held_back_in_short
from callspool_operators.preparing.reading import Spooler, new_intake, open_intake, remember_lists
from callspool_operators.terminal.exits import Exit
from callspool_operators.terminal.screen import Progress, paint
from callspool_operators.terminal.wording import format_count, json_line
from callspool_worker.api import check_start
from callspool_worker.decisions.leases import longest_stop

if TYPE_CHECKING:
    from callspool_operators.lists import Intake
    from callspool_operators.terminal.report import Report

AGAIN = "run the same command again"

_EXAMPLES = """\b
Examples:
  callspool run contacts.csv --sandbox
  callspool run contacts.csv --sandbox --follow
  callspool run contacts.csv --space-token 8KZ… --pilot space-agent-… --context "Follow up"
  callspool run leads.csv.gz --map "Handy=contact_number" --region IN --rejects bad.csv --dry-run
  callspool run contacts.csv --campaign spring --expires 2h --yes --json
"""


@click.command("run", epilog=_EXAMPLES)
@sending_options(
    redis_option_that(
        "Use this Redis and its ledger instead of an embedded one; CALLSPOOL_REDIS_URL is ignored."
    )
)
@click.option("--sandbox", is_flag=True, help="Send to a local API that calls nobody.")
@click.option(
    "--state-dir",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Where the ledger is kept.  [default: the user's state directory]",
)
@click.option("--processes", type=int, metavar="N", help="Worker processes.  [default: 2]")
@click.option("--threads", type=int, metavar="N", help="Threads of each process.  [default: 8]")
@click.option(
    "--follow",
    is_flag=True,
    help="Wait until the calls ended, and report what became of them.",
)
def run(
    options: SendOptions,
    sandbox: bool,
    state_dir: Path | None,
    processes: int | None,
    threads: int | None,
    follow: bool,
) -> int:
    """Call the contacts of files, from this machine alone: queue, workers and report.

    Nobody is called twice: a second run of the same file finds every contact in the ledger, and
    an interrupted run goes on where it stopped.
    """
    flags = {"redis_url": options.redis_url, "processes": processes, "threads": threads}
    settings = load_settings(os.environ, overrides=flags)
    if sandbox and options.account not in (None, SANDBOX):
        raise click.UsageError(f"--sandbox sends as the account {SANDBOX}: leave --account out")
    target = target_of(options, settings, defaults=STAND_INS if sandbox else None)
    place = state_dir or default_state_dir()
    if options.redis_url is None and settings.redis_url != Settings().redis_url and not sandbox:
        click.echo(
            f"CALLSPOOL_REDIS_URL is not used: the ledger of this run is in {place} and does not"
            " know whom that one called; --redis URL sends through it",
            err=True,
        )
    if options.dry_run:
        kept_in = None if options.redis_url else str(place)
        with ledger_for_a_look(options.redis_url, kept_in) as reader:
            if sandbox and reader is not None:
                where = _where(options, settings, place)
                for line in describe_what_does_not_hold(reader, target.envelope, where):
                    click.echo(line, err=True)
            return rehearse(options, target, reader)
    if not sandbox:
        settings.account(target.envelope.account)
        check_start(settings.accounts)
    # Better known before a server is started than after it.
    new_intake(options, target.rules).inspect()
    if not sandbox:
        check_countries(options, target.rules)
    if follow:
        settings = replace(settings, follow=True)
    return _RunCommand(options, settings, target, sandbox, place, follow).do()


def _do(job: Job, spooler: Spooler) -> tuple[End, CallspoolError | None]:
    """Does the job; what kept it from being done whole is told after the report."""
    try:
        end = job.do(spooler)
    except CallspoolError as fault:
        return End.AT_REST, fault
    if end is End.API_UNREACHABLE:
        return end, ApiUnreachable(
            "the API cannot be reached any more: what is left waits in the ledger;"
            " run the same command again"
        )
    return end, job.fault if end is End.AT_REST else None


def _where(options: SendOptions, settings: Settings, state_dir: Path) -> str:
    """The flags that lead to the ledger of the run."""
    if options.redis_url is not None:
        return f"--redis {redis_url_without_password(settings.redis_url)}"
    return f"--state-dir {shlex.quote(str(state_dir))}"


@dataclass(slots=True)
class _RunCommand:
    """One call of the command, past its questions."""

    options: SendOptions
    settings: Settings
    target: SendTarget
    sandbox: bool
    state_dir: Path
    follow: bool

    def do(self) -> int:
        with ExitStack() as stack:
            stack.enter_context(_sigterm_is_an_interrupt())
            local = self._ledger(stack)
            if self.sandbox:
                self._say_what_does_not_hold()
            else:
                for line in find_silence(self.settings, self.target.envelope):
                    self._say(line)
            if not self.sandbox and not self._ask_to_go_on():
                self._say("Nothing was sent.")
                return Exit.INTERRUPTED
            intake = stack.enter_context(
                open_intake(self.options, self.target.rules, is_sent=not self.sandbox)
            )
            if local is not None:
                account = self.target.envelope.account
                remember_lists(self.state_dir, self.options, self.target.rules, account)
            self._choose_api(stack)
            return self._work(stack, intake, local)

    def _ask_to_go_on(self) -> bool:
        """Asks the person at the terminal, who is shown what the ledger knows already."""
        with ExitStack() as stack:
            reading = partial(reader_for, self.settings, self.target.envelope)
            reader = ask_until_answered(lambda: stack.enter_context(reading()))
            api_url = self.settings.account(self.target.envelope.account).api_url
            return ask_before_sending(self.options, self.target, reader, api_url, drains=True)

    def _say_what_does_not_hold(self) -> None:
        envelope = self.target.envelope
        with reader_for(self.settings, envelope) as reader:
            where = _where(self.options, self.settings, self.state_dir)
            for line in describe_what_does_not_hold(reader, envelope, where):
                self._say(line)

    def _ledger(self, stack: ExitStack) -> LocalLedger | None:
        """The embedded server, unless another Redis was named."""
        if self.options.redis_url is not None:
            stack.enter_context(client_that_answers(self.settings.redis_url))
            return None
        local = stack.enter_context(LocalLedger(self.state_dir))
        self._say(f"state directory: {self.state_dir}")
        local.wait_for_old_workers(
            longest_stop(self.settings.request_timeout),
            lambda: self._say("waiting for workers of an interrupted run to finish …"),
        )
        self.settings = replace(self.settings, redis_url=local.url, partitions=1)
        return local

    def _choose_api(self, stack: ExitStack) -> None:
        if self.sandbox:
            url = start_sandbox(stack, self.state_dir)
            self.settings = sandbox_settings(self.settings, url)
            check_start(self.settings.accounts)
            self._say(f"sandbox: {url} (nobody is called)")
        else:
            name = self.target.envelope.account
            account = self.settings.account(name)
            check_api(account.api_url)

    def _work(self, stack: ExitStack, intake: Intake, local: LocalLedger | None) -> int:
        workforce = stack.enter_context(Workforce(self.settings, local))
        progress = stack.enter_context(Progress(1.0, quiet=False))
        reader = workforce.reader(self.target.envelope)
        if self.target.expires_in is not None:
            now_ms = ask_until_answered(lambda: reader.ask(read_clock()), workforce.check)
            self.target = self.target.at_clock(now_ms / 1000)
        job = Job(
            intake,
            self.target,
            reader,
            progress,
            workforce.check,
            max_waiting=self.settings.max_waiting,
            alone=local is not None,
            new=self.options.new,
        )
        if left := job.before.documents["waiting"] + job.before.spooled:
            waits = format_count(
                left, "document of earlier runs waits", "documents of earlier runs wait"
            )
            self._say(f"{waits} in this ledger, and may be sent, too, when calling is allowed")
        started = time.monotonic()
        workforce.start()
        again = self.options.again
        with Spooler(self.settings, self.target.envelope, again=again) as spooler:
            end, failure = _do(job, spooler)
            seconds = time.monotonic() - started
            if self.follow and end is End.AT_REST and failure is None:
                end = job.follow()
            progress.close()
            if end is End.INTERRUPTED:
                self._say("finishing what was sent; the rest is kept for the next run …")
            workforce.stop()
        if not isinstance(failure, QueueUnavailable):
            notes = held_back_in_short(intake, self.options)
            where = _where(self.options, self.settings, self.state_dir)
            report = ask_until_answered(
                lambda: report_of(job, spooler.enqueued, seconds, where, AGAIN, notes),
                workforce.keep_server,
            )
            self._show(report)
        if failure is not None:
            raise failure
        if end is End.INTERRUPTED:
            self._say_what_was_not_read(intake)
            return Exit.INTERRUPTED
        return report.exit_code(strict=self.options.strict)

    def _show(self, report: Report) -> None:
        if self.options.as_json:
            click.echo(json_line(report.to_json()))
            for line in (*report.conflict_lines(), *report.paused_lines()):
                self._say(line)
        else:
            for line in report.lines():
                click.echo(paint(line))

    def _say_what_was_not_read(self, intake: Intake) -> None:
        if intake.bytes_read < (intake.bytes_total() or 0):
            self._say("the files were not read to their end; the next run reads them again")

    def _say(self, words: str) -> None:
        click.echo(words, err=True)


class _sigterm_is_an_interrupt:  # noqa: N801 - reads as what it does in a with statement
    """Within it, SIGTERM ends a run as Ctrl-C does."""

    def __enter__(self) -> None:
        self._before = signal.signal(signal.SIGTERM, _interrupt)

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGTERM, self._before)


def _interrupt(*_: Any) -> None:
    raise KeyboardInterrupt
