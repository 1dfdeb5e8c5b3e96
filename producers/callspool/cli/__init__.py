"""The command `callspool`."""

from callspool.cli.boundary import main

__all__ = ["main"]
