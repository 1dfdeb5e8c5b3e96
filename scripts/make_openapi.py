"""Writes docs/openapi.json: what `callspool serve` takes and answers.

python -m scripts.make_openapi
"""

from __future__ import annotations

from pathlib import Path

from callspool_operators.serving.app import describe_routes

PAGE = Path(__file__).parent.parent / "docs" / "openapi.json"

if __name__ == "__main__":
    PAGE.write_bytes(describe_routes())
