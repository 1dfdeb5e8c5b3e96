"""Reading files of contacts: CSV and JSON Lines become checked documents, row by row."""

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
