"""What is about to be sent, shown to the person who starts it, and the question whether to."""

import sys
from collections.abc import Sequence

import click

from callspool.call_request import CheckedEnvelope
from callspool.cli.options import SendOptions
from callspool.cli.progress import is_terminal
from callspool.cli.reading import examine, new_intake, refused_lines
from callspool.cli.target import Target
from callspool.cli.times import local_of
from callspool.cli.wording import counted, document_lines, plain, shortened
from callspool.intake import FileView, Intake, Row


def agreed(options: SendOptions, target: Target) -> bool:
    """Whether to go on: asks on a terminal, unless ``--yes`` was given.

    What the files hold is read first, where they can be read twice. What is said goes to stderr
    if a person sees that, since stdout may be for scripts.
    """
    if options.yes or not (is_terminal(sys.stdin) and is_terminal(sys.stdout)):
        return True
    intake = new_intake(options, target.rules)
    files = intake.inspect()
    first = examine(intake) if intake.can_be_read_again else None
    err = is_terminal(sys.stderr)
    for line in offer(files, intake, first, target.envelope, options):
        click.echo(line, err=err)
    return click.confirm("Send them?", err=err)


def offer(
    files: Sequence[FileView],
    intake: Intake,
    first: Row | None,
    envelope: CheckedEnvelope,
    options: SendOptions,
) -> list[str]:
    """What the files hold, what will be sent where, and the first document as it will look."""
    return [
        *_mapping_lines(files),
        *_count_lines(intake, options),
        *_target_lines(envelope),
        *_first_lines(first),
    ]


def _mapping_lines(files: Sequence[FileView]) -> list[str]:
    """Which format each file was found to be in, and which columns become which fields."""
    lines = []
    for file in files:
        pairs = ", ".join(f"{plain(header, 60)} → {field}" for header, field in file.renamed)
        lines.append(f"{plain(file.name)} ({file.format}){': ' if pairs else ''}{pairs}")
    return lines


def _count_lines(intake: Intake, options: SendOptions) -> list[str]:
    counts = intake.counts
    if not counts.read:
        return ["An unknown number of documents: the input can be read only once."]
    parts = [counted(counts.read, "row"), counted(counts.good, "document")]
    parts += [f"{counts.duplicate:,} duplicate in the files"] if counts.duplicate else []
    parts += [f"{counts.invalid:,} invalid"] if counts.invalid else []
    lines = [": ".join([parts[0], ", ".join(parts[1:])])]
    if counts.healed:
        healed = counted(counts.healed, "number")
        lines.append(f"  {healed} written as a spreadsheet does (…210.0) put right")
    return lines + refused_lines(intake, options)


def _target_lines(envelope: CheckedEnvelope) -> list[str]:
    schedule = " ".join(envelope.schedule.values())
    rows = [
        ("space", shortened(envelope.space_token)),
        ("pilot", plain(envelope.pilot, 80)),
        ("context", plain(envelope.context, 80)),
        ("schedule", schedule),
        ("campaign", plain(envelope.campaign, 80) or "(none)"),
        ("account", envelope.account),
    ]
    if envelope.expires_at is not None:
        rows.append(("expires", local_of(envelope.expires_at)))
    return ["To be sent to", *(f"  {name:<8}  {value}" for name, value in rows)]


def _first_lines(first: Row | None) -> list[str]:
    if first is None:
        return []
    return ["First document", *(f"  {line}" for line in document_lines(first.raw))]
