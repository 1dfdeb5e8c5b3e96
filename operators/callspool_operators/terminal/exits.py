"""Exit codes: part of what scripts rely on (docs: interface)."""

from enum import IntEnum

from callspool.errors import CallspoolError


class Exit(IntEnum):
    """What the command's exit code says."""

    DONE = 0
    NOT_ALL = 1
    """Some accepted document is not created, or, with --strict, a row was invalid."""
    WRONG_USE = 2
    """Wrong use or configuration."""
    UNREACHABLE = 3
    """Redis or the API cannot be reached."""
    INTERRUPTED = 130
    BROKEN_PIPE = 141
    """The reader of the output has gone."""


class Interrupted(CallspoolError):  # noqa: N818 - says what is the matter
    """The user stopped the command; the text says what was done by then."""


class OutputGone(Exception):  # noqa: N818 - says what is the matter
    """The reader of the output has gone; click must not take that for an error of its own."""
