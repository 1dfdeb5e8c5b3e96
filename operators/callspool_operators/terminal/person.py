"""Whether somebody is there to be asked, and what they answer."""

import select
import sys

import click

PIPED_ANSWER_SECONDS = 2.0


def is_there() -> bool:
    """Whether a person sees a question and can answer it: on any terminal, plain ones too."""
    return sys.stdin.isatty() and (sys.stderr.isatty() or sys.stdout.isatty())


def agrees(question: str) -> bool:
    """Asks the person who is there; on stderr if they see it, since stdout may be for scripts."""
    return click.confirm(question, err=sys.stderr.isatty())


def piped_answer() -> bool | None:
    """What a script answers on stdin (``echo y | …``); None: nothing that is an answer."""
    try:
        ready, _, _ = select.select([sys.stdin], [], [], PIPED_ANSWER_SECONDS)
        line = sys.stdin.readline(16) if ready else ""
    except (OSError, ValueError):  # no descriptor to wait for, or no text
        return None
    return {"y": True, "yes": True, "n": False, "no": False}.get(line.strip().lower())
