"""`callspool results`: a list given back with what became of each row."""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice

import click

from callspool.request.checks import Rules
from callspool.request.identity import Scope
from callspool.settings import load_settings
from callspool_ledger.reads.lookup import CONFLICT, read_by_digest, read_scopes
from callspool_ledger.reads.reader import LedgerReader
from callspool_ledger.reads.summary import read_summary
from callspool_ledger.reads.views import OUTCOMES, DocumentStatus
from callspool_operators.lists import Intake, IntakeOptions, Row
from callspool_operators.lists.grid import Grid, Inputs
from callspool_operators.lists.outfile import Dialect, OutFile, OutPlace, SheetFile
from callspool_operators.lists.results import SUPPRESSED, Answers
from callspool_operators.lists.row import ANSWERED_FILE, ANSWERS, answer_header
from callspool_operators.options import parsing
from callspool_operators.options.connection import ledger_reader
from callspool_operators.options.options import (
    encoding_option,
    files_argument,
    id_prefix_option,
    json_option,
    map_option,
    redis_option,
    region_option,
    shared_numbers_option,
    sheet_option,
    state_dir_option,
)
from callspool_operators.options.selecting import (
    SANDBOX,
    flags_of,
    sandbox_space,
    scope_of,
    words_of,
)
from callspool_operators.preparing.reading import ListReading, recall_list
from callspool_operators.terminal.exits import Exit
from callspool_operators.terminal.report import STATES, outcome_lines
from callspool_operators.terminal.screen import Progress, paint
from callspool_operators.terminal.wording import format_count, format_counts, json_line, plain

CHUNK = 2000
"""Rows looked up together."""

_EXAMPLES = """\b
Examples:
  callspool results contacts.csv -o answers.csv
  callspool results contacts.csv --campaign spring -o answers.csv --json
  callspool results contacts.csv --outcome not_reached -o again.csv
  callspool results leads.jsonl.gz --account sales --space-token 8KZ… -o answers.csv
  callspool results contacts.csv --sandbox --state-dir ~/rehearsal | head
"""


@click.command("results", epilog=_EXAMPLES)
@files_argument
@click.option(
    "-o",
    "--output",
    default="-",
    show_default=True,
    type=click.Path(allow_dash=True),
    metavar="OUT.csv",
    help="File to write: CSV (UTF-8), .csv.gz or .xlsx; - is stdout. It is replaced once the new"
    " one is complete.",
)
@click.option(
    "--space-token",
    metavar="TOKEN",
    help="Space; the beginning that is shown (8KZ1…) is enough. [CALLSPOOL_SPACE_TOKEN]",
)
@click.option(
    "--campaign",
    callback=parsing.name,
    metavar="NAME",
    help="Campaign in which the list was sent.  [default: none]",
)
@click.option(
    "--account",
    callback=parsing.account,
    shell_complete=parsing.accounts,
    metavar="NAME",
    help="Account by which the list was sent.  [default: default]",
)
@click.option(
    "--sandbox", is_flag=True, help=f"The list was sent in a rehearsal (account {SANDBOX})."
)
@click.option(
    "--outcome",
    "wanted",
    multiple=True,
    type=click.Choice(OUTCOMES),
    help="Write only rows whose call has this outcome (repeatable).",
)
@map_option
@region_option
@encoding_option
@sheet_option
@shared_numbers_option
@id_prefix_option
@click.option(
    "--raw",
    is_flag=True,
    help="Write cells as they are, for programs; a spreadsheet may run some as formulas.",
)
@click.option(
    "--bom/--no-bom",
    "marked",
    default=None,
    help="Begin with a byte order mark, by which Excel recognises UTF-8.  [default: as FILE came]",
)
@json_option
@click.option("--strict", is_flag=True, help="Exit with 1 if a row was invalid.")
@redis_option
@state_dir_option
def results(
    files: tuple[str, ...],
    output: str,
    space_token: str | None,
    campaign: str | None,
    account: str | None,
    sandbox: bool,
    wanted: tuple[str, ...],
    columns: Mapping[str, str],
    region: str | None,
    encoding: str | None,
    sheet: str | None,
    allow_shared_numbers: bool,
    id_prefix: str,
    raw: bool,
    marked: bool | None,
    as_json: bool,
    strict: bool,
    redis_url: str | None,
    state_dir: str | None,
) -> int:
    """Give lists back, each row with what became of it.

    Writes every row of the files again, in the same order and with the same columns, and adds
    state, reason, document_id, run_id, task_id, attempts, accepted_at, settled_at, what became of
    the call (outcome, call_status, end_reason, started_at, ended_at, duration in seconds, rings),
    duplicate_of (the row that had the same contact first) and line. If a file has such a column
    already, the new one is called callspool_….

    With --outcome only those rows are written whose call has that outcome, each contact once: ready
    to be sent again in another --campaign.

    States are those of `callspool status`, invalid for rows that cannot be sent, conflict for those
    whose id belongs to another number, suppressed for those whose number is on a list of
    `callspool suppress`, and unknown for those that the ledger does not know. Name
    account, space and campaign as for `callspool send`; where no space is named, the only one that
    fits is taken.

    Cells that a spreadsheet would run as a formula, or change because they look like a number
    (+14155550100, 00417), begin with an apostrophe; callspool takes it off again when it reads
    the file.

    Exits with 0 where each row was created, is suppressed, invalid or a duplicate. Exits with 1
    where all rows were written, but a row waits, is being sent, in doubt, dead, cancelled, expired,
    a conflict or unknown: the list is not done. With --outcome, exits with 0 once its rows are
    written.
    """
    if as_json and output == "-":
        raise click.UsageError("--json prints a summary on stdout: name a file for the rows (-o)")
    if output.lower().endswith((".xls", ".ods")):
        raise click.UsageError(
            f"-o {plain(output)}: answers are CSV or .xlsx: name it .csv or .xlsx"
        )
    if sandbox and account not in (None, SANDBOX):
        raise click.UsageError(f"--sandbox means the account {SANDBOX}: leave --account out")
    settings = load_settings(os.environ, overrides={"redis_url": redis_url})
    was = recall_list(state_dir, files) or ListReading()
    recalled = "" if columns else was.words()
    columns, encoding, sheet = columns or was.columns, encoding or was.encoding, sheet or was.sheet
    sandbox = sandbox or (account is None and was.account == SANDBOX)
    account, campaign = account or was.account, was.campaign if campaign is None else campaign
    space_token = space_token or settings.space_token
    if sandbox:
        account, space_token = SANDBOX, space_token or sandbox_space()
    options = IntakeOptions(
        rules=Rules(region or was.region or settings.region, settings.send_e164, settings.context),
        columns=columns,
        allow_shared_numbers=allow_shared_numbers or was.allow_shared_numbers,
        id_prefix=id_prefix or was.id_prefix,
        skip_if=was.skip_if,
        codec=encoding,
        sheet=sheet,
    )
    with (
        Inputs(files, sys.stdin.buffer, encoding, sheet) as inputs,
        ledger_reader(redis_url, state_dir) as reader,
    ):
        grid = Grid.of(inputs, columns)
        scope = scope_of(reader, account, space_token, campaign)
        dialect = grid.dialect
        if marked is not None:
            dialect = dialect._replace(codec="utf-8", marked=marked)
        keeper = reader.of_space(scope.account, scope.space_token)

        def find(
            digests: Sequence[bytes], names: Sequence[str], numbers: Sequence[bytes]
        ) -> list[DocumentStatus | None]:
            return keeper.ask(read_by_digest(digests, names, numbers))

        answers = Answers(find, scope, files, _why_unknown(reader))
        with _open_out(output, files, dialect, raw=raw) as out:
            if recalled:
                click.echo(f"read as it was run: {plain(recalled)}", err=True)
            written = _write(inputs, options, grid, answers, out, frozenset(wanted))
            out.finish()
        _tell(answers, scope, reader, output, written, as_json=as_json)
    if wanted:
        return Exit.NOT_ALL if strict and answers.counts["invalid"] else Exit.DONE
    return _code(answers, strict=strict)


def _open_out(
    output: str, files: Sequence[str], dialect: Dialect, *, raw: bool
) -> OutFile | SheetFile:
    """A spreadsheet where the name says so, else delimited text."""
    place = OutPlace(output, files)
    if output.lower().endswith(".xlsx"):
        return SheetFile(place)
    return OutFile(place, dialect, raw=raw)


def _write(
    inputs: Inputs,
    options: IntakeOptions,
    grid: Grid,
    answers: Answers,
    out: OutFile | SheetFile,
    wanted: frozenset[str],
) -> int:
    """Writes the rows that are wanted, and returns how many they were."""
    written = 0
    intake = Intake(
        inputs.names,
        replace(options, memory=answers.memory()),
        streams=inputs.streams(),
    )
    several = len(inputs.names) > 1
    out.write([_headers(grid, several=several)])
    with Progress(intake.bytes_total(), quiet=True) as progress:
        for chunk in _chunks(intake):
            rows = [
                [
                    *grid.cells(each.row),
                    *each.cells,
                    *([each.row.file] if several else []),
                ]
                for each in answers.of(chunk)
                if not wanted or (each.outcome in wanted and not each.row.duplicate)
            ]
            out.write(rows)
            written += len(rows)
            progress.update(intake.bytes_read, lambda: format_count(intake.counts.read, "row"))
    return written


def _chunks(intake: Intake) -> Iterator[list[Row]]:
    rows = iter(intake)
    while chunk := list(islice(rows, CHUNK)):
        yield chunk


def _headers(grid: Grid, *, several: bool) -> list[str]:
    """The names of all columns; those of ours that are taken get a name of their own."""
    headers = grid.headers
    for name in (*ANSWERS, *([ANSWERED_FILE] if several else [])):
        new, number = name, 1
        while new in headers or (new == "document_id" and grid.has_ids):
            new = answer_header(name, number)
            number += 1
        headers.append(new)
    return headers


def _why_unknown(reader: LedgerReader) -> str:
    spooled = reader.ask(read_summary()).spooled
    if spooled:
        documents = format_count(spooled, "document is", "documents are")
        return f"not accepted by a worker yet ({documents} in the queue), or never sent"
    return "never sent in this account, space and campaign, or longer ago than is remembered"


def _code(answers: Answers, *, strict: bool) -> int:
    counts = answers.counts
    if (
        counts["unknown"]
        or counts[CONFLICT]
        or any(counts[state] for state in STATES if state != "created")
    ):
        return Exit.NOT_ALL
    return Exit.NOT_ALL if strict and counts["invalid"] else Exit.DONE


def _tell(
    answers: Answers,
    scope: Scope,
    reader: LedgerReader,
    output: str,
    written: int,
    *,
    as_json: bool,
) -> None:
    counts = answers.counts
    states = {name: counts[name] for name in STATES}
    beside = {
        name: counts[name] for name in ("duplicate", "invalid", "conflict", SUPPRESSED, "unknown")
    }
    if as_json:
        documents = {"read": counts.total(), "accepted": sum(states.values()), **beside, **states}
        outcomes = {name: answers.outcomes[name] for name in OUTCOMES}
        found = {**scope._asdict(), "documents": documents, "outcomes": outcomes, "output": output}
        found["written"] = written
        click.echo(json_line(found))
        return
    err = output == "-"
    if scope.campaign:
        click.echo(f"Answers of --campaign {plain(scope.campaign, 80)}", err=err)
    shown = {"created": counts["created"], **states, **beside}
    click.echo(paint(f"{format_count(counts.total(), 'row')}: {format_counts(shown)}"), err=err)
    for line in outcome_lines(answers.outcomes):
        click.echo(paint(line), err=err)
    if counts["unknown"] * 2 > counts.total() - counts["invalid"]:
        most = format_count(counts["unknown"], "row")
        click.echo(
            f"{most} of {counts.total():,} unknown: was the list sent with other flags? --map,"
            " --region, --id-prefix, --account and --campaign have to be the same",
            err=True,
        )
    if counts["unknown"] and not any(states.values()):
        others = [each for each in reader.ask(read_scopes()) if each != scope]
        known = f"; known are {flags_of(others)}" if others else ""
        click.echo(f"No row is known in {words_of(scope)}{known}", err=err)
    if not err:
        click.echo(f"{format_count(written, 'row')} written to {plain(output)}")
