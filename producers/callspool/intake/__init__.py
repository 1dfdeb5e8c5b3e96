"""Reading files of contacts: CSV and JSON Lines become checked documents, row by row."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from callspool.intake.errors import IntakeError
    from callspool.intake.intake import FileView, Intake, IntakeOptions
    from callspool.intake.rejects import RejectsFile
    from callspool.intake.row import Likeness, Row, RowCounts

__all__ = [
    "FileView",
    "Intake",
    "IntakeError",
    "IntakeOptions",
    "Likeness",
    "RejectsFile",
    "Row",
    "RowCounts",
]

_HOMES = {
    "FileView": "callspool.intake.intake",
    "Intake": "callspool.intake.intake",
    "IntakeError": "callspool.intake.errors",
    "IntakeOptions": "callspool.intake.intake",
    "Likeness": "callspool.intake.row",
    "RejectsFile": "callspool.intake.rejects",
    "Row": "callspool.intake.row",
    "RowCounts": "callspool.intake.row",
}


def __getattr__(name: str) -> object:
    """Imports a name when it is first asked for: commands that read no files know columns, too."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value
