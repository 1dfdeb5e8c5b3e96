"""Reading a fault file: TOML or JSON, and every mistake in it is one line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from callspool.errors import SettingsError
from callspool_sandbox.faults.model import (
    Drop,
    Fault,
    FaultFile,
    Hang,
    Mixed,
    Partial,
    Refuse,
    Status,
    is_early,
    label,
)

if TYPE_CHECKING:
    from pathlib import Path


def load_faults(path: Path) -> FaultFile:
    """The faults of a `.toml` or `.json` file.

    Raises SettingsError, in one line that names the file and the place, for anything in it that
    would not work as written.
    """
    try:
        text = path.read_bytes()
    except OSError as error:
        raise SettingsError(f"fault file {path}: cannot be read: {error.strerror}") from error
    try:
        return parse_faults(text, json=path.suffix == ".json")
    except SettingsError as error:
        raise SettingsError(f"fault file {path}: {error}") from error


def parse_faults(text: bytes, *, json: bool = False) -> FaultFile:
    """The same from its text. Raises SettingsError."""
    decode = msgspec.json.decode if json else msgspec.toml.decode
    try:
        file = decode(text, type=FaultFile)
        file.states()
    except (msgspec.DecodeError, UnicodeDecodeError, TypeError, ValueError) as error:
        raise SettingsError(" ".join(str(error).split())) from error
    for place, fault in enumerate(file.faults):
        fault_of = f"$.faults[{place}] ({label(fault)})"
        reason = _objection(fault)
        if reason:
            raise SettingsError(f"{fault_of}: {reason}")
    return file


def _objection(fault: Fault) -> str | None:
    """Why a fault cannot happen as written, or None."""
    where = fault.where if isinstance(fault, Status | Partial | Drop | Hang) else "after"
    if fault.between is not None and fault.between[0] > fault.between[1]:
        return "`between` ends before it begins"
    if fault.on != "create":
        return _objection_on_a_read(fault, where)
    if is_early(fault) and _looks_into_the_body(fault):
        return "what stands in a body is unknown before it was read; drop that condition or `where`"
    created = getattr(fault, "created", None)
    if created is not None and where not in {"amid", "late", "after"}:
        return f"`created` means nothing with where = {where!r}; take amid or late"
    if created is not None and where == "after" and not isinstance(fault, Partial):
        return "`created` means nothing with where = 'after': all are created; take amid or late"
    return None


def _objection_on_a_read(fault: Fault, where: str) -> str | None:
    if _looks_into_the_body(fault):
        return "only requests with on = 'create' have a body to look into"
    if isinstance(fault, Partial | Mixed) or _refuses_a_field(fault):
        return "it only makes sense with on = 'create'"
    if where in {"amid", "late"} or (where == "after" and isinstance(fault, Status)):
        return f"a read creates nothing, so where = {where!r} needs on = 'create'"
    return None


_BODY_FIELDS = {"pilot", "context", "schedule", "documents"}


def _refuses_a_field(fault: Fault) -> bool:
    return isinstance(fault, Refuse) and fault.field in _BODY_FIELDS


def _looks_into_the_body(fault: Fault) -> bool:
    return any(
        condition is not None
        for condition in (fault.pilot, fault.document_id, fault.documents_over, fault.body_over)
    )
