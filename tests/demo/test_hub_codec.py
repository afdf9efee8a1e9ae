"""The literal frames of the protocol, both ways."""

from __future__ import annotations

import pytest

from tui.demo.codec import ONE, TWO, Frame, MalformedError, NotEncodableError, serializer_for


def test_binary_layouts():
    data = bytes.fromhex("000101060431326563686f3a626563686f090807")
    assert TWO.decode(data) == Frame("1", "2", "echo:b", "echo", b"\x09\x08\x07")
    cases = {
        TWO.reply("1", "2", "echo:b", "ok", b"\x09\x08\x07"): "010101060231326563686f3a626f6b090807",
        TWO.push("1", None, "echo:b", "pushed_binary", b"\xca\xfe"): (
            "0001060d316563686f3a627075736865645f62696e617279cafe"
        ),
        TWO.broadcast("echo:b", "shout_binary", b"\xbe\xef"): (
            "02060c6563686f3a6273686f75745f62696e617279beef"
        ),
    }
    for wire, expected in cases.items():
        assert (wire.data.hex(), wire.text) == (expected, False)
    # A null ref has length 0.
    assert TWO.reply("1", None, "t", "ok", b"").data == b"\x01\x01\x00\x01\x021tok"


def test_text():
    assert TWO.push("1", None, "t", "e", {"a": [1.5e300, 2**53 + 1, None, "é"]}).data.decode() == (
        '["1",null,"t","e",{"a":[1.5e300,9007199254740993,null,"é"]}]'
    )
    assert TWO.decode('["1","2","t","e",{"a":1},"sixth"]') == Frame("1", "2", "t", "e", {"a": 1})
    assert ONE.decode('{"topic":"t","event":"e","payload":1,"ref":null}') == Frame(None, None, "t", "e", 1)


@pytest.mark.parametrize(
    "message",
    [
        *("", "{not", "null", "[]", "[1,2,3,4]", "{}", '"text"', "NaN", "[" * 10_000, '["\\ud800",1,2,3,4]'),
        *(b"", b"\x00", b"\x00\x01\x01\x01\x01", b"\x01\x00\x00\x00\x00", b"\x00\x01\x00\x00\x00\xff"),
    ],
)
def test_malformed(message):
    with pytest.raises(MalformedError):
        TWO.decode(message)


@pytest.mark.parametrize("missing", ["topic", "event", "payload", "ref"])
def test_version_one_needs_its_four_keys(missing):
    keys = {"topic", "event", "payload", "ref"} - {missing}
    with pytest.raises(MalformedError):
        ONE.decode("{" + ",".join(f'"{key}":1' for key in keys) + "}")


def test_version_one_has_no_binary():
    with pytest.raises(NotEncodableError):
        ONE.reply(None, "1", "t", "ok", b"")


@pytest.mark.parametrize(
    ("vsn", "expected"),
    [
        (None, ONE),
        ("1.0.0", ONE),
        ("2.0.0", TWO),
        ("2.0.9", TWO),
        ("2.1.0", None),
        ("3.0.0", None),
        ("abc", None),
        ("", None),
    ],
)
def test_versions(vsn, expected):
    assert serializer_for(vsn) is expected
