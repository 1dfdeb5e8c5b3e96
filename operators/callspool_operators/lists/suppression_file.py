"""The file that `callspool suppress export` writes: digests with the key they were made with."""

import csv
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TextIO

from callspool_ledger.guard import ExportedEntry, GuardKey, ListSource
from callspool_operators.lists import IntakeError
from callspool_operators.lists.delimited import blocks_of_lines
from callspool_operators.lists.source import STANDARD_INPUT, Source

MAGIC = b"callspool-suppression,1,"
"""How an export begins; the key's name and the key follow."""

COLUMNS = ("digest", "list", "since_ms", "until_ms", "source", "by", "form")
_OTHER = "other"


def is_export(source: Source) -> bool:
    """Whether a file is an export, by its first line."""
    return source.head().startswith(MAGIC[:4]) and source.first_line().startswith(MAGIC)


def write_export(output: str, key: GuardKey, entries: Iterable[ExportedEntry]) -> int:
    """Writes all entries to a file that its owner alone may read; returns how many."""
    if output == STANDARD_INPUT:
        return _write(sys.stdout, key, entries)
    unfinished = Path(f"{output}.unfinished")
    opened = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(opened, "w", encoding="utf-8", newline="") as file:
        written = _write(file, key, entries)
    unfinished.replace(output)
    return written


def _write(file: TextIO, key: GuardKey, entries: Iterable[ExportedEntry]) -> int:
    writer, written = csv.writer(file, lineterminator="\n"), 0
    file.write(f"{MAGIC.decode()}{key.id},{key.secret.hex()}\n")
    writer.writerow(COLUMNS)
    for digest, source, is_other in entries:
        about = (source.list, source.since, source.till, source.source, source.by)
        writer.writerow([digest.hex(), *about, _OTHER if is_other else ""])
        written += 1
    return written


def read_export(source: Source) -> tuple[GuardKey, Iterator[ExportedEntry]]:
    """Reads the key and the entries of an export; raises `IntakeError` where it is damaged."""
    rows = csv.reader(_lines(source))
    try:
        _, _, key_id, secret = next(rows)
        key = GuardKey(key_id, bytes.fromhex(secret))
        next(rows)
    except (StopIteration, ValueError):
        raise _damage_of(source) from None
    return key, _entries(source, rows)


def _entries(source: Source, rows: Iterator[list[str]]) -> Iterator[ExportedEntry]:
    for row in rows:
        try:
            digest, name, since, till, text, by, form = row
            about = ListSource(name, int(till), int(since), text, by)
            entry = ExportedEntry(bytes.fromhex(digest), about, form == _OTHER)
        except ValueError:
            raise _damage_of(source) from None
        yield entry


def _lines(source: Source) -> Iterator[str]:
    for block in blocks_of_lines(source.read):
        for line in block:
            yield line.decode()


def _damage_of(source: Source) -> IntakeError:
    return IntakeError(
        f"{source.shown} is no whole export of suppression lists: what stands before is imported;"
        " export again, or import an earlier file"
    )
