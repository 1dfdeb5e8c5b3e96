"""A child without the worker in it. The configuration says how it behaves and where its journal is.

Each start is one line in the journal: the time, the process number, the incarnation.
"""

import json
import os
import signal
import sys
import threading
import time

config = json.loads(sys.stdin.readline())
behaviour = config["behaviour"]


def note(*words: object) -> None:
    with open(config["journal"], "a") as journal:  # noqa: PTH123 - starts without site-packages
        journal.write(" ".join(map(str, words)) + "\n")


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def end() -> None:
    if behaviour == "stubborn":
        return
    time.sleep(config.get("drain", 0))
    note("drained", os.getpid())
    os._exit(0)


def end_with_parent() -> None:
    sys.stdin.read()
    os._exit(0)


first = not os.path.exists(config["journal"])  # noqa: PTH110
signal.signal(signal.SIGINT, lambda *_: note("interrupted", os.getpid()))
signal.signal(signal.SIGTERM, lambda *_: end())
threading.Thread(target=end_with_parent, daemon=True).start()
note("started", time.time(), os.getpid(), config["incarnation"], config["stop_timeout"])
if behaviour == "die" or (behaviour == "die later" and not first):
    sys.exit(1)
if behaviour == "die with a word":
    say("failed OSError: the disk is gone")
    sys.exit(1)
if behaviour == "die later":
    say("ready")
    sys.exit(1)
if behaviour.startswith("refuse") and not (behaviour == "refuse later" and first):
    say("failed Redis cannot be reached; start it")
    sys.exit(config["code"])
if behaviour == "exit":
    sys.exit(config["code"])
if behaviour == "noisy":
    say("noise\n" * 100_000)
say("ready")
while True:
    signal.pause()
