"""callspool: spool calls to the Unpod API, never twice and never lost."""

__version__ = "0.1.0"
