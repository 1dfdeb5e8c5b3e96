"""A list as a body: kept on disk while it comes in, then read by the reader of lists.

So a body that breaks off enqueues nothing, and memory does not grow with it.
"""

from __future__ import annotations

import asyncio
import re
import tempfile
from collections import Counter
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, BinaryIO, Final, NamedTuple

import click

from callspool.errors import CallspoolError, InvalidCallRequest, QueueUnavailable
from callspool.redis_io.errors import transport_errors
from callspool.redis_io.servers import server_of
from callspool.request.checks import check_head, check_timely
from callspool_ledger import keys
from callspool_ledger.access import admit
from callspool_ledger.reads.reader import LedgerReader
from callspool_operators.lists import Intake, IntakeError, IntakeOptions
from callspool_operators.lists.columns import FIELDS, LEFT_OUT, NAME_PARTS
from callspool_operators.options import parsing
from callspool_operators.preparing.reading import TIMEOUT, Spooler
from callspool_operators.serving.admission import check_room, check_scope, wrong_shape
from callspool_operators.serving.bodies import DUPLICATE, INVALID, RefusedRow, UploadReply
from callspool_operators.serving.problems import Problem, problem_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping, Sequence

    from callspool.request.call_request import CallRequest, CheckedEnvelope, Rules
    from callspool.settings import Settings
    from callspool_operators.lists import Row
    from callspool_operators.serving.admission import Caller

FORMATS: Final = {
    "application/x-ndjson": "rows.ndjson",
    "application/jsonl": "rows.ndjson",
    "text/csv": "rows.csv",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "rows.xlsx",
}
"""Media types that are read, and the name by which the reader of lists knows the format."""

MOST_RECEIVED: Final = 32
MOST_OF_A_KEY: Final = 4
"""Lists of all keys, and of one, that come in or are read at a time."""
CHUNK: Final = 500
UNKNOWN_COUNTRY: Final = (
    "contact_number: has no country code: add region=IN (its country), or numbers_as_they_are=true"
)
_AS_PARAMETERS: Final = (
    (re.compile(r"with --map "), "with map="),
    (re.compile(r"--sheet reads"), "sheet=NAME reads"),
    (re.compile(r" \(--encoding [\w-]+\)"), ""),
    (
        re.compile(r": [^:]*--(encoding|dry-run).*", re.DOTALL),
        ": save it as UTF-8, or name its encoding, such as encoding=cp1252",
    ),
    (re.compile(r"--skip-if"), "skip_if"),
    (re.compile(r"--map"), "map"),
)
"""Options that a text for the command line names, and the parameters that they are here."""
MOST_REFUSED: Final = 1_000
COMPARED_BYTES: Final = 32 * 1024 * 1024
"""Rows of a larger body are not compared with each other: that takes memory for each of them."""
MOST_OF_A_SHEET: Final = 16 * 1024 * 1024
"""Bytes of a spreadsheet, which is held in memory."""
SHEET_MAGIC: Final = b"PK\x03\x04"
_BLOCK: Final = 1024 * 1024
_SLOWEST: Final = 16 * 1024
"""Bytes a second that a body has to come with, after the first minute."""
_FIRST_MINUTE: Final = 60.0
_SILENCE: Final = 30.0


class ListOptions(NamedTuple):
    """How a list is read, in the meanings of `callspool send`."""

    columns: Mapping[str, str]
    skip_if: Sequence[str]
    codec: str | None
    sheet: str | None
    shares_numbers: bool
    takes_unknown_countries: bool


def read_columns(given: Sequence[str]) -> dict[str, str]:
    """Reads fields of columns, each as ``COLUMN=FIELD``; raises `Problem`."""
    try:
        return parsing.read_columns(given)
    except click.BadParameter:
        fields = ", ".join((*FIELDS, *NAME_PARTS))
        raise Problem(
            "wrong-shape",
            f"map: has to be COLUMN=FIELD, once for a column and a field, with one of {fields}, or"
            f" {LEFT_OUT} to leave the column out",
        ) from None


def read_encoding(given: str | None) -> str | None:
    """Reads the name of an encoding; raises `Problem`."""
    try:
        return None if given is None else parsing.read_encoding(given)
    except click.BadParameter:
        raise Problem(
            "wrong-shape", "encoding: is none of text, such as utf-8, cp1252 or mac_roman"
        ) from None


class Upload(NamedTuple):
    """What a caller says of a list: what its documents are for, and how they are read."""

    envelope: CheckedEnvelope
    rules: Rules
    name: str
    options: ListOptions


def describe_upload(
    asked: CallRequest,
    caller: Caller,
    rules: Rules,
    options: ListOptions,
    *,
    content_type: str,
    now: float,
) -> Upload:
    """Checks all that is known before the body is read; raises `Problem`."""
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type not in FORMATS:
        raise Problem("media-type", f"send one of {', '.join(FORMATS)}")
    try:
        envelope = check_head(asked, rules)
        check_scope(caller.key, envelope.scope)
        check_timely(envelope, now)
    except InvalidCallRequest as fault:
        raise wrong_shape(fault) from None
    return Upload(envelope, rules, FORMATS[media_type], options)


class ReceivingPlaces:
    """Lists, or what else takes a while, at a time: a key has a few places, all have some more."""

    def __init__(self, most: int = MOST_RECEIVED, most_of_a_key: int = MOST_OF_A_KEY) -> None:
        self._most = most
        self._most_of_a_key = most_of_a_key
        self._taken: Counter[str] = Counter()

    @contextmanager
    def place_of(self, key: str) -> Iterator[None]:
        """Holds a place of the key with this name; raises `Problem` if there is none."""
        if self._taken[key] >= self._most_of_a_key or self._taken.total() >= self._most:
            raise Problem("busy", "others of this kind are going on: try again", retry_after=5)
        self._taken[key] += 1
        try:
            yield
        finally:
            self._taken[key] -= 1
            self._taken += Counter()  # forgets names that hold none


async def receive_body(stream: AsyncIterator[bytes], file: BinaryIO, most: int) -> int:
    """Writes a body to a file as it comes; returns its size, raises `Problem` if it is too much."""
    loop = asyncio.get_running_loop()
    began, size, block = loop.time(), 0, bytearray()
    try:
        async with asyncio.timeout(_SILENCE) as silence:
            async for chunk in stream:
                size += len(chunk)
                if size > most:
                    raise Problem("too-large", f"at most {most:,} bytes: send the list in parts")
                slowest = began + _FIRST_MINUTE + size / _SLOWEST
                silence.reschedule(min(loop.time() + _SILENCE, slowest))
                block += chunk
                if len(block) >= _BLOCK:
                    await asyncio.to_thread(file.write, bytes(block))
                    block.clear()
    except TimeoutError:
        raise Problem("too-slow", "the body came too slowly: nothing of it was enqueued") from None
    await asyncio.to_thread(file.write, bytes(block))
    return size


def open_place() -> BinaryIO:
    """Returns a file without a name, gone when it is closed, for what may be personal data."""
    return tempfile.TemporaryFile("w+b", buffering=0)


class _EnqueuedRows:
    """Puts the good rows of one upload into the queue, as fast as the key may."""

    def __init__(
        self, settings: Settings, upload: Upload, caller: Caller, stack: ExitStack
    ) -> None:
        first = server_of(settings.redis_url, TIMEOUT).at(keys.prefix())
        self._reader = LedgerReader(stack.enter_context(first.client()))
        self._spooler = stack.enter_context(Spooler(settings, upload.envelope, caller.key.name))
        self._caller = caller
        limits = [most for most in (caller.key.per_minute, caller.key.per_day) if most]
        self._is_limited = bool(limits)
        self._most = min([CHUNK, *limits])
        self._waiting: list[bytes] = []
        self._charged = 0
        self.done = 0
        """Rows of the body behind which nothing waits to be charged."""

    @property
    def enqueued(self) -> int:
        return self._spooler.enqueued

    def add(self, document: bytes, row: int) -> None:
        """Takes the document of the row that is the ``row``-th of the body."""
        self._waiting.append(document)
        if len(self._waiting) >= self._most:
            self.flush(row)

    def flush(self, row: int) -> None:
        """Charges and hands on what waits; all rows up to ``row`` are done then."""
        some, self._waiting = self._waiting, []
        if some:  # also where nothing is charged: the key may have been revoked since
            found = self._reader.ask(
                admit(self._caller.secret, len(some) if self._is_limited else 0)
            )
            check_room(found, self._caller.key.name)
            self._charged += len(some)
        if some:
            self._spooler.add(some)
        self.done = row

    def store(self) -> None:
        self._spooler.store()

    def give_back(self) -> None:
        """Gives back what was charged for rows that Redis did not take."""
        left = self._charged - self.enqueued
        if left > 0 and self._is_limited:
            with suppress(QueueUnavailable, *transport_errors()):
                self._reader.ask(admit(self._caller.secret, -left))


def enqueue_rows(
    settings: Settings, upload: Upload, caller: Caller, file: BinaryIO, size: int
) -> UploadReply:
    """Reads a list and puts its good rows into the queue, in a thread; raises `Problem`.

    Where the key's rate or the queue ends it, ``rows`` of the problem are done.
    """
    if size > COMPARED_BYTES and not upload.options.shares_numbers:
        raise Problem(
            "too-large",
            f"rows of more than {COMPARED_BYTES:,} bytes are not compared with each other: send"
            " the list in parts, or add shared_numbers=true if a number may come twice",
        )
    file.seek(0)
    if size > MOST_OF_A_SHEET and file.read(4) == SHEET_MAGIC:
        raise Problem(
            "too-large", f"a spreadsheet has at most {MOST_OF_A_SHEET:,} bytes: save it as CSV"
        )
    options = IntakeOptions(
        rules=upload.rules,
        columns=upload.options.columns,
        skip_if=upload.options.skip_if,
        codec=upload.options.codec,
        sheet=upload.options.sheet,
        allow_shared_numbers=upload.options.shares_numbers,
        compares_rows=not upload.options.shares_numbers,
        is_foreign=True,
    )
    intake = Intake([upload.name], options, streams={upload.name: file})
    refused: list[RefusedRow] = []
    with ExitStack() as stack:
        rows = _EnqueuedRows(settings, upload, caller, stack)
        try:
            unknown = _put_rows(intake, rows, refused, upload)
        except IntakeError as fault:
            raise Problem(
                "wrong-shape", _without_name(fault, upload.name), enqueued=rows.enqueued
            ) from None
        except (CallspoolError, Problem) as fault:
            rows.give_back()
            found = problem_of(fault)
            found.enqueued, found.rows = rows.enqueued, rows.done
            raise found from None
        enqueued = rows.enqueued
    counts = intake.counts
    invalid = counts.invalid + unknown
    return UploadReply(counts.read, enqueued, counts.duplicate, invalid, refused)


def _put_rows(
    intake: Intake, rows: _EnqueuedRows, refused: list[RefusedRow], upload: Upload
) -> int:
    """Puts every good row in; returns how many were left out for their unknown country.

    What was charged is stored also when the next row finds no room.
    """
    unknown = 0
    try:
        for row in intake:
            if row.good and (upload.options.takes_unknown_countries or not row.without_country):
                rows.add(row.raw, intake.counts.read)
                continue
            unknown += row.good
            if len(refused) < MOST_REFUSED:
                refused.append(_describe_refusal(row))
        rows.flush(intake.counts.read)
    finally:
        rows.store()
    return unknown


def _describe_refusal(row: Row) -> RefusedRow:
    if row.good:
        return RefusedRow(row.line, INVALID, UNKNOWN_COUNTRY)
    verdict = DUPLICATE if row.duplicate is not None else INVALID
    return RefusedRow(row.line, verdict, _as_parameters(row.verdict))


def _without_name(fault: IntakeError, name: str) -> str:
    return _as_parameters(str(fault).replace(name, "the body"))


def _as_parameters(text: str) -> str:
    for option, instead in _AS_PARAMETERS:
        text = option.sub(instead, text)
    return text
