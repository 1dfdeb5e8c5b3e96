"""A whole installation on loopback, that a Prometheus watches: Redis, API, worker, exporter.

A webhook endpoint takes its events, and a service reads its feed.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from callspool import CallQueue, CallRequest, Document
from callspool.errors import QueueFull, QueueUnavailable
from callspool_ledger.access import AccessKey, Right, digest_of, make_secret
from callspool_ledger.reads.reader import LedgerReader
from callspool_ledger.reads.summary import read_summary
from callspool_ledger.steering import KeySteering
from callspool_ledger.writes import Ledger, Limits
from callspool_sandbox.process import SandboxProcess
from chaos.processes import children_of, is_alive
from tests.support import cli
from tests.support.prometheus_server import PrometheusServer
from tests.support.servers import RedisServer, free_port

FAULTS = """
[[faults]] # once: then it is only a matter of reading back
name = "status"
status = 500
space = "8KZFAILS"
times = 1

[[faults]]
name = "status"
status = 403
on = "reads"
space = "8KZFAILS"

[[faults]]
name = "status"
status = 404
space = "8KZNOAGENT"

[[faults]]
name = "status"
status = 429
retry_after = 6
space = "8KZBUSY"
times = 2
"""

SETTINGS = {
    "CALLSPOOL_REQUEST_TIMEOUT": "3",
    "CALLSPOOL_PROOF_QUIET": "1",
    "CALLSPOOL_PROOF_QUIET_ANSWERED": "1",
    "CALLSPOOL_LINGER": "0.1",
    "CALLSPOOL_BATCH_SIZE": "20",
}

OF_ONE = {"exporter": {"CALLSPOOL_MAX_WAITING": "100"}}
"""A limit that only the exporter compares with; producers here have the usual one."""


class EventsTaken(BaseHTTPRequestHandler):
    """Takes each POST of events."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Logs nothing."""


@contextmanager
def webhook_endpoint() -> Iterator[str]:
    """Serves an endpoint in a thread; its URL."""
    with ThreadingHTTPServer(("127.0.0.1", 0), EventsTaken) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


class Installation:
    """Starts, kills and starts again what it consists of; a context manager."""

    def __init__(self, directory: Path, rules: Mapping[str, str]) -> None:
        self.directory = directory
        self.redis = RedisServer(append_only=True)
        self.api = SandboxProcess(
            log=directory / "api.jsonl",
            faults=FAULTS,
            token=cli.REAL["CALLSPOOL_API_TOKEN"],
            latency=0.05,
        )
        self._ports = {name: free_port() for name in ("exporter", "worker", "serve")}
        self.prometheus = PrometheusServer(
            directory / "prometheus",
            rules,
            {
                "callspool-exporter": f"127.0.0.1:{self._ports['exporter']}",
                "callspool-workers": f"127.0.0.1:{self._ports['worker']}",
                "callspool-serve": f"127.0.0.1:{self._ports['serve']}",
            },
        )
        self._stack = ExitStack()
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._sent = 0
        self._lock = threading.Lock()

    def __enter__(self) -> Installation:
        with ExitStack() as stack:
            stack.enter_context(self.redis)
            stack.enter_context(self.api)
            self.env = self._environment(stack.enter_context(webhook_endpoint()))
            with self.redis.client() as client:
                # A ledger in use: a new one reads each space back before it sends there.
                Ledger(client, Limits()).open("")
            self.start("exporter")
            stack.callback(self.kill, "exporter")
            self.start("worker")
            stack.callback(self.kill, "worker")
            self.start("serve")
            stack.callback(self.kill, "serve")
            stack.enter_context(self.prometheus)
            self._stack = stack.pop_all()
        self._wait_until_seen()
        return self

    def _wait_until_seen(self) -> None:
        deadline = time.monotonic() + 30
        seen = "callspool_workers > 0 and on () callspool_worker_threads unless on () ALERTS"
        while not self.prometheus.query(seen):
            assert time.monotonic() < deadline, "Prometheus does not see the worker"
            time.sleep(0.2)

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _environment(self, endpoint: str) -> dict[str, str]:
        token = cli.REAL["CALLSPOOL_API_TOKEN"]
        account = f'org_handle = "acme.example"\napi_url = "{self.api.url}"\n'
        (self.directory / "callspool.toml").write_text(
            f'[accounts.stale]\napi_token = "tok-0123456789ab"\n{account}'
            f'[accounts.steady]\napi_token = "{token}"\n{account}'
            f'[accounts.busy]\napi_token = "{token}"\n{account}'
            f'[webhooks.crm]\nurl = "{endpoint}"\nsecret_file = "crm.secret"\n'
            "allow_private = true\n"
        )
        secret = self.directory / "crm.secret"
        secret.write_text(f"whsec_{base64.b64encode(bytes(32)).decode()}\n")
        secret.chmod(0o600)
        (self.directory / "callspool.toml").chmod(0o600)
        known = {"CALLSPOOL_REDIS_URL": self.redis.url, "CALLSPOOL_API_URL": self.api.url}
        return cli.environment(self.directory, **cli.REAL, **known, **SETTINGS)

    def start(self, name: str) -> None:
        """Starts the exporter, the worker or the HTTP intake."""
        arguments = {
            "exporter": ["exporter", "--port"],
            "worker": ["worker", "--processes", "1", "--threads", "4", "--metrics-port"],
            "serve": ["serve", "--port"],
        }
        command = [*cli.COMMAND, *arguments[name], str(self._ports[name])]
        with (self.directory / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                command,
                env=self.env | OF_ONE.get(name, {}),
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill(self, name: str) -> None:
        """SIGKILL: as a crash. Returns once the processes that it started have ended as well."""
        process = self._processes.pop(name, None)
        if process is None:
            return
        children = children_of(process.pid)
        process.kill()
        process.wait()
        while any(is_alive(child) for child in children):
            time.sleep(0.02)

    def kill_a_child(self) -> None:
        """SIGKILL for a process that the worker started."""
        for child in children_of(self._processes["worker"].pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)

    def send(
        self,
        documents: int,
        *,
        account: str = "default",
        space: str = cli.REAL["CALLSPOOL_SPACE_TOKEN"],
        campaign: str | None = None,
        **extra: str,
    ) -> None:
        """Enqueues contacts that nobody has sent before, as a service does."""
        with self._lock:
            numbers = range(self._sent, self._sent + documents)
            self._sent += documents
        request = CallRequest(
            space_token=space,
            pilot=cli.REAL["CALLSPOOL_PILOT"],
            context=cli.REAL["CALLSPOOL_CONTEXT"],
            account=account,
            campaign=campaign,
            documents=[
                Document(
                    name=f"Person {number}",
                    contact_number=f"+1{200 + number // 100}55501{number % 100:02}",
                    document_id=f"crm-{number}",
                    extra=extra,
                )
                for number in numbers
            ],
        )
        with CallQueue(self.redis.url) as queue:
            queue.enqueue(request)

    def post_bad_documents(self) -> None:
        """Posts documents that are not good, as a caller with a key does: nobody is called."""
        with self.redis.client() as client:
            secret = make_secret()
            keys = KeySteering([client], "ann@desk")
            rights = frozenset([Right.ENQUEUE])
            keys.create(AccessKey(name="shop", digest=digest_of(secret), rights=rights))
        head = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}
        body = json.dumps([{"space_token": "8KZ", "pilot": "x", "context": "x", "documents": [{}]}])
        for _ in range(20):
            connection = HTTPConnection("127.0.0.1", self._ports["serve"], timeout=10)
            with contextlib.closing(connection):
                connection.request("POST", "/v1/requests", body, head)
                assert connection.getresponse().status == 202
            time.sleep(0.1)

    @contextmanager
    def fed(self) -> Iterator[None]:
        """All the while a service enqueues for account `steady`, and reads what became of it.

        It goes on if that fails.
        """
        is_over = threading.Event()

        def feed() -> None:
            cursor = ""
            while not is_over.wait(0.4):
                with contextlib.suppress(QueueUnavailable, QueueFull):
                    self.send(10, account="steady", space="8KZSTEADY")
                    with CallQueue(self.redis.url) as queue:
                        cursor = queue.events(cursor, reader="service").cursor

        feeder = threading.Thread(target=feed)
        feeder.start()
        try:
            yield
        finally:
            is_over.set()
            feeder.join()

    def type(self, *lines: str) -> None:
        """Runs commands as operators do, several at once; `;` separates those of one operator."""
        with ThreadPoolExecutor(len(lines)) as operators:
            list(operators.map(self._type_one_by_one, lines))

    def _type_one_by_one(self, line: str) -> None:
        for command in line.split(";"):
            done = cli.call(command.split(), self.env, self.directory)
            assert done.returncode == 0, done.stderr

    def wait_until_settled(self, timeout: float = 150) -> dict[str, int]:
        """Waits until nothing is on its way any more; tells the documents by state."""
        deadline = time.monotonic() + timeout
        with self.redis.client() as client:
            while True:
                summary = LedgerReader(client).ask(read_summary())
                documents = summary.documents
                moving = sum(documents[state] for state in ("waiting", "sending", "in_doubt"))
                if moving + summary.spooled == 0:
                    return documents
                assert time.monotonic() < deadline, summary
                time.sleep(0.2)
