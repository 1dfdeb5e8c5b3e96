"""Writes docs/openapi.json: what `callspool serve` takes and answers.

python -m scripts.make_openapi
"""

from __future__ import annotations

from pathlib import Path

from callspool.settings import Settings
from callspool_operators.serving.app import make_app
from callspool_operators.serving.openapi import build_document

PAGE = Path(__file__).parent.parent / "docs" / "openapi.json"

if __name__ == "__main__":
    PAGE.write_bytes(build_document(make_app(Settings())))
