"""The look at the files before anything is sent, and the question whether to send them."""

import sys

import click

from callspool_ledger.reads.reader import LedgerReader
from callspool_operators.lists import Intake
from callspool_operators.options.known_already import KnownLookup
from callspool_operators.options.options import SendOptions
from callspool_operators.options.target import SendTarget
from callspool_operators.sending.overview import Overview
from callspool_operators.sending.reading import examine, new_intake
from callspool_operators.terminal import person


def ask_before_sending(options: SendOptions, target: SendTarget, reader: LedgerReader) -> bool:
    """Whether to go on: asks where a person sees and can answer, unless ``--yes`` was given.

    What the files hold is read first, where they can be read twice. What is said goes to stderr
    if a person sees that, since stdout may be for scripts.
    """
    if options.yes or not person.is_there():
        return True
    intake = new_intake(options, target.rules)
    overview = look(intake, target, reader)
    for line in overview.lines(target.envelope, options):
        click.echo(line, err=sys.stderr.isatty())
    if overview.was_read and not intake.counts.good:
        return True
    return person.agrees("Send them?")


def look(
    intake: Intake, target: SendTarget, reader: LedgerReader | None, *, even_once: bool = False
) -> Overview:
    """Reads the files, and asks the ledger, where there is one, for their documents.

    ``even_once``: also what can be read only once. Raises `IntakeError`.
    """
    files = intake.inspect()
    if not (even_once or intake.can_be_read_again):
        return Overview(files, intake)
    looking = None if reader is None else KnownLookup(reader, target.envelope)
    first = examine(intake, looking.add if looking else None)
    known = looking.collect() if looking else None
    return Overview(files, intake, was_read=True, first=first, known=known)
