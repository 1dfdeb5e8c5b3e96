"""Reading files of contacts: CSV and JSON Lines become checked documents, row by row."""

from importlib import import_module
from typing import TYPE_CHECKING

from callspool.errors import CallspoolError

if TYPE_CHECKING:
    from callspool_operators.lists.intake import FileView, Intake, IntakeOptions
    from callspool_operators.lists.rejects import RejectsFile
    from callspool_operators.lists.row import Likeness, Row, RowCounts

__all__ = [
    "COUNTRY_REMEDY",
    "READ_AS",
    "FileView",
    "Intake",
    "IntakeError",
    "IntakeOptions",
    "Likeness",
    "RejectsFile",
    "Row",
    "RowCounts",
    "UnknownCountry",
]

READ_AS = "as + and its digits, else as Indian (+91)"
"""How the platform reads a number that has no country code."""

COUNTRY_REMEDY = "name their country with --region, or send them so with --numbers-as-they-are"


class IntakeError(CallspoolError):
    """A file of contacts that cannot be used as it is; the text is one line with the remedy."""


class UnknownCountry(IntakeError):  # noqa: N818 - says what is the matter
    """A number of which nothing says which country it is of; what was read with it is not sent."""


_HOMES = {
    "FileView": "callspool_operators.lists.intake",
    "Intake": "callspool_operators.lists.intake",
    "IntakeOptions": "callspool_operators.lists.intake",
    "Likeness": "callspool_operators.lists.row",
    "RejectsFile": "callspool_operators.lists.rejects",
    "Row": "callspool_operators.lists.row",
    "RowCounts": "callspool_operators.lists.row",
}


def __getattr__(name: str) -> object:
    """Imports a name when it is first asked for: commands that read no files know columns, too."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value
