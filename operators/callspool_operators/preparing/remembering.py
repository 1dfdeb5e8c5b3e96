"""How lists were read when they were run, so that `results` reads them so without being told."""

import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from callspool.request.checks import Rules
from callspool_operators.options.options import SendOptions

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
