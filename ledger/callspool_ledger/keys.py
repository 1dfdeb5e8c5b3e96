"""Where everything lies in Redis: the names of the keys, written once.

All keys of a partition start with ``callspool:{N}``. The braces are a Redis Cluster hash tag:
one partition, one slot, so a script may touch all of them. Below, ``P`` is that prefix. Which
partition keeps a space tells `identity.partition_of`. `PartitionKeys` has a name for each key.

=====================  ======  ===================================================================
key                    type    content
=====================  ======  ===================================================================
P:requests             stream  messages of call requests (format: docs/message-format.md)
P:requests:soon        list    ids of small messages that stand behind many documents (bounded; a
                               hint, which may name what is gone)
P:wakeups              stream  wake-ups for the actor ``submit``; losing one costs latency only
P:alive                zset    consumers of the streams by their last heartbeat, in milliseconds of
                               Redis' clock; one that is silent for an hour is dropped
P:<queue>:dead         stream  messages that no worker could read, kept whole
P:meta                 hash    ledger id, format, rules; last batch, attempt and journal numbers;
                               the living generations; when ready batches were announced again;
                               ``guarded`` once there is a suppression list: takes then say so;
                               ``settings`` of the worker that started last; ``platform``: a
                               digest of those that hours were computed with; when a replica was
                               in touch last (``lua/include/epochs.lua``); ``fresh``: documents
                               of batches that are kept whole after their answer
P:counts               hash    ``spooled`` and ``waiting``; ``partitions`` of the whole ledger;
                               for each account ``account|name``: documents by state, created ones
                               by outcome (``lua/include/calls.lua``), events, ``lanes``,
                               ``died|<code>``; ``since``: when its first document was accepted
P:submissions          hash    ``account|outcome|code`` → answers counted
P:timings              hash    histograms: ``account|name|<bucket>`` → how many, and
                               ``account|name|sum`` (``reads/snapshot.py``)
P:accounts             set     every account that ever had documents
P:scopes               set     JSON ``[account, space_token, campaign]`` of every scope seen
P:g<G>                 hash    generation G: its first batch, when it began, its last settling,
                               its unsettled documents, how far it is dropped
P:i<G>:<2 bytes>       hash    identities of generation G: rest of the digest → batch * 1024 + place
P:kept:<G>             set     batches of generation G whose numbers lie outside its range
P:b<B>                 hash    batch B: lane, states, digests, attempts, answers
P:p<B>                 list    raw documents of batch B while one of them is unsettled
P:l<LANE>              hash    a lane: scope, pilot, context, schedule, its open batch, counts
P:q<LANE>              list    closed batches of the lane, first in first out
P:lanes                set     ids of the lanes that hold unsettled documents
P:scopelanes           hash    account, space and campaign, joined by U+001F → how many of these
                               lanes the scope has
P:ring:<ACCOUNT>       list    lanes with a closed batch, in turn
P:waiting:<ACCOUNT>    zset    batches with waiting documents by the time they were opened
P:sending              hash    taker → ``batch:attempt``: takes whose outcome is not recorded yet
P:doubts:<SPACE>       zset    batches of a space with documents in doubt by the time they came
                               there; here and below <SPACE> is ``<ACCOUNT>|<SPACE TOKEN>``
P:proofs               zset    spaces with documents in doubt by when they are read back next
P:looking              hash    space → until when, and who reads it back
P:unreadable           hash    space → since when it could not be read back
P:gaps                 hash    space → when a look at it failed last, while it is looked at
P:read                 hash    space → when its runs since a restart of Redis were read back, or
                               when it was opened without that
P:strays:<SPACE>       hash    scope and id of documents that the API has and Redis forgot → run,
                               task, attempt
P:runs:<SPACE>         zset    runs whose documents are known, by when that was recorded (bounded)
P:named:<K>            hash    a run, or an answer's first task, packed → ``batch:attempt`` that it
                               was named for first, in the Kth quarter of an hour; two are kept
P:mixed                hash    account → when an answer belonged to another request last (ms)
P:vouched              hash    space → when an operator confirmed documents last without naming the
                               run, and no mark told whose it is
P:opened:<SPACE>       zset    batches with open calls by when these were created
P:calls:<SPACE>        zset    those of them with calls that may yet go out, by the same time
P:later:<SPACE>        zset    batches that are looked at apart from these, by when: their calls
                               failed or ended, or nothing was heard of them for long
P:follows              zset    spaces with any of them by when they are looked at next; they are
                               locked in P:looking as for a look that proves
P:searched             hash    space → from when to when (s, by the API's clock) all tasks were gone
                               through for follow-ups, while any is followed there
P:capped               zset    batches that rest since their numbers were called often enough, by
                               when they may be called again
P:dead                 zset    batches with dead documents that may be replayed, by that time
P:due                  zset    what has to be looked at, by Redis time in milliseconds: ``L<LANE>``
                               linger, ``B<B>`` backoff, ``C<B>`` cap, ``G<GATE>`` probe,
                               ``P<PAUSE>`` its end, ``T<ACCOUNT>`` throttle
P:roster               hash    worker process that may take → number and time of its last sign of
                               life, whether it is on disk; ``<process>|a`` → its last attempt
P:unheard              set     processes whose word after a restart of Redis is awaited
P:worked               hash    account → when its API last confirmed a creation, in milliseconds
P:failing              hash    account → requests in a row that its API failed to carry out;
                               ``account|by``: the batch of the last one
P:throttled            hash    account → Redis time, in milliseconds, until which it rests
P:gates                hash    what workers parked: gate → JSON; gates are ``account:<ACCOUNT>``,
                               ``space:<ACCOUNT>|<SPACE>``, ``lane:<LANE>``
P:shut                 hash    ``level|code|account``, and by U+001F what else names the gate → how
                               many are closed; a lane's only while there is such a lane
P:pauses               hash    what operators paused: name of a selector → JSON; names are ``all``,
                               or ``account=…``, ``space=…``, ``campaign=…`` joined by U+001F, or
                               ``lane=…`` (``selectors.py``)
P:campaigns            hash    account and campaign, by U+001F between → ``revision JSON``: what an
                               operator asked for (``callspool/hours/record.py``)
P:hours                hash    the same and a class of zones → ``revision ms from-till,``: when it
                               is open, computed at that time by that revision of the campaign
P:paced                hash    account and campaign → when it may go on, by its pace; and, with
                               ``parts`` behind them, how many partitions share that
P:unsorted             set     lanes without a class of zones whose campaign has hours
P:parked:<GATE>        set     lanes that wait behind that gate, behind the pause of that name, or
                               behind a bar of their campaign (``lua/include/campaigns.lua``)
P:journal              hash    number → JSON: what operators did; the last 1,000
P:events               stream  the feed: what became of documents and calls, an entry a step
                               (``lua/include/feed.lua``); what was dropped last: ``feed_cut`` in
                               P:meta
P:readers              hash    reader of the feed → JSON: the entry that it read last, and when
P:invalid              list    the last documents that were refused, with the reason (bounded)
P:access               hash    name of a key of the HTTP intake → its record as JSON; this and the
                               next two in the first partition alone (``access.py``)
P:access:digests       hash    SHA-256 of a key's secret → its name
P:access:used          hash    ``name|minute`` and ``name|day`` → until when, in milliseconds, what
                               the key was charged drains
P:webhooks             hash    endpoint → how far it got with the feed, and how it does, as JSON;
                               this and the next three in the first partition alone
                               (``webhooks.py``)
P:webhooks:leases      hash    endpoint → until when, and for which thread, it is delivered to
P:webhooks:counts      hash    ``endpoint|posts:OUTCOME`` and ``endpoint|events:OUTCOME`` → how many
P:webhooks:aside:<E>   list    events that endpoint E refused, with the reason (bounded)
=====================  ======  ===================================================================

What an account shares across partitions lies apart, below A = ``callspool:{account-NAME}``, and is
forgotten a day after its last request:

=====================  ======  ===================================================================
A:limit                hash    how many requests may be in flight, and what that was found by
                               (``lua/permits/permits.lua``): answers since the last change, until
                               when it rests, when the next request may begin, requests left
A:holders              hash    worker process → permits it holds, requests it has in flight, how
                               many it could have, and until when (ms) it holds them
A:log                  hash    the call log: who reads it next and when, when it was read last, and
                               the end of the newest ring in it (ms)
A:follow               hash    when the next read that follows calls may begin, and until when none
                               is to, since the API refused one (ms)
A:windows              hash    whether the API honours windows of time, or until when it is not
                               tried again whether it does (ms)
=====================  ======  ===================================================================

Who must not be called lies apart as well, for all accounts and partitions, below G =
``callspool:{guard}`` (docs/suppression.md):

=====================  ======  ===================================================================
G:meta                 hash    ``id`` and ``key``, of which the digests of numbers are made;
                               ``version``: how often the lists have changed; ``source``: the last
                               source's number; ``longest``: for how long calls are kept, ms;
                               ``scope``, ``reserved``, ``swept``: the last numbers of these;
                               ``longest_till``: until when it is longer than those of the caps;
                               ``lease``: the longest of a worker, ms; ``server``, ``replid``,
                               ``epoch``, ``unsure``: whether Redis may have forgotten calls
G:n:<2 bytes>          hash    suppressed numbers: rest of the digest → numbers of its sources,
                               joined by commas; ``~`` marks another form of a number
G:sources              hash    number → JSON: the list, since when, until when, source, by whom
G:made                 hash    the same, without the number → number: equal ones are one source
G:lists                hash    list → how many numbers are on it
G:applied              hash    account and campaign, joined by U+001F → JSON: the named lists that
                               the campaign is held to
G:caps                 hash    '', an account, or account and campaign joined by U+001F → JSON:
                               ``n``, and ``caps``, [calls, ms] each: how often a number may be
                               called
G:scopes               hash    ``n`` → that name, and ``=name`` → ``n``
G:c:<2 bytes>          hash    calls that count for caps: rest of the digest → 7 bytes a call
                               (``lua/include/called.lua``)
G:held:<TOKEN>         string  when, and by which number, an attempt reserved its calls
=====================  ======  ===================================================================
"""

from __future__ import annotations

GROUP = "workers"
"""The consumer group of every stream."""

REQUESTS = "requests"
"""The queue of call requests: what producers write."""

WAKEUPS = "wakeups"
"""The queue of wake-ups: what the ledger writes."""


def prefix(partition: int = 0) -> str:
    """Returns the start of a partition's keys, with the hash tag that keeps them in one slot."""
    return f"callspool:{{{partition}}}"


def queue_name(queue: str, partition: int = 0) -> str:
    """Returns the broker's name of a queue of a partition: the queue itself in the first one."""
    return f"{queue}@{partition}" if partition else queue


def queue_and_partition(name: str) -> tuple[str, int]:
    """Returns the queue and the partition that `queue_name` joined."""
    queue, _, partition = name.partition("@")
    return queue, int(partition or 0)


def attempt_word(ledger_id: str, attempt: int) -> str:
    """Returns what names an attempt among those of all ledgers."""
    return f"{ledger_id}-{attempt:x}"


def account_prefix(account: str) -> str:
    """Returns the start of the keys of what an account shares across partitions."""
    return f"callspool:{{account-{account}}}"


def account_limit(account: str) -> str:
    """Returns the hash of how many requests of an account may be in flight."""
    return f"{account_prefix(account)}:limit"


def account_holders(account: str) -> str:
    """Returns the hash of the processes that hold permits of an account."""
    return f"{account_prefix(account)}:holders"


class GuardKeys:
    """The names of the keys that hold who must not be called; see the table above."""

    def __init__(self) -> None:
        self.prefix = base = "callspool:{guard}"
        self.meta = f"{base}:meta"
        self.sources = f"{base}:sources"
        self.lists = f"{base}:lists"
        self.applied = f"{base}:applied"
        self.caps = f"{base}:caps"

    def bucket(self, start: bytes) -> bytes:
        """Returns the hash of the suppressed numbers whose digests start so."""
        return f"{self.prefix}:n:".encode() + start


def stream(queue: str, partition: int = 0) -> str:
    """Returns the stream that carries the messages of a queue."""
    return f"{prefix(partition)}:{queue}"


def soon_list(stream_key: str) -> str:
    """Returns the list of a stream's small entries that need not wait for their turn."""
    return f"{stream_key}:soon"


def dead_stream(queue: str, partition: int = 0) -> str:
    """Returns the stream that keeps the messages of a queue that could not be read."""
    return f"{stream(queue, partition)}:dead"


def alive_workers(partition: int = 0) -> str:
    """Returns the sorted set of a partition's workers by their last heartbeat."""
    return f"{prefix(partition)}:alive"


class PartitionKeys:
    """The names of one partition's keys; what each holds stands in the table above."""

    def __init__(self, partition: int = 0) -> None:
        self.partition = partition
        self.prefix = base = prefix(partition)
        self.requests = stream(REQUESTS, partition)
        self.dead_requests = dead_stream(REQUESTS, partition)
        self.alive = alive_workers(partition)
        self.meta = f"{base}:meta"
        self.counts = f"{base}:counts"
        self.submissions = f"{base}:submissions"
        self.accounts = f"{base}:accounts"
        self.webhooks = f"{base}:webhooks"
        self.webhook_counts = f"{base}:webhooks:counts"
        self.scopes = f"{base}:scopes"
        self.lanes = f"{base}:lanes"
        self.scopelanes = f"{base}:scopelanes"
        self.sending = f"{base}:sending"
        self.roster = f"{base}:roster"
        self.proofs = f"{base}:proofs"
        self.looking = f"{base}:looking"
        self.unreadable = f"{base}:unreadable"
        self.follows = f"{base}:follows"
        self.searched = f"{base}:searched"
        self.vouched = f"{base}:vouched"
        self.dead = f"{base}:dead"
        self.capped = f"{base}:capped"
        self.due = f"{base}:due"
        self.throttled = f"{base}:throttled"
        self.gates = f"{base}:gates"
        self.pauses = f"{base}:pauses"
        self.campaigns = f"{base}:campaigns"
        self.hours = f"{base}:hours"
        self.unsorted = f"{base}:unsorted"
        self.paced = f"{base}:paced"
        self.journal = f"{base}:journal"
        self.events = f"{base}:events"
        self.readers = f"{base}:readers"
        self.invalid = f"{base}:invalid"
        self.access = f"{base}:access"
        self.nothing = f"{base}:doctor"
        """A key that is never there: what is asked of it changes nothing."""

    def ledger(self, ledger_id: str) -> str:
        """Names a ledger to the partition's scripts; no key of this name is ever written."""
        return f"{self.prefix}:ledger:{ledger_id}"

    def webhooks_aside(self, endpoint: str) -> str:
        return f"{self.webhooks}:aside:{endpoint}"

    def batch(self, number: int | str) -> str:
        return f"{self.prefix}:b{number}"

    def documents(self, number: int | str) -> str:
        return f"{self.prefix}:p{number}"

    def lane(self, lane_id: str) -> str:
        return f"{self.prefix}:l{lane_id}"

    def ring(self, account: str) -> str:
        return f"{self.prefix}:ring:{account}"

    def waiting(self, account: str) -> str:
        return f"{self.prefix}:waiting:{account}"

    def queue(self, lane_id: str) -> str:
        return f"{self.prefix}:q{lane_id}"

    def doubts(self, space: str) -> str:
        return f"{self.prefix}:doubts:{space}"

    def calls(self, space: str) -> str:
        return f"{self.prefix}:calls:{space}"

    def later_calls(self, space: str) -> str:
        return f"{self.prefix}:later:{space}"

    def open_calls(self, space: str) -> str:
        return f"{self.prefix}:opened:{space}"

    def runs(self, space: str) -> str:
        return f"{self.prefix}:runs:{space}"

    def strays(self, space: str) -> str:
        return f"{self.prefix}:strays:{space}"
