"""Inputs that are packed, broken, endless, or in another encoding than UTF-8."""

import gzip
import io
import tracemalloc
from pathlib import Path

import msgspec
import pytest

from callspool_operators.lists import Intake, IntakeError, IntakeOptions, Row
from callspool_operators.lists.containers import GzipReader
from callspool_operators.preparing.reading import chunks_of_documents

HEADER = b"name,phone\n"
MANY = 5000


def rows(first: int, last: int) -> bytes:
    return b"".join(b"Ada %d,+1415%07d\n" % (n, n * 7919 % 10_000_000) for n in range(first, last))


def read_to_the_fault(intake: Intake) -> tuple[list[Row], str]:
    found: list[Row] = []
    with pytest.raises(IntakeError) as caught:
        found.extend(intake)
    assert "\n" not in str(caught.value)
    return found, str(caught.value)


@pytest.mark.parametrize("share", [0.3, 0.7, 0.999])
def test_of_a_file_that_is_cut_off_the_whole_rows_go_on(share: float, tmp_path: Path) -> None:
    content = HEADER + rows(0, MANY)
    whole = gzip.compress(content)
    path = tmp_path / "c.csv.gz"
    path.write_bytes(whole[: int(len(whole) * share)])
    intake = Intake([str(path)], IntakeOptions())
    intake.inspect()
    found, fault = read_to_the_fault(intake)
    assert "c.csv.gz is cut off" in fault
    assert 0.8 * share * MANY < len(found) <= MANY
    assert content.startswith(HEADER + b"".join(row.text for row in found))
    assert all(row.good and row.text.endswith(b"\n") for row in found)


def test_of_a_file_that_is_damaged_the_rows_before_it_go_on(tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(HEADER + rows(0, 200_000)))
    packed[len(packed) // 2] ^= 0xFF
    path = tmp_path / "c.csv.gz"
    path.write_bytes(packed)
    found, fault = read_to_the_fault(Intake([str(path)], IntakeOptions()))
    assert "is damaged" in fault
    assert len(found) > 50_000


def test_documents_before_a_fault_are_handed_on(tmp_path: Path) -> None:
    path = tmp_path / "c.csv.gz"
    path.write_bytes(gzip.compress(HEADER + rows(0, 1), mtime=0)[:-4])
    handed = chunks_of_documents(Intake([str(path)], IntakeOptions()))
    assert len(next(handed)) == 1
    with pytest.raises(IntakeError, match="is cut off"):
        next(handed)


def test_of_an_array_with_a_fault_nothing_is_read(tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    path.write_bytes(b'[{"name":"Ada","contact_number":"+14155550100"},{"name":"Bo')
    with pytest.raises(IntakeError, match="not valid JSON"):
        next(iter(Intake([str(path)], IntakeOptions())))


def test_a_bomb_is_refused_before_it_costs_much(tmp_path: Path) -> None:
    path = tmp_path / "c.csv.gz"
    with gzip.open(path, "wb") as file:
        file.write(HEADER)
        for _ in range(64):
            file.write(b" " * 999_999 + b"\n")
    tracemalloc.start()
    found, fault = read_to_the_fault(Intake([str(path)], IntakeOptions()))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert not found
    assert "more than 200 times its size" in fault
    assert peak < 40_000_000


def test_what_is_packed_is_handed_out_in_bounded_pieces() -> None:
    blocks = iter([gzip.compress(b"x" * 10_000_000), b""])
    packed = GzipReader(lambda: next(blocks, b""), "it")
    sizes = []
    while piece := packed.read():
        sizes.append(len(piece))
    assert sum(sizes) == 10_000_000
    assert max(sizes) <= 256 * 1024


def test_a_dense_list_of_contacts_is_no_bomb(tmp_path: Path) -> None:
    path = tmp_path / "c.csv.gz"
    note = b"x" * 500
    with gzip.open(path, "wb") as file:
        file.write(b"name,phone,note\n")
        file.writelines(b"Ada,+1415%07d,%s\n" % (n, note) for n in range(40_000))
    intake = Intake([str(path)], IntakeOptions())
    assert sum(row.good for row in intake) == 40_000
    assert intake.bytes_read == intake.bytes_total() == path.stat().st_size


def test_progress_of_a_packed_file_is_told_in_its_own_bytes(tmp_path: Path) -> None:
    path = tmp_path / "c.csv.gz"
    path.write_bytes(gzip.compress(HEADER + rows(0, 100_000)))
    intake = Intake([str(path)], IntakeOptions())
    total = intake.bytes_total()
    assert total is not None
    shares = [intake.bytes_read / total for _ in intake]
    assert shares == sorted(shares)
    assert abs(shares[len(shares) // 2] - 0.5) < 0.25
    assert shares[-1] == 1.0


def test_standard_input_may_be_packed() -> None:
    stdin = io.BytesIO(gzip.compress(HEADER + rows(0, 3)))
    assert [row.good for row in Intake(["-"], IntakeOptions(), stdin=stdin)] == [True] * 3


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        (HEADER, "CSV"),
        (HEADER + b"Jos\xe9,+14155550100\n", "CSV, Windows-1252"),
        (HEADER.decode().encode("utf-16"), "CSV, UTF-16"),
        (gzip.compress(HEADER, mtime=0), "CSV, gzip"),
        (
            gzip.compress(b'{"x":1}'.decode().encode("utf-16"), mtime=0),
            "JSON Lines, UTF-16, gzip",
        ),
        (b"[]", "JSON"),
    ],
)
def test_the_format_and_the_encoding_that_were_found_are_told(
    content: bytes, shown: str, tmp_path: Path
) -> None:
    path = tmp_path / "contacts"
    path.write_bytes(content)
    [view] = Intake([str(path)], IntakeOptions()).inspect()
    assert view.format == shown


def test_names_in_windows_1252_and_utf_16_arrive_as_they_are_meant(tmp_path: Path) -> None:
    text = "name,phone\nJosé O\u2019Hara,+14155550100\n"
    for encoding in ("cp1252", "utf-16", "utf-8-sig"):
        path = tmp_path / f"{encoding}.csv"
        path.write_bytes(text.encode(encoding))
        [row] = Intake([str(path)], IntakeOptions())
        assert msgspec.json.decode(row.raw)["name"] == "José O\u2019Hara"


def test_an_array_is_read_whole_up_to_a_bound_and_json_lines_without(tmp_path: Path) -> None:
    line = b'{"name":"Ada","contact_number":"+14155550100","x":"%b"}' % (b"x" * 100_000)
    path = tmp_path / "many.json"
    with path.open("wb") as file:
        file.write(b"[" + b",".join([line] * 700) + b"]")
    tracemalloc.start()
    with pytest.raises(IntakeError, match=r"more than 64 MiB.*make it JSON Lines.*jq -c"):
        Intake([str(path)], IntakeOptions()).inspect()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100_000_000
    path.write_bytes(b"\n".join([line] * 700))
    tracemalloc.start()
    assert sum(1 for _ in Intake([str(path)], IntakeOptions())) == 700
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 12_000_000


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64])
def test_an_array_is_the_same_in_pieces_of_any_size(size: int) -> None:
    class Trickle(io.BytesIO):
        def read1(self, _: int | None = -1) -> bytes:
            return self.read(size)

    content = b'\xef\xbb\xbf [ {"name":"A\\"da","contact_number":"+14155550100","x":{"y":"]"}},\n'
    content += b'null,\r\n{"name":"Bob","contact_number":"+14155550101"} ] \n'
    found = list(Intake(["-"], IntakeOptions(), stdin=Trickle(content)))
    assert [(row.line, row.good) for row in found] == [(1, True), (2, False), (3, True)]
