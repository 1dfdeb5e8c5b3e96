"""`callspool send`: puts the contacts of files into the queue."""

import os
import time
from collections.abc import Iterable
from contextlib import ExitStack

import click

from callspool.errors import CallspoolError, QueueFull, QueueUnavailable
from callspool.settings import Settings, load_settings
from callspool_ledger.reads.reader import LedgerReader
from callspool_ledger.reads.summary import read_clock, read_summary
from callspool_operators.lists import Intake, IntakeError
from callspool_operators.options.clients import ledger_for_a_look, reader_for
from callspool_operators.options.known_already import Newcomers
from callspool_operators.options.options import SendOptions, sending_options
from callspool_operators.options.target import SendTarget, target_of
from callspool_operators.preparing.asking import ask_before_sending, check_countries, look
from callspool_operators.preparing.overview import encoding_lines, held_back_json, held_back_lines
from callspool_operators.preparing.reading import (
    Spooler,
    chunks_of_documents,
    chunks_of_newcomers,
    new_intake,
    open_intake,
)
from callspool_operators.terminal.exits import Exit, Interrupted
from callspool_operators.terminal.screen import Progress
from callspool_operators.terminal.wording import format_count, json_line

_EXAMPLES = """\b
Examples:
  callspool send contacts.csv --space-token 8KZ… --pilot space-agent-… --context "Follow up"
  callspool send leads.csv --map "Handy=contact_number" --region IN --dry-run
  curl -s https://example.org/leads.jsonl.gz | callspool send - --yes --json
"""


@click.command(epilog=_EXAMPLES)
@sending_options()
def send(options: SendOptions) -> int:
    """Put the contacts of files (CSV or JSON, also .gz; - for stdin) into the queue.

    Workers call them; `callspool status` shows how far they are. Sending the same file again is
    safe: contacts that are known in the same campaign are not called twice.
    """
    settings = load_settings(os.environ, overrides={"redis_url": options.redis_url})
    target = target_of(options, settings)
    if options.dry_run:
        with ledger_for_a_look(settings.redis_url) as reader:
            return rehearse(options, target, reader)
    # Better known before the question than after it.
    new_intake(options, target.rules).inspect()
    check_countries(options, target.rules)
    with reader_for(settings, target.envelope) as reader:
        account = settings.accounts.get(target.envelope.account)
        api_url = account.api_url if account else ""
        if not ask_before_sending(options, target, reader, api_url, drains=False):
            click.echo("Nothing was sent.", err=True)
            return Exit.INTERRUPTED
    if target.expires_in is not None:
        with reader_for(settings, target.envelope) as reader:
            target = target.at_clock(reader.ask(read_clock()) / 1000)
    with ExitStack() as stack:
        intake = stack.enter_context(open_intake(options, target.rules, is_sent=True))
        newcomers = None
        if options.new is not None:
            reader = stack.enter_context(reader_for(settings, target.envelope))
            _refuse_a_full_queue(reader)
            newcomers = Newcomers(reader, target.envelope, options.new)
        return _send(options, settings, target, intake, newcomers)


def _refuse_a_full_queue(reader: LedgerReader) -> None:
    """Raises `CallspoolError` while documents wait that the ledger cannot know yet."""
    if spooled := reader.ask(read_summary()).spooled:
        are = format_count(spooled, "document is", "documents are")
        raise CallspoolError(
            f"{are} in the queue that no worker has accepted yet, so --new cannot tell who is new:"
            " start callspool worker, and send again when callspool status shows none"
        )


def _send(
    options: SendOptions,
    settings: Settings,
    target: SendTarget,
    intake: Intake,
    newcomers: Newcomers | None,
) -> int:
    started = time.monotonic()
    fault: CallspoolError | KeyboardInterrupt | None = None
    with (
        Spooler(settings, target.envelope, again=options.again) as spooler,
        Progress(intake.bytes_total(), quiet=options.as_json) as progress,
    ):
        if newcomers is None:
            chunks = chunks_of_documents(intake, progress)
        else:
            rows = chunks_of_newcomers(intake, newcomers)
            chunks = ([row.raw for row in some] for some in rows)
        try:
            _put(chunks, intake, spooler, progress)
        except (CallspoolError, KeyboardInterrupt) as stopped:
            fault = stopped
    known = newcomers.known if newcomers else 0
    _tell(options, intake, spooler.enqueued, known, time.monotonic() - started)
    if fault is not None:
        raise _with_advice(fault, spooler.enqueued)
    return _code(options, intake)


def _put(
    chunks: Iterable[list[bytes]], intake: Intake, spooler: Spooler, progress: Progress
) -> None:
    """Everything into the queue; of a file that cannot be read on, the rows up to there."""
    try:
        for chunk in chunks:
            spooler.add(chunk)
            progress.update(intake.bytes_read, lambda: _so_far(intake, spooler))
    except IntakeError:
        spooler.store()
        raise
    spooler.store()


def rehearse(options: SendOptions, target: SendTarget, reader: LedgerReader | None) -> int:
    """Checks the files and shows what would be sent; sends nothing."""
    started = time.monotonic()
    with open_intake(options, target.rules) as intake:
        overview = look(intake, target, reader, even_once=True, again=options.again)
    if options.as_json:
        seconds = round(time.monotonic() - started, 3)
        summary = {**overview.to_json(target), "seconds": seconds}
        click.echo(json_line(summary))
    else:
        for line in overview.lines(target, options):
            click.echo(line)
        click.echo("Nothing was sent (--dry-run).")
    return _code(options, intake)


def _code(options: SendOptions, intake: Intake) -> int:
    """1 where no row at all could be sent, or, if strict, one could not: no script takes it for
    done."""
    counts = intake.counts
    if counts.invalid and (options.strict or not counts.good + counts.duplicate):
        return Exit.NOT_ALL
    return Exit.DONE


def _so_far(intake: Intake, spooler: Spooler) -> str:
    return f"{format_count(intake.counts.read, 'row')} read, {spooler.enqueued:,} enqueued"


def _tell(options: SendOptions, intake: Intake, enqueued: int, known: int, seconds: float) -> None:
    """The summary: on stdout, as one JSON object or for people."""
    counts = intake.counts
    if options.as_json:
        documents = {
            "read": counts.read,
            "enqueued": enqueued,
            "duplicate": counts.duplicate,
            "invalid": counts.invalid,
            "known": known,
        }
        summary = {
            "documents": documents,
            "healed": counts.healed,
            **held_back_json(intake),
            "seconds": round(seconds, 3),
        }
        click.echo(json_line(summary))
        return
    click.echo(
        f"{format_count(counts.read, 'row')} read in {seconds:.1f} s: {enqueued:,} enqueued,"
        f" {counts.duplicate:,} duplicate (in the files), {counts.invalid:,} invalid"
    )
    if options.new is not None:
        click.echo(f"  {known:,} known to the ledger, passed over (--new {options.new:,})")
    for line in (*encoding_lines(intake), *held_back_lines(intake, options)):
        click.echo(line)
    click.echo("Next: callspool status" if enqueued else "Nothing was sent.")


def _with_advice(fault: CallspoolError | KeyboardInterrupt, enqueued: int) -> CallspoolError:
    """The error again, with what is in the queue by now and what is safe to do."""
    there = (
        f"{format_count(enqueued, 'document is', 'documents are')} in the queue;"
        " sending the same files again is safe, nobody is called twice"
    )
    match fault:
        case QueueFull():
            return QueueFull(f"{fault} ({there})", enqueued=enqueued)
        case QueueUnavailable():
            return QueueUnavailable(f"{fault} ({there})", enqueued=enqueued)
        case CallspoolError():
            return CallspoolError(f"{fault} ({there})")
    return Interrupted(f"interrupted: {there}")
