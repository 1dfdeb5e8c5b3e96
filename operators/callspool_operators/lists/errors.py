"""What makes a whole file unreadable (a bad row is no error: it is a `Row` with a reason)."""

from callspool.errors import CallspoolError

READ_AS = "as + and its digits, else as Indian (+91)"
"""How the platform reads a number that has no country code."""

COUNTRY_REMEDY = "name their country with --region, or send them so with --numbers-as-they-are"


class IntakeError(CallspoolError):
    """A file of contacts that cannot be used as it is; the text is one line with the remedy."""


class UnknownCountry(IntakeError):  # noqa: N818 - says what is the matter
    """A number of which nothing says which country it is of; what was read with it is not sent."""
