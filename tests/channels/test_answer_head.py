"""The head of an answer: the same however its bytes come, bounded whatever they are."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from virtual import REPLAYED

from tui.channels.answer_head import MOST_BYTES, MOST_LINES, AnswerHead

PIECES = (
    *(b"HTTP/1.1 ", b"HTTP/1.0 ", b"HTTP/2 ", b"100", b"101", b"103", b"403", b"503", b"99", b" OK"),
    *(b"\r\n", b"\n", b"\r", b"\r\n\r\n", b"retry-after: 7", b"x:", b": y", b" folded", b"\0", b"\xff"),
    *(b"SSH-2.0", b"\x15\x03\x03", b"HTTPS port", b"y" * 5000),
)


def seen(head: AnswerHead) -> tuple[object, ...]:
    return head.status, head.fields, head.problem, head.ended, head.cleaned(("retry-after",))


@REPLAYED
@given(st.lists(st.sampled_from(PIECES), max_size=40).map(b"".join), st.lists(st.integers(1, 4000)))
def test_it_does_not_matter_how_the_bytes_come(data: bytes, sizes: list[int]) -> None:
    whole, pieces = AnswerHead(), AnswerHead()
    at_once = whole.feed(data)
    place = taken = 0
    for size in (*sizes, len(data)):
        taken += pieces.feed(data[place : place + size])
        place += size
    assert seen(whole) == seen(pieces)
    if whole.problem is None:
        assert at_once == taken
        assert at_once == len(data) or whole.ended


@pytest.mark.parametrize(
    "part", [b"\n", b"\r", b"a:\n", b" \n", b"x", b"a: b\r\n", b"HTTP/1.1 100\n\n"], ids=repr
)
@pytest.mark.parametrize("size", [1, MOST_BYTES], ids=["byte by byte", "at once"])
def test_whatever_comes_costs_little_and_ends(part: bytes, size: int) -> None:
    first = b"" if part.startswith(b"HTTP") else b"HTTP/1.1 503\n"
    data = first + part * (2 * MOST_BYTES // len(part))
    head = AnswerHead()
    began = time.process_time()
    place = 0
    while not head.ended and place < len(data):
        head.feed(data[place : place + size])
        place += size
    assert head.ended
    assert len(head.fields) <= MOST_LINES
    assert time.process_time() - began < 0.5
