"""A list in any encoding is read with the right letters, or it is not read at all."""

import gzip
import io
import random
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from callspool_operators.lists import Intake, IntakeError, IntakeOptions
from callspool_operators.lists.encodings import Evidence, judge_words
from tests.operators.conftest import Call
from tests.operators.lists.names import NAMES, WRITTEN_IN

ROUNDS = 12
PAIRS = [(language, codec) for language, codecs in WRITTEN_IN.items() for codec in codecs]
TARGET = ("--space-token", "8KZTOKEN", "--pilot", "p", "--context", "c")
NOWHERE = ("--redis", "redis://127.0.0.1:1")


def table(names: list[str]) -> str:
    rows = [f"{name},+14155550{100 + n % 100}\n" for n, name in enumerate(names)]
    return "name,phone\n" + "".join(rows)


def read_as(content: bytes) -> str | None:
    """The text as it is read; None where that is refused."""
    evidence = Evidence()
    evidence.add(content)
    verdict = evidence.verdict()
    if not verdict.is_known:
        return None
    codec = verdict.encoding.codec if verdict.encoding else "utf-8"
    return content.decode(codec, "surrogateescape")


def tries(language: str, codec: str, size: int) -> Counter[bool | None]:
    """How often names of a language are read right (True), wrong (False), not at all (None)."""
    chance = random.Random(f"{language} {codec} {size}")
    names = NAMES[language].split("|")
    found: Counter[bool | None] = Counter()
    for _ in range(ROUNDS):
        text = table(chance.sample(names, min(size, len(names))))
        try:
            content = text.encode(codec)
        except UnicodeEncodeError:
            continue
        read = read_as(content)
        found[None if read is None else read == text] += not content.isascii()
    return found


@pytest.mark.parametrize(("language", "codec"), PAIRS)
def test_a_list_of_names_is_never_read_with_wrong_letters(language: str, codec: str) -> None:
    for size in (6, 8, 20):
        assert tries(language, codec, size)[False] == 0


COMMON = [
    (language, codec)
    for language, codec in PAIRS
    if codec in {"cp1252", "mac_roman", "cp850", "cp1250", "iso8859_2", "cp1254", "cp1251"}
    and language not in {"Estonian", "Polish"}
]


@pytest.mark.parametrize(("language", "codec"), COMMON)
def test_a_list_of_twenty_names_in_a_common_encoding_is_read(language: str, codec: str) -> None:
    found = tries(language, codec, 20)
    assert found[True] == found.total()


def test_two_names_in_windows_1252_are_enough_as_a_rule() -> None:
    found: Counter[bool | None] = Counter()
    for language in ("German", "French", "Spanish", "Portuguese", "Swedish", "Italian"):
        found += tries(language, "cp1252", 2)
    assert found[False] == 0
    assert found[True] > 0.9 * found.total()


def names_of(path: Path, **options: str) -> list[str]:
    rows = Intake([str(path)], IntakeOptions(**options))  # type: ignore[arg-type]
    return [msgspec.json.decode(row.raw)["name"] for row in rows if row.good]


def test_the_first_accent_may_stand_far_behind(tmp_path: Path) -> None:
    """The whole file decides: a sample of its start holds ASCII alone."""
    ascii_rows = "".join(f"Ada {n},+1415556{n:04}\n" for n in range(10_000)) * 2
    path = tmp_path / "c.csv"
    content = (
        table([])
        + ascii_rows
        + "".join(f"{name},+1415557{n:04}\n" for n, name in enumerate(NAMES["German"].split("|")))
    )
    for codec in ("mac_roman", "cp850", "cp1252"):
        path.write_bytes(content.encode(codec))
        assert names_of(path)[-20:] == NAMES["German"].split("|")
        packed = tmp_path / f"{codec}.csv.gz"
        packed.write_bytes(gzip.compress(path.read_bytes(), 1))
        assert names_of(packed)[-20:] == NAMES["German"].split("|")


class Pipe(io.BytesIO):
    """What can be read only once."""

    def seekable(self) -> bool:
        return False


def test_a_pipe_is_judged_where_its_first_accent_comes() -> None:
    names = NAMES["German"].split("|")
    ascii_rows = "".join(f"Ada {n},+1415556{n:04}\n" for n in range(10_000)) * 2
    text = (
        table([]) + ascii_rows + "".join(f"{name},+1415557{n:04}\n" for n, name in enumerate(names))
    )
    pipe = Pipe(text.encode("mac_roman"))
    intake = Intake(["-"], IntakeOptions(), stdin=pipe)
    read = [msgspec.json.decode(row.raw)["name"] for row in intake if row.good]
    assert read[-20:] == names
    assert intake.encodings == {"-": "Mac Roman"}


def test_a_pipe_that_stays_unsure_ends_before_the_first_such_name() -> None:
    pipe = Pipe(b"name,phone\n" + b"Ada,+14155550100\n" * 20_000 + b"J\x9arg,+14155550101\n")
    rows = []
    with pytest.raises(IntakeError, match=r"cannot be told: .*--encoding mac_roman reads ö"):
        rows.extend(Intake(["-"], IntakeOptions(), stdin=pipe))


def test_the_encoding_that_is_named_counts(tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    names = ["田中太郎", "鈴木花子"]
    for codec in ("shift_jis", "euc_jp", "utf-16", "utf-16-be", "utf-8-sig"):
        path.write_bytes(table(names).encode(codec))
        assert names_of(path, codec=codec) == names
    lines = b'{"name":"J\x9arg","phone":"+14155550100"}\n'
    (tmp_path / "c.jsonl").write_bytes(lines)
    assert names_of(tmp_path / "c.jsonl", codec="mac_roman") == ["Jörg"]


def test_utf16_without_a_mark_is_read(tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    for codec in ("utf-16-le", "utf-16-be"):
        path.write_bytes(table(["Ada", "Zoë"]).encode(codec))
        assert names_of(path) == ["Ada", "Zoë"]


def test_two_names_with_letters_are_shown_as_they_are_sent(call: Call) -> None:
    names = NAMES["German"].split("|")
    Path("c.csv").write_bytes(table(names).encode("mac_roman"))
    seen = call("send", "c.csv", *TARGET, *NOWHERE, "--dry-run")
    assert "c.csv (CSV, Mac Roman)" in seen.out
    assert "names as they are sent: Jörg Müller, Käthe Groß" in seen.out
    wrong = call("send", "c.csv", *TARGET, *NOWHERE, "--dry-run", "--encoding", "cp1252")
    assert "Jšrg MŸller" in wrong.out
    found = call("send", "c.csv", *TARGET, *NOWHERE, "--dry-run", "--json").json
    assert found["lettered_names"] == ["Jörg Müller", "Käthe Groß"]
    assert found["encodings"] == {"c.csv": "Mac Roman"}


def test_an_encoding_that_does_not_exist_is_refused(call: Call) -> None:
    Path("c.csv").write_text(table(["Ada"]))
    refused = call("send", "c.csv", *TARGET, "--encoding", "klingon", "--dry-run")
    assert refused.code == 2
    assert "'klingon' is no encoding of text" in refused.err
    binary = call("send", "c.csv", *TARGET, "--encoding", "base64", "--dry-run")
    assert "is no encoding of text" in binary.err


@pytest.mark.parametrize(
    "names",
    [
        "José Zoë Jürgen Müller Groß",
        "Jörg François Núria Søren",
        "André Müller Weiß Núñez Gonçalves Göran Øystein Chloé Peña",
    ],
)
def test_names_of_several_western_languages_are_windows_1252(names: str):
    found = judge_words(names.encode("cp1252").split())
    assert found.encoding is not None
    assert found.encoding.codec == "cp1252"


@pytest.mark.parametrize(
    ("names", "codec"),
    [
        ("Çelik Şahin Erdoğan Müller José Jürgen François Renée", "cp1254"),
        ("Dvořák Müller Jürgen Jiří Kateřina Groß Zdeněk", "cp1250"),
        ("André Müller Weiß Núñez Gonçalves Göran Chloé Peña", "mac_roman"),
        ("André Müller Weiß Núñez Gonçalves Göran Chloé Peña", "cp850"),
    ],
)
def test_mixed_names_in_another_encoding_are_never_taken_for_windows_1252(names: str, codec: str):
    found = judge_words(names.encode(codec).split())
    assert found.encoding is None or found.encoding.codec == codec
