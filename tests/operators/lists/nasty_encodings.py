"""Files that are not plain UTF-8 tables: other encodings, packed ones, JSON arrays."""

import gzip

from tests.operators.lists.names import NAMES
from tests.operators.lists.nasty_files import ADA, BOB, CY, HEADER, Nasty

_ZOE = "Zoë,+14155550103\n"
_MANY = "".join(
    f"{name},+14155550{112 + n}\n" for n, name in enumerate(NAMES["German"].split("|")[:12])
).encode("cp1252")
_JOSE = b"Jos\xe9,+14155550104\n"
_ONE = b'{"name":"Ada","contact_number":"+14155550100"}'
_TWO = b'{"name":"Bob","contact_number":"+14155550101","x":{"y":[1,{"z":"}]"}]}}'
_THREE = b'{"name":"C\\"y","contact_number":"+14155550102"}'


def packed(title: str, content: bytes, good: int, invalid: int = 0, suffix: str = ".csv") -> Nasty:
    return Nasty(title, content, good, 0, invalid, suffix=suffix)


def array(
    title: str,
    content: bytes,
    good: int = 0,
    invalid: int = 0,
    *,
    duplicate: int = 0,
    reasons: tuple[str, ...] = (),
    lines: tuple[int, ...] = (),
    suffix: str = ".json",
) -> Nasty:
    return Nasty(title, content, good, duplicate, invalid, reasons, lines, suffix=suffix)


ENCODINGS = [
    Nasty(
        "UTF-16 as spreadsheets save it",
        f"Name\tPhone\r\n{_ZOE}".replace(",", "\t").encode("utf-16"),
        1,
        suffix=".txt",
    ),
    Nasty(
        "UTF-16, little end first", b"\xff\xfe" + (HEADER.decode() + _ZOE).encode("utf-16-le"), 1
    ),
    Nasty("UTF-16, big end first", b"\xfe\xff" + (HEADER.decode() + _ZOE).encode("utf-16-be"), 1),
    Nasty(
        "UTF-16 beyond its first plane", (HEADER.decode() + "😀,+14155550103\n").encode("utf-16"), 1
    ),
    Nasty(
        "half a character in UTF-16",
        (HEADER + ADA).decode().encode("utf-16") + b"\x3d\xd8" + BOB.decode().encode("utf-16-le"),
        1,
        0,
        1,
        ("UTF-8",),
        (3,),
    ),
    Nasty(
        "half a unit at the end of UTF-16",
        (HEADER + ADA).decode().encode("utf-16") + b"B",
        1,
        0,
        1,
        ("UTF-8",),
    ),
    Nasty(
        "JSON Lines in UTF-16",
        (_ONE + b"\n" + _THREE).decode().encode("utf-16"),
        2,
        suffix=".jsonl",
    ),
    Nasty("Windows-1252 in one row", HEADER + _JOSE + ADA, good=2),
    Nasty("hard spaces in numbers", HEADER + b"Ada,+1\xa0415\xa0555\xa00100\n", good=1),
    Nasty("Windows-1252 in the header", b"name,Phone,Gr\xf6\xdfe\nAda,+14155550100,x\n", good=1),
    Nasty(
        "Windows-1252 with typographic signs",
        HEADER + b"O\x92Hara \x96 \x80,+14155550100\n\xc9mile M\xfcller,+14155550101\n",
        good=2,
    ),
    Nasty(
        "a byte without meaning behind the sample of Windows-1252",
        HEADER + _MANY + b" ,\n" * 100_000 + b"A\x81a,+14155550111\n" + BOB,
        13,
        0,
        1,
        ("UTF-8",),
    ),
    Nasty(
        "UTF-8 with as many broken rows as whole ones",
        HEADER + _ZOE.encode() + _JOSE + BOB,
        2,
        0,
        1,
        ("UTF-8",),
        (3,),
    ),
    Nasty(
        "UTF-8 that is marked stays UTF-8",
        b"\xef\xbb\xbf" + HEADER + _JOSE + BOB,
        1,
        0,
        1,
        ("UTF-8",),
        (2,),
    ),
]

PACKED = [
    packed("gzip by its name", gzip.compress(HEADER + ADA), 1, suffix=".csv.gz"),
    packed("gzip by its content alone", gzip.compress(HEADER + ADA), 1),
    packed("gzip by its name alone", HEADER + ADA, 1, suffix=".csv.gz"),
    packed(
        "gzip of many members",
        gzip.compress(HEADER + b"A")
        + gzip.compress(b"da,")
        + gzip.compress(b"+14155550100\n" + CY),
        2,
    ),
    packed(
        "gzip with padding",
        gzip.compress(HEADER + ADA) + b"\0" * 100_000 + gzip.compress(BOB) + b"\0" * 7,
        2,
    ),
    packed("gzip of UTF-16", gzip.compress((HEADER + ADA).decode().encode("utf-16")), 1),
    packed("gzip of Windows-1252", gzip.compress(HEADER + _JOSE), 1),
    packed("gzip of JSON Lines", gzip.compress(_ONE + b"\n" + b"x\n"), 1, 1, ".jsonl.gz"),
    packed(
        "gzip of an array", gzip.compress(b"[" + _ONE + b"," + _TWO + b"]"), 2, suffix=".json.gz"
    ),
    packed(
        "gzip of a very long line", gzip.compress(HEADER + b"x" * 9_000_000 + b"\n" + BOB), 1, 1
    ),
    Nasty(
        "tab-separated, by its name",
        b"Phone\tName, in full\n+14155550100\tDay, Ada\n",
        1,
        suffix=".tsv",
        columns={"Name, in full": "name"},
    ),
]

ARRAYS = [
    array("an array on one line", b"[" + _ONE + b"," + _TWO + b"," + _THREE + b"]", 3),
    array("an array with a line for each", b"[\n" + _ONE + b",\n" + _TWO + b"\n]\n", 2),
    array("an array without a name for it", b"\xef\xbb\xbf \n[" + _ONE + b"]", 1, suffix=""),
    array("an empty array", b"[ ]\n"),
    array(
        "elements that are no objects",
        b'[1,\n"x, y",\n[[1],{}],\nnull,\n' + _ONE + b",\ntrue]",
        1,
        5,
        reasons=("is not a JSON object",) * 5,
        lines=(1, 2, 3, 4, 6),
    ),
    array(
        "not UTF-8 in an object", b'[{"name":"Jos\xe9"},\n' + _ONE + b"]", 1, 1, reasons=("UTF-8",)
    ),
    array(
        "an object that is too long",
        b'[{"x":"' + b"x" * 2_000_000 + b'"},' + _ONE + b"]",
        1,
        1,
        reasons=("longer than",),
    ),
    array("the same contact twice", b"[" + _ONE + b"," + _ONE + b"]", 1, duplicate=1),
    array("one object", _ONE, 1),
    array(
        "one object over several lines",
        b'{\n "name": "Ada",\n "contact_number": "+14155550100"\n}\n',
        1,
    ),
    array(
        "objects over several lines",
        b'{"name":"Ada",\n"contact_number":"+14155550100"}\n' + _TWO + _THREE,
        3,
    ),
    array("arrays one after the other", b"[" + _ONE + b"]\n[" + _TWO + b"]\n", 2),
    array(
        "a list in an object", b'{"count":2,"next":null,"results":[' + _ONE + b"," + _TWO + b"]}", 2
    ),
    array("a list in an object, spread", b'{\n "data": [\n' + _ONE + b",\n" + _TWO + b"\n]}\n", 2),
    array("a list in objects in an object", b'{"a":{"b":{"items":[' + _ONE + b"]}}}", 1),
    array(
        "a list beside others that hold no contacts",
        b'{"errors":[],"included":[{"type":"x"}],"data":[' + _ONE + b'],"tags":["a"]}',
        1,
    ),
    array("pages one after the other", b'{"data":[' + _ONE + b']}\n{"data":[' + _TWO + b"]}\n", 2),
    array("an empty list in an object", b'{"data":[]}'),
    array("a contact with a list in it", b'{"x":[{"y":1}],' + _ONE[1:], 1),
    array(
        "a key twice",
        b'[{"name":"Ada","phone":"+14155550100","phone":"+14155550101"},\n' + _TWO + b"]",
        1,
        1,
        reasons=("has the key phone twice",),
        lines=(1,),
    ),
    array("an array in UTF-16", (b"[" + _ONE + b"]").decode().encode("utf-16"), 1),
]

OTHER_FILES = [*ENCODINGS, *PACKED, *ARRAYS]
