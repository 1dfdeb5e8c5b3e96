"""What makes a whole file unreadable (a bad row is no error: it is a `Row` with a reason)."""

from callspool.errors import CallspoolError


class IntakeError(CallspoolError):
    """A file of contacts that cannot be used as it is; the text is one line with the remedy."""
