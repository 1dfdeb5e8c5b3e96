"""Why a value cannot be a setting's."""


class RefusedValue(ValueError):  # noqa: N818 - what it is about
    """Its text is a reason that says more than what is allowed; it never holds the value."""
