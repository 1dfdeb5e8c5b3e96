"""Writes examples/contacts.csv: fictional people, as an export of contacts looks in real life.

Every number lies in a range that is reserved for fiction: +1 … 555 0100-0199 in several area
codes, +44 20 7946 0000-0999, +44 7700 900000-900999, and a few of +61 491 570. About one row in
fifty repeats a contact, and one in fifty is broken in a way that exports break. The same file
comes out every time.

    python examples/make_contacts.py [PATH]
"""

import csv
import sys
from collections.abc import Iterator
from pathlib import Path

CONTACTS = 1150
EVERY = 48
"""After so many good rows come a duplicate and, half-way between two of these, a broken row."""

HEADER = (
    *("ID", "Full Name", "Mobile No.", "E-Mail", "Company", "Job Title", "Address"),
    *("Labels", "Plan", "Last Order", "Note"),
)
NUMBER = HEADER.index("Mobile No.")

FIRST = (
    *("Amara", "Björn", "Chloé", "Dmitri", "Eilidh", "Fatima", "Gökçe", "Hiroshi", "Ingrid"),
    *("João", "Kavita", "Lars", "Márta", "Ngozi", "Óscar", "Priya", "Quentin", "Rosa", "Søren"),
    *("Tomasz", "Ulla", "Vikram", "Wanjiru", "Ximena", "Yusuf", "Zoë", "अनन्या", "Олена", "Ελένη"),
)
LAST = (
    *("Achterberg", "Bhatt", "Castañeda", "Dąbrowska", "Eze", "Fjeldsted", "Ghosh", "Hämäläinen"),
    *("Iqbal", "Jørgensen", "Křížová", "Lindqvist", "Mukherjee", "Núñez", "O'Hara", "Petrović"),
    *("Quispe", "Rao", "Šimunić", "Takahashi", "Ünal", "Vāgners", "Weiß", "Yüksel"),
)
COMPANIES = (
    *("Alder & Finch", "Brightwater Foods", "Cobalt Yard, Ltd.", "Dovetail Joinery"),
    *("Elm Street Books", "Fernhill Dairy", "", "Glasshouse Cafés", "Harbour Lights, Inc."),
    *("", "Ironbark Cycles", 'Jolly "Good" Toys', "Kestrel Optics"),
)
JOBS = (
    *("Owner", "Buyer", "Office manager", "", "Head of operations", "Engineer", "Accountant"),
    *("Teacher", "", "Shop assistant", "Nurse"),
)
STREETS = (
    *("Acacia Avenue", "Bridge Street", "Church Lane", "Dock Road", "Elm Close"),
    *("Fountain Square", "Garden Row"),
)
TOWNS = ("Riverton", "Northwick", "Saint-Élan", "Oldbridge", "Marrow Bay")
LABELS = ("gold, newsletter", "silver", "gold; trial", "newsletter", "", "bronze|call back", "vip")
PLANS = ("gold", "silver", "bronze", "trial")
NOTES = (
    *("", "prefers mornings", "asked for a call back, twice", "", "speaks French and German"),
    *('says "call any time"', "moved in spring\nnew address confirmed", "", "met at the fair"),
)

Row = list[str]


def numbers() -> Iterator[str]:
    """Numbers reserved for fiction, each once, written as people write them."""
    for last in ("006", "110", "156", "157", "158", "159"):
        yield f"+61 491 570 {last}"
    for place in range(100):
        yield f"+1415555{place + 100:04d}"
        yield f"+1 (212) 555-{place + 100:04d}"
        yield f"+44 20 7946 {place:04d}"
        yield f"+1-312-555-{place + 100:04d}"
        yield f"+447700900{place:03d}"
        yield f"+1 206 555 {place + 100:04d}"
        yield f"+4420794601{place:02d}"
        yield f"+1617555{place + 100:04d}"
        yield f"+44 7700 9001{place:02d}"
        yield f"+1.303.555.{place + 100:04d}"
        yield f"+44 (20) 7946-02{place:02d}"
        yield f"+1512555{place + 100:04d}"


def contact(place: int, number: str) -> Row:
    """The contact at a place of the list."""
    first, last = FIRST[place % len(FIRST)], LAST[place * 7 % len(LAST)]
    street = STREETS[place * 3 % len(STREETS)]
    between = "\n" if place % 29 == 0 else ", "
    return [
        f"crm-{place + 1:05d}",
        f"{first} {last}",
        number,
        f"contact{place + 1}@example.{('org', 'com', 'net')[place % 3]}" if place % 11 else "",
        COMPANIES[place * 5 % len(COMPANIES)],
        JOBS[place * 3 % len(JOBS)],
        f"{place * 13 % 180 + 1} {street}{between}{TOWNS[place % len(TOWNS)]}",
        LABELS[place * 2 % len(LABELS)],
        PLANS[place * 3 % len(PLANS)],
        f"2026-{place * 5 % 10 + 1:02d}-{place * 11 % 28 + 1:02d}" if place % 5 else "",
        NOTES[place * 4 % len(NOTES)],
    ]


def repeated(turn: int, row: Row) -> Row:
    """A contact once more: the same row, under another id, or with its number written anew."""
    again = list(row)
    if turn % 3 == 1:
        again[0] = f"web-{turn:04d}"
    if turn % 3 == 2:
        again[NUMBER] = "+" + "".join(filter(str.isdigit, again[NUMBER]))
    return again


def broken(turn: int, row: Row) -> Row:
    """A contact of its own that cannot be called as it stands."""
    bad = [f"old-{turn:04d}", *row[1:]]
    match turn % 6:
        case 0:
            bad[NUMBER] = ""
        case 1:
            bad[NUMBER] = "ask at reception"
        case 2:
            bad[NUMBER] = "1.41556E+10"
        case 3:
            bad.insert(1, "Dr.")
        case 4:
            bad[1] = "  "
        case _:
            bad[NUMBER] = "+1 415 555"
    return bad


def rows() -> Iterator[Row]:
    """All rows below the header."""
    for place, number in zip(range(CONTACTS), numbers(), strict=False):
        row = contact(place, number)
        yield row
        turn, left = divmod(place, EVERY)
        if left == EVERY - 1:
            yield repeated(turn, row)
        elif left == EVERY // 2:
            yield broken(turn, row)


def write(path: Path) -> None:
    """Writes the file."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEADER)
        writer.writerows(rows())


if __name__ == "__main__":
    default = Path(__file__).with_name("contacts.csv")
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else default)
