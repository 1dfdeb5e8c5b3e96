"""What docs/message-format.md shows is what the code does."""

import re
from pathlib import Path

from callspool.request.call_request import RESERVED
from callspool.request.checks import Rules, check_envelope, check_raw_document
from callspool.request.identity import Scope, digest, made_document_id
from callspool.request.message import decode
from callspool.request.phones import identify

TEXT = (Path(__file__).parents[3] / "docs" / "message-format.md").read_text(encoding="utf-8")


def rows(heading: str) -> list[list[str]]:
    """The cells of the table under a header row, without their back-ticks."""
    table = TEXT.split(heading, 1)[1].split("\n\n", 1)[0].splitlines()[2:]
    return [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in table]


def example() -> bytes:
    found = re.search(r"redis-cli XADD .* requests '(.*?)'\n```", TEXT, re.DOTALL)
    assert found is not None
    return found[1].encode()


def test_the_example_is_a_message_of_two_documents() -> None:
    (request,) = decode({b"v": b"1", b"requests": example()}).requests
    envelope = check_envelope(request, Rules())
    checked = [check_raw_document(bytes(raw), Rules()) for raw in request.documents]
    assert [each.document_id for each in checked] == ["crm-17", made_document_id("+14155550124")]
    assert f"lane `{envelope.lane_id}`" in TEXT


def test_the_identities_shown_are_the_ones_computed() -> None:
    shown = rows("| account | space_token | campaign | document_id | identity |")
    assert len(shown) == 2
    for account, space_token, campaign, document_id, identity in shown:
        assert digest(Scope(account, space_token, campaign), document_id).hex() == identity


def test_the_made_ids_shown_are_the_ones_computed() -> None:
    shown = rows("| `contact_number` | identifying form | `document_id` |")
    assert len(shown) == 4
    for written, identifying, document_id in shown:
        assert identify(written.split("`")[0]) == identifying
        assert made_document_id(identifying) == document_id


def test_every_reserved_field_is_documented() -> None:
    assert all(f"`{field}`" in TEXT for field in RESERVED)
