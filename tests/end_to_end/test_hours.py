"""A campaign with calling hours, from the command line to the API."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.support import cli

FILE = """name,phone,timezone,document_id
Ann,+14155550100,Etc/UTC,open
Bob,+14155550101,Etc/GMT+12,closed
Cid,+14155550102,Nowhere,unknown
"""


def test_a_run_calls_who_may_be_called_and_says_until_when_the_others_wait(tmp_path: Path) -> None:
    state = str(tmp_path / "state")
    env = cli.environment(tmp_path, CALLSPOOL_PLATFORM_HOURS="none", CALLSPOOL_CLOSE_EARLY="0")
    file = tmp_path / "contacts.csv"
    file.write_text(FILE)
    now = datetime.now(UTC)
    hours = "-".join(f"{now + timedelta(hours=by):%H:%M}" for by in (-5, 5))
    of = ["demo", "--account", "sandbox", "--state-dir", state]
    run = ["run", str(file), "--sandbox", "--campaign", "demo", "--state-dir", state, "--json"]

    given = ["--hours", hours, "--zone-field", "timezone"]
    asked = cli.call(["campaign", "set", *of, *given], env, tmp_path)
    assert asked.returncode == 0, asked.stderr
    first = cli.call(run, env, tmp_path)
    assert first.returncode == 1, first.stderr
    documents = cli.report(first)["documents"]
    assert (documents["created"], documents["waiting"]) == (1, 2)

    found = {}
    for document_id in ("closed", "unknown"):
        shown = cli.call(["show", document_id, "--state-dir", state, "--json"], env, tmp_path)
        (found[document_id],) = json.loads(shown.stdout)["stories"]
    bar = found["closed"]["bar"]
    assert (bar["kind"], bar["source"]) == ("hours", "field")
    opens = datetime.fromisoformat(bar["opens"])
    assert timedelta(hours=6) < opens - now < timedelta(hours=8)
    assert "held" in found["unknown"]["reason"]
