"""Progress: a bar on a terminal, a line now and then elsewhere."""

import io

import pytest

from callspool_operators.preparing.overview import document_lines, mask
from callspool_operators.terminal.screen import LINE_SECONDS, Progress
from callspool_operators.terminal.wording import plain, span


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_elsewhere_a_line_comes_now_and_then() -> None:
    stream, clock = io.StringIO(), Clock()
    with Progress(100, stream=stream, clock=clock) as progress:
        for percent in range(0, 101, 10):
            clock.now = percent / 50 * LINE_SECONDS
            progress.update(percent, lambda: f"{percent} rows")  # noqa: B023 - used at once
    assert stream.getvalue() == "50%: 50 rows\n100%: 100 rows\n"


def test_quiet_says_nothing_elsewhere() -> None:
    stream, clock = io.StringIO(), Clock()
    with Progress(100, stream=stream, quiet=True, clock=clock) as progress:
        clock.now = 1000
        progress.update(50, lambda: "50 rows")
    assert stream.getvalue() == ""


def test_a_terminal_gets_a_bar_that_is_gone_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream, clock = Terminal(), Clock()
    with Progress(100, stream=stream, clock=clock) as progress:
        clock.now = 1
        progress.update(50, lambda: "50 rows")
    assert " 50%  50 rows" in stream.getvalue()
    assert "█" in stream.getvalue()
    assert stream.getvalue().endswith("\r\x1b[K")


def test_an_unknown_whole_is_counted_without_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream, clock = Terminal(), Clock()
    with Progress(None, stream=stream, clock=clock) as progress:
        clock.now = 1
        progress.update(50, lambda: "50 rows")
    assert "%" not in stream.getvalue()
    assert "50 rows" in stream.getvalue()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (42, "42 s"),
        (75, "1 min 15 s"),
        (7800, "2 h 10 min"),
        (273_600, "3 d 4 h"),
    ],
)
def test_spans_are_read_at_a_glance(seconds: float, text: str) -> None:
    assert span(seconds) == text


def test_only_the_last_digits_of_a_number_are_shown() -> None:
    assert mask("+1 (415) 555-0123") == "+• (•••) •••-0123"
    shown = document_lines(b'{"name":"Ada\\u001b[31m","contact_number":"+14155550123"}')
    assert "5550123" not in "\n".join(shown)
    assert "\x1b" not in "\n".join(shown)


def test_numbers_in_other_fields_are_not_shown_either() -> None:
    shown = document_lines(
        b'{"contact_number":"+14155550123","Phone":"4155550124","home":"+1 415 555 0125",'
        b'"since":"2026-11-22","size":"12000000"}'
    )
    assert [line.split()[-1][-4:] for line in shown[:3]] == ["0123", "0124", "0125"]
    assert not any("555" in line for line in shown)
    assert [line.split()[-1] for line in shown[3:]] == ["2026-11-22", "12000000"]


def test_text_from_elsewhere_is_one_line() -> None:
    assert plain("a\nb\x07c" + "d" * 600) == f"a b�c{'d' * 494}…"
