from __future__ import annotations

from xml.etree import ElementTree as ET

from benchmarks.duel.outcome import Outcome
from benchmarks.duel.picture import picture
from benchmarks.duel.verdict import Verdict

SVG = "{http://www.w3.org/2000/svg}"


def outcome(name: str, *, twice: int, lost: int, in_doubt: int) -> Outcome:
    verdict = Verdict(
        contacts=5000,
        called_once=5000 - twice - lost,
        called_twice=twice,
        twice_unasked=twice,
        lost=lost,
        in_doubt=in_doubt,
        uncalled_in_doubt=0,
        given_up=0,
        refused=0,
        open=0,
        posts=60,
        reads=0,
        faults={},
    )
    return Outcome(name, "a note", verdict, 12.0, kills=4, finished=True)


def bars(drawn: ET.Element, style: str) -> list[float]:
    return [
        float(rect.attrib["width"])
        for rect in drawn.iter(f"{SVG}rect")
        if rect.attrib["class"] == style
    ]


def test_bars_are_as_long_as_the_figures_say_and_nothing_has_no_bar():
    drawn = ET.fromstring(
        picture(
            [
                outcome("a <rival> & more", twice=1200, lost=300, in_doubt=0),
                outcome("another", twice=600, lost=1, in_doubt=0),
                outcome("callspool", twice=0, lost=0, in_doubt=0),
            ]
        )
    )
    full, half = bars(drawn, "twice")
    assert full == max(bars(drawn, "rail"))
    assert abs(full - 2 * half) <= 1
    quarter, sliver = bars(drawn, "lost")
    assert abs(full - 4 * quarter) <= 2
    assert sliver > 0
    assert bars(drawn, "doubt") == []
    words = [text.text for text in drawn.iter(f"{SVG}text")]
    assert "a <rival> & more" in words
    assert words.count("0") == 5
    assert {"1,200", "300", "600"} <= set(words)


def test_the_picture_can_be_read_aloud_and_on_dark_pages():
    drawn = picture([outcome("callspool", twice=0, lost=0, in_doubt=7)])
    title = ET.fromstring(drawn).find(f"{SVG}title")
    assert title is not None
    assert title.text == "callspool: 0 called twice, 0 lost, 7 in doubt"
    assert "prefers-color-scheme: dark" in drawn


def test_nothing_to_show_is_still_a_picture():
    assert ET.fromstring(picture([])).tag == f"{SVG}svg"
