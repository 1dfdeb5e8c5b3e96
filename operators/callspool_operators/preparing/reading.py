"""Reads the files of a command, puts their documents into the queue, and notes how it read them."""

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path
from typing import Self

import msgspec

from callspool.enqueue.connections import PartitionConnections, Partitioning
from callspool.enqueue.receipts import EnqueueTally, Portion
from callspool.errors import QueueUnavailable
from callspool.redis_io.errors import describe, transport_errors
from callspool.redis_io.scripts import run
from callspool.redis_io.servers import RedisEndpoint, server_of
from callspool.request.call_request import CheckedEnvelope, PreparedRequest
from callspool.request.checks import Rules
from callspool.request.identity import digester, number_digests, read_document_ids
from callspool.request.message import encode
from callspool.request.raw_document import read_number
from callspool.settings import Settings
from callspool_ledger.keys import PartitionKeys
from callspool_ledger.steering.calls import SteeringCalls
from callspool_operators.lists import (
    Intake,
    IntakeError,
    IntakeOptions,
    RejectsFile,
    Row,
    UnknownCountry,
)
from callspool_operators.options.known_already import Newcomers
from callspool_operators.options.options import SendOptions
from callspool_operators.terminal.screen import Progress
from callspool_operators.terminal.wording import format_count

CHUNK = 500
"""Documents handed on together."""


@contextmanager
def open_intake(options: SendOptions, rules: Rules, *, is_sent: bool = False) -> Iterator[Intake]:
    """The rows of the command's files; others go to ``--rejects`` and ``--duplicates``.

    ``is_sent``: a file that can be read only once ends at the first number of an unknown country,
    unless these are to be sent as they are. Raises `IntakeError`.
    """
    new_intake(options, rules).inspect()
    with ExitStack() as stack:
        rejects = duplicates = None
        if options.rejects is not None:
            rejects = stack.enter_context(RejectsFile(options.rejects, options.files))
        if options.duplicates is not None:
            duplicates = stack.enter_context(
                RejectsFile(options.duplicates, options.files, "--duplicates", rejects)
            )
        intake = new_intake(options, rules, rejects, duplicates)
        if is_sent and not options.numbers_as_they_are and not intake.can_be_read_again:
            intake.ends_at_unknown_country = True
        yield intake


def intake_options(options: SendOptions, rules: Rules) -> IntakeOptions:
    """Returns how the command's files are to be read."""
    return IntakeOptions(
        rules=rules,
        columns=options.columns,
        allow_shared_numbers=options.allow_shared_numbers,
        limit=options.limit,
        id_prefix=options.id_prefix,
        codec=options.encoding,
        skip_if=options.skip_if,
        sheet=options.sheet,
    )


def new_intake(
    options: SendOptions,
    rules: Rules,
    rejects: RejectsFile | None = None,
    duplicates: RejectsFile | None = None,
) -> Intake:
    """Returns the rows of the command's files, from their start."""
    return Intake(
        options.files,
        intake_options(options, rules),
        rejects=rejects,
        duplicates=duplicates,
        stdin=sys.stdin.buffer,
    )


def chunks_of_documents(intake: Intake, progress: Progress | None = None) -> Iterator[list[bytes]]:
    """Yields the good documents as JSON, `CHUNK` of them at a time.

    ``progress`` is told how many bytes are read. Raises `IntakeError` where a file cannot be read
    on, after all documents up to there.
    """
    chunk: list[bytes] = []
    fault: IntakeError | None = None
    try:
        for row in intake:
            if not row.reason and row.duplicate is None:  # as row.good, for each of millions
                chunk.append(row.raw)
                if len(chunk) == CHUNK:
                    yield chunk
                    chunk = []
            elif progress is not None:
                progress.update(intake.bytes_read, lambda: rows_so_far(intake))
    except IntakeError as broken:
        fault = broken
    if chunk and not isinstance(fault, UnknownCountry):
        yield chunk
    if fault is not None:
        raise fault


def chunks_of_rows(intake: Intake, size: int = CHUNK) -> Iterator[list[Row]]:
    """Yields the good rows, ``size`` of them at a time.

    Raises `IntakeError` where a file cannot be read on, after all rows up to there; none of the
    last ones where it is an `UnknownCountry`.
    """
    fault: IntakeError | None = None
    rows = (row for row in intake if row.good)
    while fault is None:
        some: list[Row] = []
        try:
            for row in islice(rows, size):
                some.append(row)  # noqa: PERF402 - what came before a fault is kept
        except IntakeError as broken:
            fault = broken
        if not some or isinstance(fault, UnknownCountry):
            break
        yield some
    if fault is not None:
        raise fault


def chunks_of_newcomers(
    intake: Intake, newcomers: Newcomers, size: int = CHUNK
) -> Iterator[list[Row]]:
    """Yields those of them that are new to the ledger, until there are as many as are wanted."""
    for rows in chunks_of_rows(intake, size):
        chosen, behind = newcomers.choose(rows)
        intake.put_back(behind)
        if chosen:
            yield chosen
        if not newcomers.left:
            return


def rows_so_far(intake: Intake) -> str:
    """Returns how many rows were read, for a progress bar."""
    return format_count(intake.counts.read, "row")


def examine(
    intake: Intake,
    see: Callable[[str, bytes, bytes], None] | None = None,
    count: Callable[[bytes], None] | None = None,
) -> Row | None:
    """Reads to the end, with a progress bar; returns the first good row.

    ``see`` is called with the ``document_id`` of every good row, and the digest of its number
    and its document, ``count`` with its document.
    """
    first: Row | None = None
    with Progress(intake.bytes_total(), quiet=True) as progress:
        for row in intake:
            if not row.reason and row.duplicate is None:  # as row.good, for each of millions
                first = first or row
                if see is not None:
                    see(row.document_id, number_digests([read_number(row.raw)])[0], row.raw)
                if count is not None:
                    count(row.raw)
            if intake.counts.read % CHUNK == 0:
                progress.update(intake.bytes_read, lambda: f"checking: {rows_so_far(intake)}")
    return first


TIMEOUT = 10.0
"""Seconds for each round trip, tries after a failure included."""


class Spooler:
    """The queue for documents of one envelope, and so of one partition. A context manager.

    ``key``: the name of the key with which they came over HTTP. ``again``: what an operator
    cancelled is to be called all the same.
    """

    def __init__(
        self,
        settings: Settings,
        envelope: CheckedEnvelope,
        key: str | None = None,
        *,
        again: bool = False,
    ) -> None:
        self._key = key
        server = server_of(settings.redis_url, TIMEOUT)
        partitioning = Partitioning(server, settings.partitions, settings.max_waiting)
        self._connections = PartitionConnections(partitioning)
        self._partition = partitioning.partition_of(envelope)
        self._envelope = envelope
        self._allow = _allower(server, self._partition, envelope) if again else None
        self._portion = Portion()
        self._tally = EnqueueTally()

    @property
    def enqueued(self) -> int:
        """Documents that Redis certainly has."""
        return self._tally.documents

    def add(self, documents: Sequence[bytes]) -> None:
        """Takes checked documents, and stores what was gathered when it is enough.

        Raises `QueueFull`, `QueueUnavailable` or `LedgerMismatch`.
        """
        if self._allow is not None:
            self._allow(documents)
        for message in encode(PreparedRequest(self._envelope, [list(documents)])):
            if self._portion.add(message, partition=self._partition, key=self._key):
                self.store()

    def store(self) -> None:
        """Stores what was gathered; raises as `add`."""
        if messages := self._portion.take():
            deadline = time.monotonic() + TIMEOUT
            self._connections.check_partitions(deadline)
            self._tally.add(messages, self._connections.store_all(messages, deadline))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connections.close()


def _allower(
    server: RedisEndpoint, partition: int, envelope: CheckedEnvelope
) -> Callable[[Sequence[bytes]], None]:
    """Lets documents of an envelope be accepted anew where an operator had cancelled them."""
    keys = PartitionKeys(partition)
    client, digest = server.at(keys.prefix).client(), digester(envelope.scope)
    calls = SteeringCalls(keys)

    def allow(documents: Sequence[bytes]) -> None:
        step = calls.allow_again([digest(name) for name in read_document_ids(documents)])
        try:
            (reply,) = run(client, [step])
        except transport_errors() as fault:
            raise QueueUnavailable(describe(fault, str(server))) from fault
        if isinstance(reply, Exception):
            raise reply

    return allow


FILE = "lists.json"
"""Its name in a state directory."""
MOST_LISTS = 200


class ListReading(msgspec.Struct, omit_defaults=True):
    """How a list was read, and where its calls went; None and empty: not given."""

    columns: dict[str, str] = {}
    region: str | None = None
    encoding: str | None = None
    sheet: str | None = None
    skip_if: list[str] = []
    allow_shared_numbers: bool = False
    id_prefix: str = ""
    account: str | None = None
    campaign: str | None = None

    def words(self) -> str:
        """Returns the flags that say the same; empty where none is needed."""
        flags = [f"--map {column}={field}" for column, field in self.columns.items()]
        flags += [f"--region {self.region}"] if self.region else []
        flags += [f"--encoding {self.encoding}"] if self.encoding else []
        flags += [f"--sheet {self.sheet}"] if self.sheet else []
        flags += [f"--skip-if {column}" for column in self.skip_if]
        flags += ["--allow-shared-numbers"] if self.allow_shared_numbers else []
        flags += [f"--id-prefix {self.id_prefix}"] if self.id_prefix else []
        return " ".join(flags)


_decode = msgspec.json.Decoder(dict[str, ListReading]).decode


def remember_lists(state_dir: Path, options: SendOptions, rules: Rules, account: str) -> None:
    """Notes how the files of a run are read; a pipe has no name to be found by."""
    reading = ListReading(
        columns=dict(options.columns),
        region=rules.region,
        encoding=options.encoding,
        sheet=options.sheet,
        skip_if=list(options.skip_if),
        allow_shared_numbers=options.allow_shared_numbers,
        id_prefix=options.id_prefix,
        account=account,
        campaign=options.campaign,
    )
    known = _read(state_dir)
    for name in options.files:
        if Path(name).is_file():
            key = os.path.realpath(name)
            known.pop(key, None)
            known[key] = reading
    _write(state_dir, dict([*known.items()][-MOST_LISTS:]))


def recall_list(state_dir: str | None, files: Sequence[str]) -> ListReading | None:
    """Returns how the first of these files was read when it was run last; None if it was not."""
    if state_dir is None or not files:
        return None
    return _read(Path(state_dir).expanduser()).get(os.path.realpath(files[0]))


def _read(state_dir: Path) -> dict[str, ListReading]:
    try:
        return _decode((state_dir / FILE).read_bytes())
    except (OSError, msgspec.MsgspecError, UnicodeError):  # it can be told by flags as well
        return {}


def _write(state_dir: Path, known: dict[str, ListReading]) -> None:
    draft = state_dir / f"{FILE}.new"
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.encode(known))
    draft.replace(state_dir / FILE)
