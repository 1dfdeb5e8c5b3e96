"""`callspool.contrib.django`: what a transaction wrote reaches the queue once it commits."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import redis

from callspool.settings import Settings
from callspool_operators.relay import RelayedRows, drain, open_relay
from tests.support.postgres import PostgresServer

PROJECT = """
import json, sys
import django
from django.conf import settings
from django.core.checks import run_checks
from django.core.management import call_command

settings.configure(
    DATABASES=json.loads(sys.argv[1]), INSTALLED_APPS=["callspool.contrib.django"], USE_TZ=True,
)
django.setup()
from django.db import transaction
from callspool import CallRequest, CallspoolError, Document
from callspool.contrib.django import enqueue_later
from callspool.contrib.django.models import OutboxRequest

def request_for(*ids, **fields):
    person = {"name": "Ada", "contact_number": "+14155550123"}
    documents = [Document(**{**person, "document_id": each, **fields}) for each in ids]
    return CallRequest(
        space_token="8KZTESTSPACE", pilot="space-agent-test", context="Follow up",
        documents=documents,
    )

def fault_of(*ids, using=None, **fields):
    try:
        enqueue_later(request_for(*ids, **fields), using=using)
    except CallspoolError as fault:
        return str(fault)

said = {"missing": fault_of("crm-0"), "sqlite": fault_of("crm-0", using="small")}
call_command("migrate", verbosity=0)
call_command("migrate", database="small", verbosity=0)
call_command("makemigrations", check=True, dry_run=True, verbosity=0)
with transaction.atomic():
    enqueue_later(request_for("crm-1"))
    said["seen"] = [
        row.request["documents"][0]["document_id"] for row in OutboxRequest.objects.all()
    ]
    said["wrong"] = fault_of("crm-2", contact_number="12")
    said["nul"] = fault_of("crm-2", extra={"note": "a\\0b"})
    said["nameless"] = fault_of(None)
try:
    with transaction.atomic():
        enqueue_later(request_for("crm-3"))
        raise RuntimeError
except RuntimeError:
    pass
enqueue_later(request_for(*(f"many-{at}" for at in range(600))))
said["rows"] = OutboxRequest.objects.count()
said["checks"] = [each.id for each in run_checks()]
print(json.dumps(said))
"""


def run_project(folder: Path, databases: dict[str, Any]) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", PROJECT, json.dumps(databases)],
        cwd=folder, capture_output=True, text=True, timeout=120, check=False,
        env={name: value for name, value in os.environ.items() if not name.startswith("CALLSPOOL")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_what_commits_is_relayed_and_what_rolls_back_is_not(
    redis_url: str, client: redis.Redis, tmp_path: Path
):
    with PostgresServer() as server:
        postgres = {
            "ENGINE": "django.db.backends.postgresql", "NAME": "postgres", "USER": "tester",
            "HOST": "127.0.0.1", "PORT": server.port,
        }  # fmt: skip
        small = {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}
        said = run_project(tmp_path, {"default": postgres, "small": small})
        assert said["seen"] == ["crm-1"]
        assert "manage.py migrate" in said["missing"]
        assert "needs PostgreSQL" in said["sqlite"]
        assert "contact_number" in said["wrong"]
        assert "jsonb" in said["nul"]
        assert "document_id" in said["nameless"]
        assert said["checks"] == []
        with (
            open_relay(Settings(redis_url=redis_url)) as relay,
            server.connect(autocommit=True) as database,
        ):
            assert drain(relay, database) == RelayedRows(said["rows"], 601, 0)
    ids = [
        each["document_id"]
        for _, fields in client.xrange("callspool:{0}:requests")
        for request in json.loads(fields[b"requests"])
        for each in request["documents"]
    ]
    assert ids == ["crm-1", *(f"many-{at}" for at in range(600))]
