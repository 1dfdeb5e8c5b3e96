"""`python -m callspool_sandbox` is `callspool sandbox`."""

from __future__ import annotations

from callspool_sandbox.command import sandbox

if __name__ == "__main__":
    sandbox(prog_name="callspool sandbox")
