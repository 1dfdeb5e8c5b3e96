"""The client of the Unpod API: one pool of connections a process, for all accounts and threads."""

from __future__ import annotations

import math
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from callspool_worker.api.accounts import Access, UnknownAccount
from callspool_worker.api.api_request import Outgoing
from callspool_worker.api.clock import now
from callspool_worker.api.exchange import exchange
from callspool_worker.api.network import Network
from callspool_worker.api.pool import Pool
from callspool_worker.api.tls import create_context
from callspool_worker.backoff import promptly
from callspool_worker.decisions.answers import Answer, Answered, NotSent
from callspool_worker.decisions.reply import code_of

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

    from callspool_worker.api.accounts import Credentials
    from callspool_worker.api.api_request import Target

MOST_OF_A_CREATION = 4 * 1024 * 1024
MOST_OF_A_READ = 32 * 1024 * 1024
"""Bytes of an answer that are read; a page of tasks holds transcripts."""

PROMPT_SECONDS = 1.0
"""After that, what was not sent is left to the ledger's backoff."""

_TARGETS_KEPT = 1024


class UnpodApi:
    """Creates tasks and reads back, as one of several accounts; threads may share it.

    ``request_timeout`` bounds a whole request in seconds: the wait for a connection, sending and
    the answer's last byte. TLS is verified against certifi's roots, or those that
    ``SSL_CERT_FILE`` or ``SSL_CERT_DIR`` name. Redirects are not followed, cookies not kept, and
    proxies of the environment not used: a middleman might send a request twice.

    Raises SettingsError if an account's URL, token or org handle cannot be used, or the
    certificates.
    """

    def __init__(
        self,
        accounts: Mapping[str, Credentials],
        *,
        request_timeout: float,
        max_connections: int,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self._accesses = {name: Access(name, account) for name, account in accounts.items()}
        self._request_timeout = request_timeout
        origins = [access.origin for access in self._accesses.values()]
        context = ssl_context or create_context(origins)
        self._pool = Pool(context, Network(request_timeout), max_connections)
        self._target_of_creation = lru_cache(maxsize=_TARGETS_KEPT)(_target_of_creation)

    def create(
        self, account: str, space_token: str, body: bytes, send_before: float = math.inf
    ) -> Answer:
        """Sends one create-call; ``body`` is its JSON object, whole.

        The body's last byte is not sent from ``send_before`` on, a moment of `now`. What provably
        was not sent is sent again at once, twice at most; after a 401 too, if the account's token
        file holds a new token. Raises UnknownAccount.
        """
        access = self._access(account)
        target = self._target_of_creation(access, space_token)
        return self._send(access, Outgoing(b"POST", target, body, send_before, MOST_OF_A_CREATION))

    def get(
        self,
        account: str,
        path: tuple[str, ...],
        params: Mapping[str, str | int] | None = None,
    ) -> Answer:
        """Reads ``/api/v2/platform/<path>/``, given in its steps: ``("spaces", token, "runs")``.

        Raises UnknownAccount.
        """
        access = self._access(account)
        target = access.target(path, params)
        return self._send(access, Outgoing(b"GET", target, None, math.inf, MOST_OF_A_READ))

    def connections(self) -> tuple[int, int]:
        """How many connections are idle, and how many in use."""
        return self._pool.count()

    def close(self) -> None:
        """Closes the connections, those in use as soon as their requests are over."""
        self._pool.close()

    def __enter__(self) -> UnpodApi:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _access(self, account: str) -> Access:
        try:
            return self._accesses[account]
        except KeyError:
            raise UnknownAccount(account) from None

    def _send(self, access: Access, outgoing: Outgoing) -> Answer:
        begun = now()
        until = begun + self._request_timeout
        give_up = min(begun + PROMPT_SECONDS, until, outgoing.send_before)

        def may_try_again(answer: Answer) -> bool:
            return isinstance(answer, NotSent) and answer.kind != "withheld" and now() < give_up

        token = access.token.text()
        once = partial(exchange, self._pool, access, token, outgoing, until)
        answer = once()
        if may_try_again(answer):
            answer = promptly(answer, partial(once, fresh=True), may_try_again)
        if _refuses_the_token(answer) and access.token.differs_from(token):
            answer = exchange(self._pool, access, access.token.text(), outgoing, until)
        return answer


def _target_of_creation(access: Access, space_token: str) -> Target:
    return access.target(("spaces", space_token, "tasks", "create"))


def _refuses_the_token(answer: Answer) -> bool:
    return isinstance(answer, Answered) and code_of(answer) == 401
