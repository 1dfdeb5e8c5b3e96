"""Writes docs/json.md: what every command prints with --json, as its fields.

python -m tests.docs.json_page
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import redis

from callspool_ledger.keys import PartitionKeys
from callspool_operators import boundary
from callspool_operators.terminal.report import Report
from tests.support.ledgers import LANE, LedgerUnderTest, calls, group
from tests.support.servers import RedisServer

PAGE = Path(__file__).parents[2] / "docs" / "json.md"
HEAD = """# What commands print with --json

One JSON object on one line of stdout, and nothing else there; errors are one line on stderr, and
the exit code says how it went. `status --watch --json` prints such a line for each look.

**What stays stable:** within a major version no field is removed or renamed, and none changes its
type. Fields, states and reasons may be added: read what you need by its name, and ignore the rest.
Words of the API and sentences for people (`reason`, `said`, `remedy`, `next_step`) may change.
Times are ISO 8601 in UTC, spans are seconds. `[]` stands for each entry of a list.

This page is written by running the commands; a test compares.
"""
SPRING = LANE._replace(campaign="spring")
REFUSAL = {
    "at": 1.0,
    "account": "default",
    "message": "1-1",
    "place": 0,
    "document_id": "i1",
    "field": "name",
    "reason": "must not be blank",
}
LIST = "id,name,phone\nw1,Ada,+14155550100\nn1,Bob,+14155550101\n"
WEBHOOK = """[webhooks.crm]
url = "http://127.0.0.1:1/"
secret_file = "crm.secret"
allow_private = true
"""

COMMANDS = {
    "status": ["status"],
    "show": ["show", "w1"],
    "lanes": ["lanes"],
    "report hours": ["report", "hours"],
    "pause": ["pause", "--campaign", "spring", "--note", "why", "--until", "2h"],
    "resume": ["resume", "--campaign", "spring"],
    "doctor": ["doctor"],
    "invalid": ["invalid"],
    "dead list": ["dead", "list"],
    "dead replay": ["dead", "replay", "--campaign", "none", "--yes"],
    "dead replay --document-id": ["dead", "replay", "--document-id", "x1", "--yes"],
    "dead drop": ["dead", "drop", "--campaign", "none", "--yes"],
    "doubts list": ["doubts", "list"],
    "doubts confirm": ["doubts", "confirm", "--campaign", "none", "--yes"],
    "doubts confirm --document-id": ["doubts", "confirm", "--document-id", "d1", "--yes"],
    "doubts resend": ["doubts", "resend", "--campaign", "none", "--yes"],
    "cancel": ["cancel", "--campaign", "none", "--yes"],
    "cancel --document-id": ["cancel", "--document-id", "w1", "--yes"],
    "journal": ["journal"],
    "send": ["send", "list.csv", "--space-token", "S", "--pilot", "p", "--context", "c", "--yes"],
    "send --dry-run": ["send", "list.csv", "--dry-run"],
    "results": ["results", "list.csv", "-o", "out.csv", "--space-token", "S"],
    "follow": ["follow", "--until-done"],
    "campaign set": ["campaign", "set", "spring", "--hours", "09:00-20:00", "--zone", "hold"],
    "campaign show": ["campaign", "show", "spring"],
    "campaign list": ["campaign", "list"],
    "campaign unset": ["campaign", "unset", "spring"],
    "suppress add": ["suppress", "add", "+14155550100", "--source", "x"],
    "suppress check": ["suppress", "check", "+14155550100"],
    "suppress lists": ["suppress", "lists"],
    "suppress export": ["suppress", "export", "-o", "lists.jsonl"],
    "suppress import": ["suppress", "import", "lists.jsonl"],
    "suppress remove": ["suppress", "remove", "+14155550100"],
    "keys create": ["keys", "create", "shop", "--scope", "enqueue"],
    "keys list": ["keys", "list"],
    "keys revoke": ["keys", "revoke", "shop"],
    "events": ["events", "--limit", "1"],
    "webhooks list": ["webhooks", "list"],
    "webhooks test": ["webhooks", "test", "crm"],
    "webhooks replay": ["webhooks", "replay", "crm", "--since", "2h"],
    "webhooks drop": ["webhooks", "drop", "crm", "--yes"],
}


def fields_of(value: object, path: str = "") -> Iterator[str]:
    """Yields the path of every field of a JSON value."""
    if isinstance(value, dict) and value:
        for name, item in value.items():
            yield from fields_of(item, f"{path}.{name}" if path else name)
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for item in value:
            yield from fields_of(item, f"{path}[]")
    else:
        yield f"{path}[]" if isinstance(value, list) else path


def fill(client: redis.Redis) -> None:
    """A ledger with a document in each state that commands speak of."""
    ledger = LedgerUnderTest(client, linger_ms=0)
    ledger.accept(group(["w1"]), group(["w2"], SPRING), group(["x1"], reason="it is too large"))
    ledger.accept(group(["d1"], LANE._replace(account="acme")))
    taken = ledger.ledger.take("me:1", ["acme"])
    assert taken is not None
    proof = b'{"answered":false}'
    step = calls.doubt(taken, outcome="server_error", code="500", detail="no", proof=proof)
    ledger.ledger.run([step])
    client.lpush(PartitionKeys().invalid, json.dumps(REFUSAL))
    keys = PartitionKeys()
    client.hset(keys.webhooks, "crm", json.dumps({"cursor": "x"}))
    client.hset(keys.webhook_counts, "crm|posts:delivered", 1)
    client.rpush(keys.webhooks_aside("crm"), json.dumps({"event": {}, "why": "", "at_ms": 1}))


def run(arguments: list[str], redis_url: str) -> Any:
    """What a command prints with --json."""
    out, err = io.TextIOWrapper(io.BytesIO()), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        boundary.run([*arguments, "--redis", redis_url, "--json"])
    out.seek(0)
    text = out.read()
    assert text, f"{arguments}: {err.getvalue()}"
    lines = [json.loads(line) for line in text.splitlines()]
    return lines[0] if len(lines) == 1 else {name: one[name] for one in lines for name in one}


def sections(folder: Path) -> dict[str, list[str]]:
    """Each command with the fields that it prints, in a folder without settings."""
    (folder / "list.csv").write_text(LIST)
    (folder / "callspool.toml").write_text(WEBHOOK)
    (folder / "crm.secret").write_text(f"whsec_{'A' * 32}\n")
    environ = {k: v for k, v in os.environ.items() if not k.startswith("CALLSPOOL_")}
    found = {"run": list(fields_of(Report(documents={}).to_json()))}
    with (
        mock.patch.dict(os.environ, environ, clear=True),
        contextlib.chdir(folder),
        RedisServer() as server,
        server.client() as client,
    ):
        fill(client)
        for name, arguments in COMMANDS.items():
            found[name] = list(dict.fromkeys(fields_of(run(arguments, server.url))))
    return found


def page(found: dict[str, list[str]]) -> str:
    """The page of these sections."""
    return HEAD + "".join(
        f"\n## {name}\n\n{', '.join(f'`{each}`' for each in fields)}\n"
        for name, fields in found.items()
    )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as directory:
        PAGE.write_text(page(sections(Path(directory))), encoding="utf-8")
