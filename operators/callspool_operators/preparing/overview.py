"""What is shown before sending: the files, their rows (masked), and what the ledger knows."""

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from callspool.request.call_request import CheckedEnvelope
from callspool_operators.lists import READ_AS, FileView, Intake, Likeness, Row
from callspool_operators.lists.columns import ALTERNATE, CONTACT_NUMBER, SPELLINGS, squash
from callspool_operators.lists.formats import speaking
from callspool_operators.options.known_already import KnownAlready
from callspool_operators.options.options import SendOptions
from callspool_operators.options.target import SendTarget
from callspool_operators.preparing.forecast import HoursForecast
from callspool_operators.terminal.wording import format_count, local_of, plain, shorten_token

_FIRST_LINE = 200
_DIGIT = re.compile(r"\d")
_NUMBERS = frozenset({*SPELLINGS[CONTACT_NUMBER], *SPELLINGS[ALTERNATE]})
_INTERNATIONAL = re.compile(r"(\+|00)[\d\s().-]{6,}")
SHOWN_DIGITS = 4


def mask(number: str) -> str:
    """Returns a phone number of which only the last digits can be read."""
    hidden = len(_DIGIT.findall(number)) - SHOWN_DIGITS
    return _DIGIT.sub("•", number, count=hidden) if hidden > 0 else number


def masked_document(raw: bytes) -> dict[str, object]:
    """Returns the fields of a document, its phone numbers masked."""
    fields: dict[str, object] = msgspec.json.decode(raw)
    return {
        name: mask(value) if isinstance(value, str) and _is_number(name, value) else value
        for name, value in fields.items()
    }


def _is_number(name: str, value: str) -> bool:
    """Whether a field holds a phone number: a file may have more of them than the API takes."""
    return squash(name) in _NUMBERS or bool(_INTERNATIONAL.fullmatch(value.strip()))


def document_lines(raw: bytes) -> list[str]:
    """Returns a document, a field a line, its phone numbers masked."""
    fields = masked_document(raw)
    shown = {name: plain(name, 60) for name in fields}
    width = max(map(len, shown.values()))
    return [f"{shown[name]:<{width}}  {_on_one_line(value)}" for name, value in fields.items()]


def _on_one_line(value: object) -> str:
    return plain(value if isinstance(value, str) else msgspec.json.encode(value).decode(), 100)


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
    """Returns names with letters beyond ASCII as they are sent: a wrong encoding shows in them."""
    if not intake.lettered_names:
        return []
    names = ", ".join(plain(name, 60) for name in intake.lettered_names)
    return [f"  names as they are sent: {names} (if that is wrong: --encoding NAME)"]


def encoding_lines(intake: Intake) -> list[str]:
    """Returns files that were read in another encoding than UTF-8, with names from them."""
    if not intake.encodings:
        return []
    read = ", ".join(f"{plain(name)} as {how}" for name, how in intake.encodings.items())
    return [f"  read {read}", *letter_lines(intake)]


def held_back_in_short(intake: Intake, options: SendOptions) -> list[str]:
    """Returns what was put right, kinds of duplicates, and where all rows are that do not go on."""
    return [
        *encoding_lines(intake),
        *_healed_lines(intake),
        *_likeness_lines(intake),
        *_where(intake.counts.duplicate, "--duplicates", options.duplicates),
        *_where(intake.counts.invalid, "--rejects", options.rejects),
    ]


def held_back_json(intake: Intake) -> dict[str, object]:
    """Returns the same for scripts."""
    return {
        "without_country": intake.counts.without_country,
        "encodings": dict(intake.encodings),
        "notes_left_out": intake.counts.notes,
        "second_numbers": intake.counts.second_numbers,
        "other_columns": intake.counts.other_columns,
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
    if counts.other_columns:
        rows = format_count(counts.other_columns, "row")
        lines.append(f"  {rows} without a number of their own: that of another column is called")
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
        return [f"  {flag.removeprefix('--')}, as they are, with line and reason: {path}"]
    return [f"  ({flag} FILE keeps them as they are, with line and reason)"]


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


Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class Overview:
    """Files before they are sent.

    ``was_read``: whether ``intake`` went through them. ``known``: what the ledger knows of their
    documents; None where it was not asked.
    """

    files: Sequence[FileView]
    intake: Intake
    was_read: bool = False
    first: Row | None = None
    known: KnownAlready | None = None
    forecast: HoursForecast | None = None

    def short_lines(self, target: SendTarget, options: SendOptions) -> list[str]:
        """Returns what a person is to know before the question."""
        return [
            *self._mapping_lines(),
            *self._speaking_lines(options),
            *self._count_lines(options),
            *self._known_lines(target),
            *self._first_line(),
            _target_line(target.envelope),
        ]

    def lines(self, target: SendTarget, options: SendOptions) -> list[str]:
        """Returns the same, with all of the target and the first document as it will look."""
        return [
            *self._mapping_lines(),
            *self._speaking_lines(options),
            *self._count_lines(options),
            *self._known_lines(target),
            *_target_lines(target),
            *self._first_lines(),
        ]

    def to_json(self, target: SendTarget) -> Json:
        """For scripts."""
        counts = self.intake.counts
        return {
            "dry_run": True,
            "documents": {
                "read": counts.read,
                "enqueued": 0,
                "valid": counts.good,
                "duplicate": counts.duplicate,
                "invalid": counts.invalid,
            },
            "healed": counts.healed,
            **held_back_json(self.intake),
            "files": [
                {
                    "name": file.name,
                    "format": file.format,
                    "columns": dict(file.renamed),
                    "extra": [*file.extra],
                    "lines_above": [*file.titles],
                }
                for file in self.files
            ],
            "target": _target(target),
            "lettered_names": self.intake.lettered_names,
            "first_document": masked_document(self.first.raw) if self.first else None,
            "known": self.known.to_json() if self.known else None,
            "hours": self.forecast.to_json() if self.forecast else None,
        }

    def _mapping_lines(self) -> list[str]:
        """Which format each file was found to be in, and which columns become which fields."""
        lines = []
        for file in self.files:
            pairs = ", ".join(f"{plain(header, 60)} → {field}" for header, field in file.renamed)
            lines.append(f"{plain(file.name)} ({file.format}){': ' if pairs else ''}{pairs}")
            if file.titles:
                above = format_count(len(file.titles), "line")
                lines.append(f"  {above} above the names of the columns: {_some(file.titles, 3)}")
            if not file.has_ids:
                lines.append("  no column of ids: made from the numbers")
            if file.extra:
                lines.append(f"  extra fields, as they are: {_some(file.extra)}")
        return lines

    def _speaking_lines(self, options: SendOptions) -> list[str]:
        """Columns that may say that a row must not be called, and how to heed them."""
        headers = [header for file in self.files for header in file.extra]
        return [
            f"  {plain(header, 60)} does not keep a row from being called:"
            f" --skip-if {shlex.quote(plain(header, 60))} leaves out rows in which it is set"
            for header in dict.fromkeys(speaking(headers))
            if squash(header) not in map(squash, options.skip_if)
        ]

    def _count_lines(self, options: SendOptions) -> list[str]:
        counts = self.intake.counts
        if not self.was_read:
            return ["An unknown number of documents: the input can be read only once."]
        if not counts.read:
            return ["No rows: there is nothing to send."]
        parts = [format_count(counts.good, "document")]
        parts += [f"{counts.duplicate:,} duplicate in the files"] if counts.duplicate else []
        parts += [f"{counts.invalid:,} invalid"] if counts.invalid else []
        lines = [f"{format_count(counts.read, 'row')}: {', '.join(parts)}"]
        if counts.good == options.limit:
            lines.append(f"  not read any further (--limit {options.limit:,})")
        return [*lines, *letter_lines(self.intake), *held_back_lines(self.intake, options)]

    def _known_lines(self, target: SendTarget) -> list[str]:
        if self.known is not None:
            return [*self.known.lines(), *(self.forecast.lines() if self.forecast else [])]
        if target.missing or not self.was_read:
            return []
        return ["No ledger answered that could know them."]

    def _first_line(self) -> list[str]:
        if self.first is None:
            return []
        pairs = (" ".join(line.split()) for line in document_lines(self.first.raw))
        return [f"First: {plain(', '.join(pairs), _FIRST_LINE)}"]

    def _first_lines(self) -> list[str]:
        if self.first is None:
            return []
        return ["First document", *(f"  {line}" for line in document_lines(self.first.raw))]


def _some(headers: Sequence[str], most: int = 12) -> str:
    more = len(headers) - most
    shown = ", ".join(plain(header, 40) for header in headers[:most])
    return f"{shown} and {more:,} more" if more > 0 else shown


def _target(target: SendTarget) -> Json:
    found = msgspec.to_builtins(target.envelope, enc_hook=str)
    assert isinstance(found, dict)
    shown = {**found, "space_token": shorten_token(target.envelope.space_token)}
    return shown | dict.fromkeys(target.missing)


def _target_line(envelope: CheckedEnvelope) -> str:
    parts = [
        f"space {shorten_token(envelope.space_token)}",
        f"pilot {plain(envelope.pilot, 80)}",
        f"account {envelope.account}",
        f"context {plain(envelope.context, 80)}",
    ]
    if envelope.expires_at is not None:
        parts.append(f"expires {local_of(envelope.expires_at)}")
    return f"To {', '.join(parts)}"


def _target_lines(target: SendTarget) -> list[str]:
    envelope = target.envelope
    rows = [
        ("space", "space_token", shorten_token(envelope.space_token)),
        ("pilot", "pilot", plain(envelope.pilot, 80)),
        ("context", "context", plain(envelope.context, 80)),
        ("schedule", "schedule", " ".join(envelope.schedule.values())),
        ("campaign", "campaign", plain(envelope.campaign, 80) or "(none)"),
        ("account", "account", envelope.account),
    ]
    if envelope.expires_at is not None:
        rows.append(("expires", "expires", local_of(envelope.expires_at)))
    shown = [
        f"  {name:<8}  {'(not given)' if field in target.missing else value}"
        for name, field, value in rows
    ]
    return ["To be sent to", *shown]
