"""What is asked before sending: of which country numbers are, and whether to go on."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from urllib.parse import urlsplit

import click
import msgspec

from callspool.errors import CallspoolError
from callspool.request.call_request import CheckedEnvelope
from callspool.request.checks import Rules
from callspool_ledger.reads.reader import LedgerReader
from callspool_operators.lists import COUNTRY_REMEDY, READ_AS, IntakeError
from callspool_operators.lists.formats import Rows, open_rows
from callspool_operators.lists.intake import Intake, IntakeOptions
from callspool_operators.lists.source import Source
from callspool_operators.lists.table_rows import TableRows
from callspool_operators.options.known_already import KnownLookup
from callspool_operators.options.options import SendOptions
from callspool_operators.options.target import SendTarget
from callspool_operators.preparing.forecast import forecast_for
from callspool_operators.preparing.overview import Overview
from callspool_operators.preparing.reading import examine, intake_options, new_intake
from callspool_operators.terminal import screen
from callspool_operators.terminal.report import COUNTS
from callspool_operators.terminal.wording import format_count, json_line, plain


class _UnknownNumber(msgspec.Struct):
    contact_number: str = ""


_decode = msgspec.json.Decoder(_UnknownNumber).decode


class CountriesUnknown(msgspec.Struct, frozen=True):
    """Good rows whose numbers have no country code, among all good rows, and the first of them."""

    numbers: int
    good: int
    file: str
    line: int


def find_unknown_countries(files: Sequence[str], options: IntakeOptions) -> CountriesUnknown | None:
    """Looks through files that can be read again.

    Files in which each number plainly begins with a ``+`` cost a twentieth of reading them in full.
    """
    if options.rules.region is not None or not _may_lack_countries(files, options.columns):
        return None
    intake = Intake(files, replace(options, memory=None))
    first = None
    with suppress(IntakeError):  # what can be read of a torn file is sent
        for row in intake:
            if first is None and row.good and row.without_country:
                first = row
    if first is None:
        return None
    counts = intake.counts
    return CountriesUnknown(counts.without_country, counts.good, first.file, first.line)


def _may_lack_countries(files: Sequence[str], chosen: Mapping[str, str]) -> bool:
    try:
        return not all(_have_a_plus(name, chosen) for name in files)
    except IntakeError:
        return True


def _have_a_plus(name: str, chosen: Mapping[str, str]) -> bool:
    with Source(name) as source:
        rows = open_rows(source, chosen)
        if isinstance(rows, TableRows) and rows.every_number_has_a_plus():
            return True
    with Source(name) as source:
        return all(number[:1] == "+" for number in _numbers_of(open_rows(source, chosen)))


def _numbers_of(rows: Rows) -> Iterator[str]:
    """The numbers of a file as they are written; of a bad row, maybe none."""
    if isinstance(rows, TableRows):
        yield from filter(None, rows.number_cells())
        return
    for row in rows:
        try:
            yield _decode(row.raw).contact_number
        except msgspec.MsgspecError:
            continue


class CountryUnknown(CallspoolError):  # noqa: N818 - says what is the matter
    """Numbers of a list may be of any country; the text says what to do."""


def check_countries(options: SendOptions, rules: Rules) -> None:
    """Raises `CountryUnknown` where numbers need a country and nobody is there to be asked.

    Standard input and pipes cannot be looked through before: `Intake` stops there itself.
    """
    is_asked = screen.is_there() and not options.yes
    if is_asked or options.numbers_as_they_are or rules.region is not None:
        return
    if not new_intake(options, rules).can_be_read_again:
        return
    found = find_unknown_countries(options.files, intake_options(options, rules))
    if found is None:
        return
    if options.as_json:
        documents = dict.fromkeys((*COUNTS, "enqueued"), 0)
        click.echo(json_line({"documents": documents, "without_country": found.numbers}))
    raise CountryUnknown(_words(found, several=len(options.files) > 1))


def _words(found: CountriesUnknown, *, several: bool) -> str:
    verb = "has" if found.numbers == 1 else "have"
    where = f"{plain(found.file)}, line" if several else "line"
    all_numbers = format_count(found.good, "number")
    return (
        f"{found.numbers:,} of {all_numbers} {verb} no country code (the first on"
        f" {where} {found.line:,}): the platform reads each {READ_AS}; {COUNTRY_REMEDY};"
        " nothing was sent"
    )


def ask_before_sending(
    options: SendOptions, target: SendTarget, reader: LedgerReader, api_url: str, *, drains: bool
) -> bool:
    """Whether to go on: asks where a person sees and can answer, unless ``--yes`` was given.

    What the files hold is read first, where they can be read twice. What is said goes to stderr
    if a person sees that, since stdout may be for scripts. ``api_url``: empty where only workers
    know it. ``drains``: what waits in the ledger goes out with these documents.
    """
    if options.yes or not screen.is_there():
        return True
    intake = new_intake(options, target.rules)
    overview = look(intake, target, reader, again=options.again)
    for line in overview.short_lines(target, options):
        click.echo(line, err=sys.stderr.isatty())
    calls = _calls_of(overview, options.new, drains=drains)
    return not calls or screen.agrees(_question(calls, target.envelope, api_url))


def _calls_of(overview: Overview, quota: int | None, *, drains: bool) -> str:
    """How many contacts the command would call, in words; empty where there are certainly none."""
    known, good = overview.known, overview.intake.counts.good
    waiting = known.waiting_in_all + known.spooled if drains and known else 0
    if known and known.is_complete and overview.was_read:
        number, about = known.new + (0 if quota else known.anew), ""
    else:
        number, about = good, "up to "
    if quota is not None:
        number = min(number, quota)
    parts = [f"{about}{number:,} new"] if number else []
    if not overview.was_read:
        parts = [f"up to {quota:,} new" if quota else "all new"]
    if waiting:
        parts.append(f"{waiting:,} waiting")
    contacts = "contact" if number + waiting == 1 else "contacts"
    return f"{' and '.join(parts)} {contacts}" if parts else ""


def _question(calls: str, envelope: CheckedEnvelope, api_url: str) -> str:
    """``Call 2,756 new and 15,700 waiting contacts by https://unpod.ai now?``"""
    kind, *when = envelope.schedule.values()
    by = host_of(api_url) if api_url else f"the account {envelope.account}"
    moment = "now" if kind == "now" else " ".join(["with schedule", kind, *when])
    campaign = f", campaign {plain(envelope.campaign, 80)}" if envelope.campaign else ""
    return f"Call {calls} by {by} {moment}{campaign}?"


def host_of(url: str) -> str:
    """Returns the part of a URL that says whose it is: ``https://unpod.ai``."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def look(
    intake: Intake,
    target: SendTarget,
    reader: LedgerReader | None,
    *,
    even_once: bool = False,
    again: bool = False,
) -> Overview:
    """Reads the files, and asks the ledger, where there is one, for their documents.

    ``even_once``: also what can be read only once. ``again``: as of `KnownLookup`. Raises
    `IntakeError`.
    """
    files = intake.inspect()
    if not (even_once or intake.can_be_read_again):
        return Overview(files, intake)
    looking = forecast = None
    if reader is not None and not target.missing:
        forecast = forecast_for(reader, target.envelope)
        heard = forecast.suppress if forecast else None
        looking = KnownLookup(reader, target.envelope, again=again, on_listed=heard)
    see, count = looking.add if looking else None, forecast.add if forecast else None
    first = examine(intake, see, count)
    known = looking.collect() if looking else None
    return Overview(files, intake, was_read=True, first=first, known=known, forecast=forecast)
