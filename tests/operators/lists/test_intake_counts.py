"""Every row of every file is accounted for."""

import csv
import gzip
import io
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from callspool.request.checks import Rules
from callspool_operators.lists import Intake, IntakeError, IntakeOptions, RejectsFile, Row
from callspool_operators.lists.table_rows import NOT_UTF8
from tests.operators.conftest import Call
from tests.operators.lists.nasty_encodings import OTHER_FILES
from tests.operators.lists.nasty_files import NASTY_FILES, Nasty


def rows_of(path: Path, options: IntakeOptions | None = None) -> tuple[Intake, list[Row]]:
    intake = Intake([str(path)], options or IntakeOptions())
    intake.inspect()
    return intake, list(intake)


@pytest.mark.parametrize(
    "nasty", NASTY_FILES + OTHER_FILES, ids=lambda nasty: nasty.suffix + " " + nasty.title
)
def test_a_nasty_file_gives_the_counts_that_it_must(nasty: Nasty, tmp_path: Path) -> None:
    path = tmp_path / f"contacts{nasty.suffix}"
    path.write_bytes(nasty.content)
    options = IntakeOptions(
        rules=Rules(region=nasty.region),
        columns=nasty.columns,
        allow_shared_numbers=nasty.shared,
    )
    intake, rows = rows_of(path, options)
    counts = intake.counts
    refused = [row for row in rows if row.reason]
    assert (counts.good, counts.duplicate, counts.invalid) == (
        nasty.good,
        nasty.duplicate,
        nasty.invalid,
    ), [row.reason for row in refused]
    assert counts.read == counts.good + counts.duplicate + counts.invalid == len(rows)
    for row, reason in zip(refused, nasty.reasons, strict=False):
        assert reason in row.reason
    if nasty.lines:
        assert tuple(row.line for row in refused) == nasty.lines
    for row in rows:
        if row.good:
            document = msgspec.json.decode(row.raw)
            assert document["document_id"] == row.document_id
            assert document["name"]
            assert "id" not in document


BLANK = b" \t\r\n\x0b\x0c"
MARK = b"\xef\xbb\xbf"
REFUSED_WHOLE = {
    "empty": (b"", "is empty"),
    "white space": (b" \r\n\t\n", "is empty"),
    "lines of delimiters": (b"\n\n ,\n;;\n", "is empty"),
    "a statement with a number": (b"INSERT INTO c VALUES ('+14155550100')\n", "VALUES ('…')"),
    "a byte order mark alone": (b"\xef\xbb\xbf", "is empty"),
    "no phone column": (b"name,city\nAda,Paris\n", "--map COLUMN=contact_number"),
    "no name column": (b"phone,city\n+14155550100,Paris\n", "--map COLUMN=name"),
    "no header": (b"Ada,+14155550100\n", "looks like a contact"),
    "UTF-32": ("name,phone\n".encode("utf-32"), "not text"),
    "nothing in UTF-16": ("\r\n".encode("utf-16"), "is empty"),
    "gzip that is cut off": (b"\x1f\x8b\x08\0\0\0\0\0", "is cut off"),
    "gzip that is none": (b"\x1f\x8b\x08" + b"\xff" * 20, "is damaged"),
    "gzip in gzip": (gzip.compress(gzip.compress(b"name,phone\n")), "compressed twice"),
    "gzip of nothing": (gzip.compress(b""), "is empty"),
    "gzip of white space without end": (gzip.compress(b" " * 30_000_000), "is empty"),
    "gzip of one line without end": (gzip.compress(b"x" * 30_000_000), "longer than"),
    "an archive in gzip": (gzip.compress(b"PK\x03\x04...."), "an archive (.zip)"),
    "an archive": (b"PK\x03\x04....", "an archive (.zip)"),
    "binary": (b"name,phone\n\0\0\0", "not text"),
    "a JSON array that is cut off": (b'[{"name":"Ada"},', "not valid JSON"),
    "an object that is cut off": (b'{\n"name":"Ada",\n', "not valid JSON"),
    "words behind a JSON array": (b'[{"name":"Ada"}]\nthat is all', "not valid JSON"),
    "a torn text in an array": (b'[{"x":1},\n{"name":"Ada\n},{"name":"Bob"}]', "line 2: not valid"),
    "a comma too many": (b'[{"name":"Ada"},,{"name":"Bob"}]', "line 1: not valid JSON"),
    "a comma too few": (b'[{"name":"Ada"}\n{"name":"Bob"}]', "line 2: not valid JSON"),
    "a broken object in an array": (b'[{"name":"Ada"},\n{"name":}]', "line 2: not valid JSON"),
    "an array that is nested too deep": (b"[" * 200_000, "not valid JSON"),
    "an object without a list": (b'{"status":"ok","of":{"n":2}}', "has the keys status, of"),
    "an object with two lists": (b'{"a":[{"x":1}],"b":[{"y":1}]}', "several lists (a, b)"),
    "a wrapper with its key twice": (
        b'{"data":[{"name":"Ada","phone":"+14155550100"}],"data":[]}',
        "has the key data twice",
    ),
    "an inner wrapper with its key twice": (
        b'{"of":{"data":[{"name":"Ada","phone":"+14155550100"}],"data":[]}}',
        "has the key data twice",
    ),
    "an old spreadsheet": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "(.xls)"),
    "a web page": (b"\xef\xbb\xbf\r\n<html><table><tr><td>Ada", "is a web page (HTML)"),
    "a web page with its type": (b"<!DOCTYPE html>\n<html>\n", "is a web page (HTML)"),
    "a web page with its pictures": (b"MIME-Version: 1.0\n", "MHTML"),
    "a web page in UTF-16": ("<html>".encode("utf-16"), "is a web page (HTML)"),
    "an XML spreadsheet": (
        b'<?xml version="1.0"?>\n<Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet">',
        "a spreadsheet in XML",
    ),
    "XML": (b'<?xml version="1.0"?><contacts/>', "is XML"),
    "an address book": (b"BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Ada\r\nEND:VCARD\r\n", "vCard"),
    "an address book as LDIF": (b"dn: cn=Ada\ncn: Ada\n", "LDIF"),
    "a PDF document": (b"%PDF-1.7\n%\xe2\xe3", "a PDF document"),
    "a text document": (b"{\\rtf1\\ansi Ada}", "RTF"),
    "packed by bzip2": (b"BZh91AY&SY", "packed by bzip2"),
    "packed by xz": (b"\xfd7zXZ\0\0\4", "packed by xz"),
    "packed by zstd": (b"\x28\xb5\x2f\xfd\x04\0", "packed by zstd"),
    "a 7z archive": (b"7z\xbc\xaf\x27\x1c\0\4", "a 7z archive"),
    "a database": (b"SQLite format 3\0", "SQLite"),
    "lines that are one quoted cell": (
        b'"Name,Family Name,Phone"\n"Ada,Byron,+14155550100"\n',
        "is one cell in quotes",
    ),
    "names with loose quotes": (b'"The "name"",phone\n', "not doubled"),
    "a header that is never closed": (b'"name,phone\nAda,+14155550100\n', "is not closed"),
    "a header without end": (b"x" * 3_000_000, "longer than"),
    "a header that is not UTF-8": (b"name,phone,\xff\nAda,+14155550100,x\n", "is not UTF-8"),
    "one letter alone": (b"name,phone,x\nAda,+14155550100,\xff\n", "is not UTF-8"),
    "a name of two readings": (b"name,phone\nJ\x9arg,+14155550100\n", "--encoding mac_roman"),
    "names of two languages": (
        "name,phone\nŞahin François Erdoğan Núñez José,+14155550100\n".encode("cp1254"),
        "Windows-1252 (--encoding cp1252 reads Þçéðñú) or",
    ),
    "Cyrillic of one name": (
        "name,phone\n\u0410\u043d\u043d\u0430,+1\n".encode("cp1251"),
        "--encoding cp1251",
    ),
    "Turkish of one name": ("name,phone\nAyşe,+1\n".encode("cp1254"), "--encoding cp1254"),
    "Japanese": ("name,phone\n田中太郎,+1\n鈴木,+1\n".encode("shift_jis"), "is not UTF-8"),
    "Chinese": ("name,phone\n李丽,+1\n张伟,+1\n".encode("gbk"), "is not UTF-8"),
    "two encodings in one file": (
        b"name,phone\n" + b"Jos\xe9,+14155550110\n" * 12 + b"Jos\xc3\xa9,+14155550111\n",
        "is not UTF-8",
    ),
}


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("c.csv", '{"name":"Ada","phone":"+14155550100"}\n', "is JSON, whatever its name says"),
        ("c.csv", '[\n{"name":"Ada","phone":"+14155550100"}]', "is JSON, whatever its name says"),
        ("c.json", "null", "is no JSON list"),
        ("c.json", "name,phone\nAda,+14155550100\n", "is no JSON list"),
    ],
)
def test_a_file_that_is_not_what_its_name_says_is_refused_by_its_kind(
    name: str, content: str, words: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(IntakeError, match=words):
        rows_of(tmp_path / name)


@pytest.mark.parametrize("title", REFUSED_WHOLE)
def test_a_file_that_cannot_be_used_is_refused_in_one_line(title: str, tmp_path: Path) -> None:
    content, words = REFUSED_WHOLE[title]
    path = tmp_path / "contacts"
    path.write_bytes(content)
    with pytest.raises(IntakeError) as caught:
        rows_of(path)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "4155550100" not in str(caught.value)


LINES = st.sampled_from(
    [
        b"Ada,+14155550100,x",
        b'"Ada,+14155550101',
        b'"Ada", "+14155550102", "y\nz"',
        b"\xff\xfe,+14155550103",
        b'"a""b",+14155550104,"',
        b",,,,",
        b"1,2,3,4,5,6",
        b"",
        b'"Eve" of,+14155550105',
        b'{"name":"Ada","contact_number":"+14155550106"}',
        b"A\0da,+14155550107,\r",
    ]
)
FILES = st.one_of(
    st.binary(max_size=400),
    st.tuples(
        st.sampled_from([b"name,phone,city", b"Name;Phone;City", b"phone\tname", b'{"a":1}', b""]),
        st.lists(st.one_of(LINES, st.binary(max_size=30)), max_size=12),
        st.sampled_from([b"\n", b"\r\n", b"\r"]),
    ).map(lambda parts: parts[2].join([parts[0], *parts[1]])),
)


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(content=FILES, suffix=st.sampled_from([".csv", ".jsonl", ""]))
def test_any_bytes_are_either_refused_or_accounted_for(
    content: bytes, suffix: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / f"fuzzed{suffix}"
    path.write_bytes(content)
    try:
        intake, rows = rows_of(path)
    except IntakeError:
        return
    counts = intake.counts
    assert counts.read == len(rows) == counts.good + counts.duplicate + counts.invalid
    assert [row.line for row in rows] == sorted({row.line for row in rows})
    for row in rows:
        assert bool(row.reason) + bool(row.duplicate) <= 1
        if not row.reason:
            assert msgspec.json.decode(row.raw)["document_id"] == row.document_id
    covered = {row.line + n for row in rows for n in range(len(row.text.splitlines()))}
    for number, line in enumerate(content.splitlines(), 1):
        if rows and number > rows[0].line and any(map(str.isalnum, line.decode(errors="ignore"))):
            assert number in covered, "a line is neither a row nor part of one"
    if suffix == ".jsonl":
        lines = [line.removeprefix(MARK) for line in content.splitlines()]
        assert counts.read == sum(1 for line in lines if line.strip(BLANK))


ELEMENTS = st.sampled_from(
    [
        b'{"name":"Ada","contact_number":"+14155550106"}',
        b'{"name":"Bob","contact_number":"+14155550107","x":{"y":["}"]}}',
        b'{"name":"Cy,"contact_number":"+14155550108"}',
        b'{"name":}',
        b"null",
        b'"x',
        b"[[1]]",
        b"}",
        b"",
    ]
)


def is_json(text: bytes) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


ARRAYS = st.tuples(
    st.lists(st.one_of(ELEMENTS, st.binary(max_size=10)), max_size=8),
    st.sampled_from([b",", b",\n", b"\r\n  , "]),
    st.sampled_from([b"]", b"", b"]]"]),
).map(lambda parts: b"[" + parts[1].join(parts[0]) + parts[2])


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(content=st.one_of(ARRAYS, FILES), packed=st.booleans(), cut=st.integers(0, 40))
def test_any_bytes_packed_or_in_arrays_are_read_up_to_their_fault(
    content: bytes, packed: bool, cut: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    whole = gzip.compress(content, mtime=0) if packed else content
    path = tmp_path_factory.getbasetemp() / "fuzzed.json"
    path.write_bytes(whole[: len(whole) - cut] if cut < 20 else whole)
    rows: list[Row] = []
    intake = Intake([str(path)], IntakeOptions())
    with suppress(IntakeError):
        intake.inspect()
        rows.extend(intake)
    counts = intake.counts
    assert counts.read == len(rows) == counts.good + counts.duplicate + counts.invalid
    assert [row.line for row in rows] == sorted(row.line for row in rows)
    for row in rows:
        if row.good:
            assert msgspec.json.decode(row.raw)["document_id"] == row.document_id


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(parts=st.lists(ELEMENTS.filter(is_json)))
def test_every_element_of_an_array_is_a_row(
    parts: list[bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "elements.json"
    path.write_bytes(b"[" + b",\n".join(parts) + b"]")
    rows = list(Intake([str(path)], IntakeOptions()))
    assert [row.text for row in rows] == parts
    assert [row.line for row in rows] == [*range(1, len(parts) + 1)]


NAMES = st.sampled_from(["Ada", "Zoë Ô'Neill", "Ada, née Day", 'Ada "the first"', "A\nB", " ", ""])
NUMBERS = st.integers(100, 199).map("+14155550{}".format) | st.sampled_from(
    ["14155550100.0", "1.41556E+10", "(415) 555-0101", "x", ""]
)
IDS = st.integers(0, 5).map("crm-{}".format) | st.just("")
CONTACTS = st.lists(st.tuples(IDS, NAMES, NUMBERS, st.sampled_from(["", "a;b|c", "x" * 300])))


def as_table(contacts: list[tuple[str, ...]], delimiter: str) -> str:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter).writerows(
        [("ID", "Full Name", "Phone", "Tags"), *contacts]
    )
    return out.getvalue()


def as_json(contacts: list[tuple[str, ...]], indent: int | None) -> str:
    fields = ("document_id", "name", "contact_number", "note")
    return json.dumps([dict(zip(fields, each, strict=True)) for each in contacts], indent=indent)


def as_lines(contacts: list[tuple[str, ...]]) -> str:
    return "\n".join(as_json([each], None)[1:-1] for each in contacts)


@st.composite
def well_made_files(draw: st.DrawFn) -> tuple[bytes, str, list[tuple[str, ...]]]:
    contacts = draw(CONTACTS)
    text, suffix = draw(
        st.sampled_from(
            [
                *((as_table(contacts, delimiter), ".csv") for delimiter in ",;\t"),
                *((as_json(contacts, indent), ".json") for indent in (None, 1)),
                (as_lines(contacts), ".jsonl"),
            ]
        )
    )
    content = text.encode(draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16"])))
    return (gzip.compress(content, 1) if draw(st.booleans()) else content), suffix, contacts


def reading(content: bytes, suffix: str, directory: Path) -> tuple[Intake, list[Row], str]:
    """What is read of a file up to its fault, and that fault; the rejects tell the same."""
    path = directory / f"fuzzed{suffix}"
    kept_in = [directory / "rejects.jsonl", directory / "duplicates.jsonl"]
    path.write_bytes(content)
    rows: list[Row] = []
    fault = ""
    with RejectsFile(str(kept_in[0])) as rejects, RejectsFile(str(kept_in[1])) as duplicates:
        intake = Intake([str(path)], IntakeOptions(), rejects=rejects, duplicates=duplicates)
        try:
            rows.extend(intake)
        except IntakeError as broken:
            fault = str(broken)
    counts = intake.counts
    assert counts.read == len(rows) == counts.good + counts.duplicate + counts.invalid
    assert counts.duplicate == intake.likenesses.total()
    held_back = ([row for row in rows if row.reason], [row for row in rows if row.duplicate])
    for place, expected in zip(kept_in, held_back, strict=True):
        kept = [msgspec.json.decode(line) for line in place.read_bytes().splitlines()]
        found = [(each["line"], each["reason"]) for each in kept]
        assert found == [(row.line, row.verdict) for row in expected]
    places = {row.line for row in rows if row.good}
    for row in rows:
        if row.earlier is not None:
            assert row.earlier.line in places
            assert row.earlier.line <= row.line
    return intake, rows, fault


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(made=well_made_files())
def test_every_contact_of_a_well_made_file_is_a_row(
    made: tuple[bytes, str, list[tuple[str, ...]]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    content, suffix, contacts = made
    intake, rows, fault = reading(content, suffix, tmp_path_factory.getbasetemp())
    if suffix == ".csv":
        contacts = [each for each in contacts if any(map(str.strip, each))]
    assert intake.counts.read == len(contacts)
    for row, (_, name, number, _) in zip(rows, contacts, strict=True):
        if row.good:
            document = msgspec.json.decode(row.raw)
            assert document["name"].strip() == name.strip()
            assert document["contact_number"] == number.removesuffix(".0")
    assert (not fault) or (not contacts and "is empty" in fault)


MUTATIONS = st.lists(
    st.tuples(
        st.floats(0, 1),
        st.integers(0, 12),
        st.sampled_from([b"", b'"', b"\n", b"\r", b",", b";", b"\0", b"\xe9", b"{", b"]", b"\\"])
        | st.binary(max_size=3),
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(made=well_made_files(), mutations=MUTATIONS)
def test_a_file_that_was_damaged_is_accounted_for_up_to_its_fault(
    made: tuple[bytes, str, list[tuple[str, ...]]],
    mutations: list[tuple[float, int, bytes]],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    content, suffix, _ = made
    for share, removed, added in mutations:
        at = int(share * len(content))
        content = content[:at] + added + content[at + removed :]
    _, _, fault = reading(content, suffix, tmp_path_factory.getbasetemp())
    assert "\n" not in fault
    assert "41555501" not in fault


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(made=well_made_files(), mutations=MUTATIONS)
def test_rejects_that_were_not_mended_are_refused_again_row_by_row(
    made: tuple[bytes, str, list[tuple[str, ...]]],
    mutations: list[tuple[float, int, bytes]],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    content, suffix, _ = made
    for share, removed, added in mutations:
        at = int(share * len(content))
        content = content[:at] + added + content[at + removed :]
    source = tmp_path_factory.getbasetemp() / f"sent{suffix}"
    kept = tmp_path_factory.getbasetemp() / f"kept{suffix}"
    source.write_bytes(content)
    with RejectsFile(str(kept)) as rejects:
        intake = Intake([str(source)], IntakeOptions(), rejects=rejects)
        with suppress(IntakeError):
            list(intake)
    if intake.counts.invalid and NOT_UTF8 not in intake.faults:
        again = Intake([str(kept)], IntakeOptions())
        rows = list(again)
        assert again.counts.good == again.counts.duplicate == 0, rows
        assert again.counts.invalid == intake.counts.invalid


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(content=st.one_of(FILES, ARRAYS, well_made_files().map(lambda made: made[0])))
def test_the_command_never_fails_in_another_way_than_in_one_line(
    call: Call, content: bytes
) -> None:
    Path("fuzzed.csv").write_bytes(content)
    target = ("--space-token", "8KZTOKEN", "--pilot", "p", "--context", "c")
    nowhere = ("--redis", "redis://127.0.0.1:1", "--dry-run", "--rejects", "rejects.csv", "--json")
    result = call("send", "fuzzed.csv", *target, *nowhere)
    if result.code == 2:
        assert (result.out, result.err.count("\n")) == ("", 1)
        return
    counts: Any = result.json["documents"]
    nothing = counts["read"] > 0 == counts["valid"]
    assert (result.code, result.err) == (int(nothing), "")
    assert counts["read"] == counts["valid"] + counts["duplicate"] + counts["invalid"]
