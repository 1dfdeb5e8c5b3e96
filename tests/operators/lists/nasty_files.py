"""Small files as exports really are, with the counts that must come out of each.

``(good, duplicate, invalid)``; the rows read are their sum. Suffix .jsonl means JSON Lines.
"""

from dataclasses import dataclass, field

HEADER = b"name,contact_number\n"
ADA = b"Ada,+14155550100\n"
BOB = b"Bob,+14155550101\n"
CY = b"Cy,+14155550102\n"


@dataclass(frozen=True)
class Nasty:
    """One file. ``reasons``: a part of each reason that has to come up, in the rows' order."""

    title: str
    content: bytes
    good: int = 0
    duplicate: int = 0
    invalid: int = 0
    reasons: tuple[str, ...] = ()
    lines: tuple[int, ...] = ()
    suffix: str = ".csv"
    columns: dict[str, str] = field(default_factory=dict)
    shared: bool = False
    region: str | None = None


def jsonl(
    title: str,
    content: bytes,
    *,
    good: int = 0,
    duplicate: int = 0,
    invalid: int = 0,
    reasons: tuple[str, ...] = (),
    lines: tuple[int, ...] = (),
) -> Nasty:
    return Nasty(title, content, good, duplicate, invalid, reasons, lines, suffix=".jsonl")


NASTY_FILES = [
    Nasty("a plain file", HEADER + ADA + BOB, good=2),
    Nasty("a byte order mark", b"\xef\xbb\xbf" + HEADER + ADA, good=1),
    Nasty("no line end at the end", HEADER + ADA.rstrip(), good=1),
    Nasty("CRLF line ends", (HEADER + ADA + BOB).replace(b"\n", b"\r\n"), good=2),
    Nasty("CR line ends", (HEADER + ADA + BOB).replace(b"\n", b"\r"), good=2),
    Nasty("mixed line ends", HEADER + b"Ada,+14155550100\rBob,+14155550101\r\n" + CY, good=3),
    Nasty("semicolons", b"Name;Phone\nAda;+14155550100\n", good=1),
    Nasty("tabs", b"Name\tPhone\nAda\t+14155550100\n", good=1),
    Nasty("a comma in a header of semicolons", b"Name;Phone;City, State\nAda;+14155550100;x\n", 1),
    Nasty("a quoted comma", b'name,Phone\n"Lovelace, Ada",+14155550100\n', good=1),
    Nasty("a quoted line break", b'name,Phone\n"Ada\nLovelace",+14155550100\n' + BOB, good=2),
    Nasty("doubled quotes", b'name,Phone\n"Ada ""the first""",+14155550100\n', good=1),
    Nasty("quotes around one word", b'name,Phone\n"Ada" Lovelace,+14155550100\n' + BOB, good=2),
    Nasty("a quote amid a cell", b'name,Phone\n6" Ada,+14155550100\n', good=1),
    Nasty("spaces before quotes", b'name, Phone\n"Lovelace, Ada", "+14155550100"\n', good=1),
    Nasty("a quoted line break in the header", b'name,"Phone\nnumber"\n' + ADA, good=1),
    Nasty("empty lines", b"\n\n" + HEADER + b"\n" + ADA + b"\n\n  \n" + BOB + b",\n", good=2),
    Nasty("lines of delimiters alone", HEADER + b",\n" + ADA + b" , \n", good=1),
    Nasty("short rows", b"name,Phone,City,Plan\nAda,+14155550100\n", good=1),
    Nasty("a row without its number", HEADER + b"Ada\n" + BOB, 1, 0, 1, ("contact_number",), (2,)),
    Nasty("a row without its name", HEADER + b",+14155550100\n", 0, 0, 1, ("name",), (2,)),
    Nasty("a name of spaces", HEADER + b"   ,+14155550100\n", 0, 0, 1, ("name",), (2,)),
    Nasty(
        "a row that is too long",
        HEADER + b"Ada,+14155550100,x\n" + BOB,
        1,
        0,
        1,
        ("has 3 cells, but the file has 2 columns",),
        (2,),
    ),
    Nasty("too long by empty cells only", HEADER + b"Ada,+14155550100,,\n", good=1),
    Nasty("letters in the number", HEADER + b"Ada,+1415CALLADA9\n", 0, 0, 1, ("contact_number",)),
    Nasty("words for a number", HEADER + b"Ada,ask her\n", 0, 0, 1, ("contact_number",)),
    Nasty("a number that is too short", HEADER + b"Ada,+1415\n", 0, 0, 1, ("contact_number",)),
    Nasty("scientific notation", HEADER + b"Ada,1.41556E+10\n", 0, 0, 1, ("shortened it",), (2,)),
    Nasty("scientific, with a comma", b"name;Phone\nAda;1,4E+10\n", 0, 0, 1, ("shortened it",)),
    Nasty("a number with a decimal point", HEADER + b"Ada,14155550100.0\n", good=1),
    Nasty("a decimal comma", b"name;Phone\nAda;14155550100,0\nBob;14155550101,\n", good=2),
    Nasty(
        "decimal places that are not nought",
        HEADER + b"Ada,14155550100.5\n" + BOB,
        1,
        0,
        1,
        ("has decimal places",),
        (2,),
    ),
    Nasty("dots between digits", HEADER + b"Ada,415.555.0100\n", good=1, region="US"),
    Nasty(
        "a second number that a spreadsheet has shortened",
        b"name,Phone,Alt Phone\nAda,+14155550100,1.41556E+10\n",
        good=1,
    ),
    Nasty(
        "ids that a spreadsheet has shortened",
        b"ID,name,Phone\n1.00E+05,Ada,+14155550100\n12e5,Bob,+14155550101\n",
        1,
        0,
        1,
        ("document_id: a spreadsheet has shortened it",),
        (2,),
    ),
    Nasty(
        "formulas are text", HEADER + b"=1+1,+14155550100\n@x,=14155550101+0\n", good=1, invalid=1
    ),
    Nasty(
        "numbers that were marked as text",
        b'name,Phone\nAda,\'+14155550100\nBob,"=""+14155550101"""\nCy,+14155550100\n',
        good=2,
        duplicate=1,
    ),
    Nasty(
        "numbers between invisible signs",
        HEADER + "Ada,\u202a+14155550100\u202c\nBob,\ufeff\u200e+14155550101\n".encode() + BOB,
        good=2,
        duplicate=1,
    ),
    Nasty("no country code, no region", HEADER + b"Ada,4155550100\n", good=1),
    Nasty("no country code, a region", HEADER + b"Ada,(415) 555-0100\n", good=1, region="US"),
    Nasty(
        "not UTF-8 in one row",
        HEADER + "Zoë,+14155550108\n".encode() + b"Jos\xe9,+14155550109\n" + ADA,
        2,
        0,
        1,
        ("UTF-8",),
        (3,),
    ),
    Nasty("names of all scripts", HEADER + "Zoë 李 Ôn ☎,+14155550100\n".encode(), good=1),
    Nasty("the same row twice", HEADER + ADA + ADA, good=1, duplicate=1),
    Nasty("the same id twice", b"ID,name,Phone\n7,A,+14155550100\n7,B,+14155550101\n", 1, 1),
    Nasty("the same number, two ids", b"ID,name,Phone\n1,A,+14155550100\n2,B,+14155550100\n", 1, 1),
    Nasty(
        "the same number, two ids, shared",
        b"ID,name,Phone\n1,A,+14155550100\n2,B,+14155550100\n",
        good=2,
        shared=True,
    ),
    Nasty("a shared number without ids", HEADER + ADA + b"Eva,+14155550100\n", 1, 1, shared=True),
    Nasty("one number, written in two ways", HEADER + ADA + b"A,+1 (415) 555-0100\n", 1, 1),
    Nasty(
        "the number of a duplicate is still free",
        b"ID,name,Phone\n7,A,+14155550100\n7,B,+14155550101\n8,C,+14155550101\n",
        good=2,
        duplicate=1,
    ),
    Nasty("a refused row is not remembered", HEADER + b",+14155550100\n" + ADA, 1, 0, 1, ("name",)),
    Nasty(
        "a quote that is never closed",
        HEADER + b'"Ada,+14155550100\n' + BOB + CY,
        2,
        0,
        1,
        ("a quote is opened and not closed",),
        (2,),
    ),
    Nasty(
        "two rows with a quote too many",
        b'name,Phone,City\nAda,+14155550100,"Paris\nBob,+14155550101,x\n'
        b'Cy,+14155550102,"Rome, IT"\nDi,+14155550103,y\n',
        3,
        0,
        1,
        ("a quote is opened and not closed",),
        (2,),
    ),
    Nasty(
        "the rest of a torn row is no contact",
        b'Phone,name,City\n+14155550100,"Ada,x\n+14155550101,Bob\n',
        0,
        0,
        2,
        ("a quote is opened", "not a whole row"),
        (2, 3),
    ),
    Nasty("a header and nothing else", HEADER),
    Nasty("two columns of one name", b"name,Phone,x,x\nAda,+14155550100,1,2\n", good=1),
    Nasty("columns without a name", b"name,Phone,,\nAda,+14155550100,1,2\n", good=1),
    Nasty("a quote in a column's name", b'name,Phone,"5"" disk"\nAda,+14155550100,1\n', good=1),
    Nasty("id and document_id", b"id,document_id,name,Phone\n1,a,Ada,+14155550100\n", good=1),
    Nasty("a reserved column", b"callspool_attempt,name,Phone\n1,Ada,+14155550100\n", good=1),
    Nasty("first and last name", b"First Name,Surname,Cell\nAda,Lovelace,+14155550100\n", good=1),
    Nasty(
        "first and last name under other headers",
        b"Vorname;Name;Telefon\nAda;Day;+14155550100\n",
        1,
        columns={"Vorname": "first_name", "Name": "last_name", "Telefon": "contact_number"},
    ),
    Nasty(
        "a last name without a name",
        b"name,First Name\n,Ada\n".replace(b"name,", b"phone,"),
        0,
        0,
        1,
    ),
    Nasty("only a last name in the row", b"First Name,Surname,Cell\n,Day,+14155550100\n", good=1),
    Nasty(
        "chosen columns",
        b"Wer,Wo\nAda,+14155550100\n",
        1,
        columns={"Wer": "name", "wo": "contact_number"},
    ),
    Nasty(
        "a very long cell",
        HEADER + b"A" * 200_000 + b",+14155550100\n" + BOB,
        1,
        0,
        1,
        ("longer than",),
    ),
    Nasty("a very long line", HEADER + b"x" * 3_000_000 + b"\n" + BOB, 1, 0, 1, ("longer than",)),
    Nasty("NUL in a cell", HEADER + b" " * 5000 + b"\n" + b"A\0da,+14155550100\n" + BOB, 2),
    jsonl("plain lines", b'{"name":"Ada","contact_number":"+14155550100"}\n', good=1),
    jsonl("no line end", b'{"name":"Ada","contact_number":"+14155550100"}', good=1),
    jsonl("empty lines", b'\n \n{"name":"Ada","contact_number":"+14155550100"}\r\n\n', good=1),
    jsonl("a BOM", b'\xef\xbb\xbf{"name":"Ada","contact_number":"+14155550100"}\n', good=1),
    jsonl(
        "a broken line",
        b'{"name":"Ada","contact_number":\n{"name":"Ada","contact_number":"+14155550100"}\n',
        good=1,
        invalid=1,
        reasons=("not a JSON object",),
        lines=(1,),
    ),
    jsonl(
        "lines that are no objects",
        b'{"name":"Ada","contact_number":"+14155550100"}\n[1]\n"x"\n7\nnull\n',
        good=1,
        invalid=4,
        reasons=("not a JSON object",) * 4,
        lines=(2, 3, 4, 5),
    ),
    jsonl(
        "not UTF-8",
        b'{"name":"Jos\xe9","contact_number":"+14155550100"}\n',
        invalid=1,
        reasons=("UTF-8",),
    ),
    jsonl(
        "a number that is a number",
        b'{"name":"Ada","contact_number":14155550100}\n',
        good=1,
    ),
    jsonl("an id", b'{"id":"a-1","name":"Ada","contact_number":"+14155550100"}\n', good=1),
    jsonl("other spellings", b'{"Full Name":"Ada","Phone":"+14155550100"}\n', good=1),
    jsonl(
        "first and last name",
        b'{"First Name":"Ada","last_name":"Day","Phone":"+14155550100"}\n'
        b'{"First Name":null,"last_name":1,"Phone":"+14155550101"}\n',
        good=1,
        invalid=1,
        reasons=("name: is missing",),
    ),
    jsonl(
        "numbers as a spreadsheet writes them",
        b'{"name":"Ada","contact_number":"14155550100.0"}\n'
        b'{"name":"Bob","contact_number":"1.41556E+10"}\n'
        b'{"name":"Cy","contact_number":"14155550100"}\n',
        good=1,
        duplicate=1,
        invalid=1,
        reasons=("shortened it",),
        lines=(2,),
    ),
    jsonl("nothing known", b'{"x":1}\n{}\n', invalid=2, reasons=("name", "name")),
    jsonl("nested too deep", b'{"a":' * 5000 + b"1" + b"}" * 5000 + b"\n", invalid=1),
    jsonl(
        "the same id twice",
        b'{"document_id":"1","name":"A","contact_number":"+14155550100"}\n'
        b'{"document_id":"1","name":"B","contact_number":"+14155550101"}\n',
        good=1,
        duplicate=1,
    ),
]
