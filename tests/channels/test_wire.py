"""Frames as bytes and back, against literals of real servers."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.channels.virtual import REPLAYED
from tui.channels.wire import DecodeError, Message, TextDecoder, decode_binary, decode_reply, encode


def decode_text(data: bytes, version: int) -> Message:
    """Decode a frame as the first of a connection, and see that it is the same the second time."""
    decoder = TextDecoder(version)
    first, second = decoder.decode(data), decoder.decode(data)
    for name in ("join_ref", "ref", "topic", "event", "raw"):
        assert getattr(first, name) == getattr(second, name)
    return second


def fields(message: Any) -> list[Any]:
    return [message.join_ref, message.ref, message.topic, message.event, message.payload]


# Text


def test_a_version_two_frame_is_an_array_and_comes_back() -> None:
    data = encode("0", "1", "t", "e", {"foo": 1}, 2)
    assert data == b'["0","1","t","e",{"foo":1}]'
    assert fields(decode_text(data, 2)) == ["0", "1", "t", "e", {"foo": 1}]


def test_a_version_one_frame_is_an_object_without_join_ref() -> None:
    data = encode("0", "1", "t", "e", {"foo": 1}, 1)
    assert json.loads(data) == {"topic": "t", "event": "e", "payload": {"foo": 1}, "ref": "1"}
    assert fields(decode_text(data, 1)) == [None, "1", "t", "e", {"foo": 1}]


def test_elements_past_the_fifth_and_unknown_keys_are_ignored() -> None:
    assert fields(decode_text(b'[null,null,"t","e",{},7,"x"]', 2)) == [None, None, "t", "e", {}]
    assert decode_text(b'{"topic":"t","event":"e","payload":{},"ref":null,"x":1}', 1).topic == "t"


@pytest.mark.parametrize("ref", ["1", 13, 1.5, True, None])
def test_refs_may_be_any_scalar(ref: Any) -> None:
    data = json.dumps([ref, ref, "t", "e", {}]).encode()
    assert fields(decode_text(data, 2))[:2] == [ref, ref]


@pytest.mark.parametrize(
    "payload", [{}, [], "x", 1, 2**63, 1.5e300, None, True, {"ключ": "\u2028 \U0001f600"}]
)
def test_payloads_may_be_any_json_and_are_exact(payload: Any) -> None:
    data = json.dumps([None, None, "t", "e", payload], ensure_ascii=False).encode()
    assert decode_text(data, 2).payload == payload


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"nonsense",
        b"\x00]",
        b"null",
        b"{}",
        b"[]",
        b'["1","2","t","e"]',
        b'["1","2",3,"e",{}]',
        b'["1","2","t",null,{}]',
        b'[[],"2","t","e",{}]',
        b'["1","2","t","e",{}',
        b'["1","2","\xff","e",{}]',
        b"[" * 100_000,
        b'["1","2","t","e",]',
        b'[null,null,"t","e",{}],[]',
    ],
)
@pytest.mark.parametrize("version", [1, 2])
def test_what_is_no_frame_is_told_without_its_bytes(data: bytes, version: int) -> None:
    """At the latest when its payload is asked for."""
    with pytest.raises(DecodeError) as raised:
        _ = decode_text(data, version).payload
    assert "nonsense" not in str(raised.value)


def test_a_payload_that_does_not_decode_fails_only_when_it_is_asked_for() -> None:
    message = decode_text(b'["1","2","t","e",{"a":"\xff"}]', 2)
    assert (message.topic, message.event) == ("t", "e")
    for _ in range(2):
        with pytest.raises(DecodeError):
            _ = message.payload
    assert message.payload_or_none() is None


def test_a_payload_decodes_as_the_type_that_is_asked_for() -> None:
    message = decode_text(b'[null,null,"t","e",{"n":1}]', 2)
    assert message.decode(dict[str, int]) == {"n": 1}
    with pytest.raises(DecodeError):
        message.decode(dict[str, str])
    with pytest.raises(DecodeError, match="no JSON"):
        decode_binary(b"\x02\x01\x01tex").decode(dict)


# Binary: the literals are those of real servers.


def test_a_binary_push_to_send() -> None:
    data = encode("1", "2", "echo:b", "echo", b"\x09\x08\x07", 2)
    assert data == bytes.fromhex("000101060431326563686f3a626563686f090807")


def test_a_binary_push_has_lengths_of_its_own_and_may_lack_refs() -> None:
    data = encode(None, None, "topic", "event", b"", 2)
    assert data == b"\x00\x00\x00\x05\x05topicevent"


def test_a_binary_push_of_the_server_has_no_ref() -> None:
    message = decode_binary(bytes.fromhex("0001060d316563686f3a627075736865645f62696e617279cafe"))
    assert fields(message) == ["1", None, "echo:b", "pushed_binary", b"\xca\xfe"]


def test_a_binary_reply_has_its_status_in_the_place_of_the_event() -> None:
    message = decode_binary(bytes.fromhex("010101060231326563686f3a626f6b090807"))
    assert fields(message) == ["1", "2", "echo:b", "phx_reply", b"\x09\x08\x07"]
    reply = decode_reply(message)
    assert (reply.status, reply.response) == ("ok", b"\x09\x08\x07")
    error = decode_reply(decode_binary(bytes.fromhex("010101060531346563686f3a626572726f72000102fdfeff")))
    assert (error.status, error.response) == ("error", b"\x00\x01\x02\xfd\xfe\xff")


def test_a_binary_broadcast_has_no_refs() -> None:
    message = decode_binary(bytes.fromhex("02060c6563686f3a6273686f75745f62696e617279beef"))
    assert fields(message) == [None, None, "echo:b", "shout_binary", b"\xbe\xef"]


def test_a_null_ref_is_a_length_of_zero() -> None:
    assert decode_binary(b"\x01\x00\x00\x01\x02tok").join_ref is None
    assert decode_binary(b"\x01\x00\x00\x01\x02tok").ref is None


def test_lengths_are_bytes_of_utf8() -> None:
    data = encode("1", "2", "é" * 100, "ключ", b"x", 2)
    assert data[3:5] == bytes([200, 8])
    message = decode_binary(b"\x02" + bytes([200, 8]) + ("é" * 100).encode() + "ключ".encode() + b"x")
    assert (message.topic, message.event, message.payload) == ("é" * 100, "ключ", b"x")


@pytest.mark.parametrize("place", range(4))
def test_a_field_of_more_than_255_bytes_is_refused_by_its_name(place: int) -> None:
    names = ["join_ref", "ref", "topic", "event"]
    texts = ["x"] * 4
    texts[place] = "é" * 128
    with pytest.raises(ValueError, match=f"^{names[place]} is longer than the 255 bytes"):
        encode(*texts, b"", 2)
    texts[place] = "x" * 255
    assert encode(*texts, b"", 2)[1 + place] == 255


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x03abc",
        b"[1]",
        b"\x00\x01",
        b"\x01\x01\x01\x01\x05a",
        b"\x02\x05\x05abc",
        b"\x02\x01\x01\xffe",
    ],
)
def test_what_is_no_binary_frame_is_told(data: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_binary(data)


@pytest.mark.parametrize("payload", [b"{}", b"[]", b'{"status":1}', b"7", b'{"status":"ok"'])
def test_a_reply_without_a_status_is_told(payload: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_reply(decode_text(b'["1","2","t","phx_reply",' + payload + b"]", 2))


def test_a_reply_may_have_any_status_and_no_response() -> None:
    reply = decode_reply(decode_text(b'["1","2","t","phx_reply",{"status":"pending"}]', 2))
    assert (reply.status, reply.response) == ("pending", None)


# Anything

scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text()
json_values = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=10
)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


@REPLAYED
@given(refs=st.tuples(texts, texts), topic=texts, event=texts, payload=json_values)
def test_every_text_frame_comes_back_as_it_went(
    refs: tuple[str, str], topic: str, event: str, payload: Any
) -> None:
    try:
        data = encode(*refs, topic, event, payload, 2)
    except ValueError:  # half of a surrogate pair is nothing that UTF-8 can say
        return
    assert fields(decode_text(data, 2)) == [*refs, topic, event, payload]


frames = st.tuples(
    st.sampled_from([None, "1", 1, 'q"', "a,b"]),
    st.sampled_from([None, "1", "2", 7]),
    st.sampled_from(["t", 'a",b', "a\\", '",', "комната", ""]),
    st.sampled_from(["e", '","', "\n", "phx_reply"]),
    st.sampled_from([{}, [], 0, None, "]", '",', {"a": ['",', "]"]}, [None, None, "t", "e", {}]]),
    st.sampled_from([(), (1,), ("]",), ({},)]),
)
mutations = st.none() | st.tuples(
    st.integers(0, 60), st.sampled_from([b"]", b'"', b",", b"[", b" ", b'",', b"\\", b"0", b""])
)


@REPLAYED
@given(sequence=st.lists(st.tuples(frames, st.booleans(), mutations), max_size=8))
def test_what_was_decoded_before_never_changes_what_a_frame_says(
    sequence: list[tuple[Any, bool, tuple[int, bytes] | None]],
) -> None:
    """Known headers are compared and not parsed: the answer must be that of a plain parser, or none."""
    decoder = TextDecoder(2)
    for (*elements, more), compact, mutation in sequence:
        separators = (",", ":") if compact else (", ", ": ")
        data = json.dumps([*elements, *more], separators=separators, ensure_ascii=False).encode()
        if mutation is not None:
            data = data[: mutation[0]] + mutation[1] + data[mutation[0] + 1 :]
        try:
            plain = json.loads(data)
            shaped = isinstance(plain, list) and len(plain) >= 5
            shaped = shaped and all(isinstance(element, str) for element in plain[2:4])
            shaped = shaped and not any(isinstance(element, (list, dict)) for element in plain[:2])
        except ValueError:
            shaped = False
        if shaped:
            assert fields(decoder.decode(data)) == plain[:5]
        else:
            with pytest.raises(DecodeError):
                _ = decoder.decode(data).payload


@REPLAYED
@given(data=st.binary(max_size=200))
def test_no_bytes_raise_anything_but_a_decode_error(data: bytes) -> None:
    for decode in (lambda: decode_text(data, 1), lambda: decode_text(data, 2), lambda: decode_binary(data)):
        try:
            message = decode()
        except DecodeError:
            continue
        message.payload_or_none()
        assert message.size >= 0
