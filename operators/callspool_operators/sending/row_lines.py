"""The rows of files that do not go on, as people and scripts are told of them."""

from collections.abc import Sequence

from callspool_operators.lists import Intake, Likeness, Row
from callspool_operators.lists.errors import READ_AS
from callspool_operators.options.options import SendOptions
from callspool_operators.terminal.wording import format_count, plain

_SHARED = "--allow-shared-numbers sends these, too"


def held_back_lines(intake: Intake, options: SendOptions) -> list[str]:
    """Duplicates and refused rows: why, the first of each, and where all are; nothing if none."""
    duplicates = _first(intake.first_duplicates, intake.counts.duplicate, options)
    refused = _first(intake.first_faults, intake.counts.invalid, options)
    return [
        *_healed_lines(intake),
        *_likeness_lines(intake),
        *duplicates,
        *_where(intake.counts.duplicate, "--duplicates", options.duplicates),
        *refused,
        *_where(intake.counts.invalid, "--rejects", options.rejects),
    ]


def letter_lines(intake: Intake) -> list[str]:
    """Names with letters beyond ASCII as they are sent, since a wrong encoding shows in them."""
    if not intake.lettered_names:
        return []
    names = ", ".join(plain(name, 60) for name in intake.lettered_names)
    return [f"  names as they are sent: {names} (if that is wrong: --encoding NAME)"]


def encoding_lines(intake: Intake) -> list[str]:
    """Files that were read in another encoding than UTF-8, with names from them."""
    if not intake.encodings:
        return []
    read = ", ".join(f"{plain(name)} as {how}" for name, how in intake.encodings.items())
    return [f"  read {read}", *letter_lines(intake)]


def held_back_in_short(intake: Intake, options: SendOptions) -> list[str]:
    """What was put right, kinds of duplicates, and where all rows are that do not go on."""
    return [
        *encoding_lines(intake),
        *_healed_lines(intake),
        *_likeness_lines(intake),
        *_where(intake.counts.duplicate, "--duplicates", options.duplicates),
        *_where(intake.counts.invalid, "--rejects", options.rejects),
    ]


def held_back_json(intake: Intake) -> dict[str, object]:
    """The same for scripts."""
    return {
        "without_country": intake.counts.without_country,
        "encodings": dict(intake.encodings),
        "notes_left_out": intake.counts.notes,
        "second_numbers": intake.counts.second_numbers,
        "duplicates": {one.name.lower(): intake.likenesses[one] for one in Likeness},
        "duplicate_rows": [_row_json(row) for row in intake.first_duplicates],
        "invalid_reasons": dict(intake.faults.most_common()),
        "invalid_rows": [_row_json(row) for row in intake.first_faults],
    }


def _healed_lines(intake: Intake) -> list[str]:
    counts, lines = intake.counts, []
    if counts.healed:
        who = "a spreadsheet (…210.0) or an address book (invisible signs)"
        lines.append(f"  {format_count(counts.healed, 'number')} put right that {who} had changed")
    if counts.notes:
        cells = format_count(counts.notes, "number")
        lines.append(f"  {cells} with a note behind: the note is left out")
    if counts.without_country:
        cells = format_count(counts.without_country, "number")
        lines.append(
            f"  {cells} without a country code: the platform reads each {READ_AS}"
            " (--region names the country)"
        )
    if counts.second_numbers:
        cells = format_count(counts.second_numbers, "cell")
        lines.append(f"  {cells} with two numbers: the second became alternate_number")
    return lines


def _likeness_lines(intake: Intake) -> list[str]:
    return [
        f"  {number:,} duplicate: {likeness.value}"
        f"{f' ({_SHARED})' if likeness is Likeness.NUMBER else ''}"
        for likeness, number in intake.likenesses.most_common()
    ]


def _where(rows: int, flag: str, path: str | None) -> list[str]:
    if not rows:
        return []
    if path:
        return [f"  {flag.removeprefix('--')}, with line, reason and row: {path}"]
    return [f"  ({flag} FILE keeps them with line, reason and row)"]


def _first(rows: Sequence[Row], number: int, options: SendOptions) -> list[str]:
    several = len(options.files) > 1
    lines = [
        f"  {plain(row.file) + ', ' if several else ''}line {row.line:,}: {row.verdict}"
        for row in rows
    ]
    more = number - len(lines)
    return [*lines, f"  and {more:,} more"] if more else lines


def _row_json(row: Row) -> dict[str, object]:
    found: dict[str, object] = {"file": row.file, "line": row.line, "reason": row.verdict}
    if row.earlier is not None:
        found |= {"of_file": row.earlier.file, "of_line": row.earlier.line}
    return found
