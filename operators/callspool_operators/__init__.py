"""The command `callspool`."""

from callspool_operators.boundary import main

__all__ = ["main"]
