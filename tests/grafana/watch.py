"""What was done, and which alerts fired and cleared how many seconds after it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from types import TracebackType

from tests.support.prometheus_server import PrometheusServer

PACE = 0.2


class Watch:
    """Looks at the alerts all the time, in a thread of its own; a context manager."""

    def __init__(self, prometheus: PrometheusServer) -> None:
        self._prometheus = prometheus
        self.began = time.time()
        self.lines: list[str] = []
        self.seconds: dict[str, float] = {}
        """Alert → seconds from its cause until it fired."""
        self.annotations: set[str] = set()
        self._causes: dict[str, float] = {}
        self._firing: dict[str, str] = {}
        self._changed = threading.Condition()
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, *_: BaseException | TracebackType | None
    ) -> None:
        self._is_over.set()
        self._thread.join()

    def did(self, what: str, *alerts: str) -> None:
        """Something was done just now, that lets these alerts fire, or be over."""
        with self._changed:
            self._write(what)
            self._causes |= dict.fromkeys(alerts, time.time())

    def fires(self, *alerts: str, within: float = 30) -> None:
        """Waits until all of them have fired."""
        self._wait(lambda: set(alerts) - set(self.seconds), "did not fire", within)

    def clears(self, *alerts: str, within: float = 40) -> None:
        """Waits until none of them fires any more."""
        self._wait(lambda: set(alerts) & set(self._firing), "did not clear", within)

    def is_quiet(self, seconds: float, but: Iterable[str] = ()) -> None:
        """For so long no alert fires, but those."""
        with self._changed:
            assert not self._changed.wait_for(lambda: set(self._firing) - set(but), seconds), (
                self._firing
            )
            self._write(f"   no alert in {seconds:.0f} s")

    def _wait(self, missing: Callable[[], set[str]], verb: str, within: float) -> None:
        with self._changed:
            is_done = self._changed.wait_for(lambda: not missing(), within)
            assert is_done, f"{sorted(missing())} {verb}"

    def _look(self) -> None:
        while not self._is_over.wait(PACE):
            firing = self._prometheus.firing()
            self.annotations |= {text for each in firing for text in each["annotations"].values()}
            labels = [each["labels"] for each in firing]
            now = {each["alertname"]: each["severity"] for each in labels}
            now |= {each["alertname"]: "page" for each in labels if each["severity"] == "page"}
            with self._changed:
                self._turn(now)
                self._changed.notify_all()

    def _turn(self, now: dict[str, str]) -> None:
        for name in sorted(now.keys() - self._firing.keys()):
            self.seconds.setdefault(name, time.time() - self._causes.get(name, self.began))
            self._write(f"   {name} fires ({now[name]}){self._since(name)}")
        for name in sorted(self._firing.keys() - now.keys()):
            self._write(f"   {name} is over{self._since(name)}")
        self._firing = now

    def _since(self, name: str) -> str:
        cause = self._causes.get(name)
        return f" after {time.time() - cause:.1f} s" if cause else ""

    def _write(self, line: str) -> None:
        self.lines.append(f"{time.time() - self.began:5.1f}  {line}")
