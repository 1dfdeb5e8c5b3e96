"""Commands are written as Redis reads them, whoever writes them."""

from __future__ import annotations

import hiredis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from callspool.redis_io import scripts
from callspool.redis_io.scripts import pack

words = st.one_of(
    st.binary(max_size=40),
    st.text(max_size=20),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False),
)
names = st.sampled_from(["GET", "XGROUP CREATE", "EVALSHA"])
commands = st.lists(st.builds(lambda name, rest: (name, *rest), names, st.lists(words)), max_size=5)


@given(commands)
def test_with_hiredis_and_without_the_same_bytes_are_written(
    asked: list[scripts.Command],
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scripts, "_quick", hiredis.pack_command)
        quick = pack(asked)
        patch.setattr(scripts, "_quick", None)
        assert pack(asked) == quick


def test_hiredis_writes_and_reads_where_it_is_installed() -> None:
    assert scripts._quick is hiredis.pack_command
    assert scripts.Reader is hiredis.Reader


@given(commands)
def test_a_server_reads_the_words_that_were_written(asked: list[scripts.Command]) -> None:
    reader = hiredis.Reader()
    reader.feed(pack(asked))
    read = [reader.gets() for _ in asked]
    assert reader.gets() is False
    assert read == [
        [*str(name).encode().split(b" "), *map(_sent, arguments)] for name, *arguments in asked
    ]


def _sent(argument: scripts.Argument) -> bytes:
    return argument if isinstance(argument, bytes) else str(argument).encode()
