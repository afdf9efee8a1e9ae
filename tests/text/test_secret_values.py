"""Which texts hold a value of a secret, and what is left of them."""

from __future__ import annotations

import base64
import json
import threading
import time
from urllib.parse import quote

import pytest

from tests.test_secrets_come_back import SECRETS, spellings
from tui.channels import Options
from tui.channels import values as asked
from tui.text import secret_values
from tui.text.secret_values import LEAST, MASK, MOST_VALUES, SecretValues

VALUE = "s3cr3t-v4lue/of+one"


@pytest.fixture
def values() -> SecretValues:
    values = SecretValues()
    values.add(VALUE)
    return values


@pytest.mark.parametrize("secret", SECRETS)
def test_every_spelling_is_found_in_the_middle_of_a_text(secret: str) -> None:
    values = SecretValues()
    values.add(secret)
    for spelling in spellings(secret):
        masked = values.masked(f"said {spelling} again")
        assert MASK in masked
        assert masked.startswith("said ")
        assert masked.endswith(" again")
        assert len(masked) < len(f"said {spelling} again")


@pytest.mark.parametrize("length", range(1, len(VALUE)))
def test_at_a_cut_a_beginning_or_an_end_counts_from_six_characters_on(
    values: SecretValues, length: int
) -> None:
    begin, end = VALUE[:length], VALUE[-length:]
    for text, without in (
        (f"token {begin}", f"token {MASK}"),
        (f"token {begin}…", f"token {MASK}…"),
        (f"token '{begin}'", f"token '{MASK}'"),
        (f"{end} is no token", f"{MASK} is no token"),
        (json.dumps({"a": begin, "b": end}), json.dumps({"a": MASK, "b": MASK})),
        (f"token {quote(begin, safe='')}%", f"token {MASK}%"),
    ):
        assert values.masked(text) == (without if length >= LEAST else text)


def test_words_are_left_alone(values: SecretValues) -> None:
    for text in ("s3cr3t is a word", "the lue/of+one", "", "s3cr3", "%", "\\", "\\u00", "%zz", "\ud800"):
        assert values.masked(text) == text
    values.add("short")
    assert values.masked("cut short") == "cut short"


def test_of_credentials_what_follows_the_scheme_is_secret_and_of_cookies_each_value() -> None:
    values = SecretValues()
    values.add_header("Authorization", "Bearer b3arer-1234")
    values.add_header("Proxy-Authorization", "Basic " + base64.b64encode(b"user:p4ssword").decode())
    values.add_header("Cookie", "session=c00kie-1; theme=d4rk-blue")
    for public in ("Origin", "HOST", "user-agent", "Accept"):
        values.add_header(public, "not-a-secret")
    text = "Bearer b3arer-1234, p4ssword, c00kie-1, d4rk-blue, not-a-secret, ends with Bearer"
    assert values.masked(text) == "Bearer ***, ***, ***, ***, not-a-secret, ends with Bearer"


def test_of_a_proxy_the_user_and_the_password_are_secret() -> None:
    values = SecretValues()
    values.add_proxy("http://us3r-name:p4ss%2Fword@proxy.test:3128")
    sent = base64.b64encode(b"us3r-name:p4ss/word").decode()
    text = f"proxy.test:3128 refuses us3r-name and p4ss/word (p4ss%2Fword), {sent}."
    assert values.masked(text) == "proxy.test:3128 refuses *** and *** (***), ***."
    values.add_proxy("http://[nothing")


async def test_of_what_is_given_to_a_socket_the_functions_of_parameters_and_most_headers_are_secret() -> None:
    options = Options(
        params={"token": lambda: "of-a-function", "room": "of-plain-words"},
        headers={"X-Key": "a-plain-header", "User-Agent": lambda: "agent-of-a-function"},
        auth_token="a-plain-token",
        proxy=lambda: "http://proxy-of-a-function.test:3128",
    )
    await asked.link_request("ws://hub.test/socket", options)
    await asked.payload({"seat": "of-plain-params", "deep": {"key": lambda: ["deep-in-params"]}}, "join")
    for secret in ("of-a-function", "a-plain-header", "a-plain-token", "deep-in-params"):
        assert secret_values.masked(f"said {secret} again") == f"said {MASK} again"
    for plain in ("of-plain-words", "agent-of-a-func", "proxy-of-a-functi", "of-plain-params", "hub.test"):
        assert secret_values.masked(f"said {plain} again") == f"said {plain} again"


def test_json_stays_json_and_a_number_that_is_a_value_becomes_a_text() -> None:
    values = SecretValues()
    values.add("12345678")
    values.add('quo"te-quo"te')
    given = {"pin": 12345678, "at": 1712345678, "deep": [{'a quo"te-quo"te': 'quo"te-quo"te'}], "n": 1.5}
    masked = json.loads(values.masked_json(json.dumps(given)))
    assert masked == {"pin": MASK, "at": 1712345678, "deep": [{f"a {MASK}": MASK}], "n": 1.5}
    assert values.masked_json('{"cut": "12345678') == f'{{"cut": "{MASK}'


def test_bytes_keep_what_is_no_text(values: SecretValues) -> None:
    assert values.masked_bytes(b"\xff\x00" + VALUE.encode() + b"\xfe") == b"\xff\x00***\xfe"


def test_renewed_values_stay_masked_up_to_a_bound_and_the_one_longest_not_read_goes() -> None:
    values = SecretValues()
    values.add("always-read")
    for number in range(2 * MOST_VALUES):
        values.add(f"value-{number:06d}")
        values.add("always-read")
    assert values.masked("always-read") == MASK
    assert values.masked(f"value-{2 * MOST_VALUES - 1:06d}") == MASK
    assert values.masked(f"value-{2 * MOST_VALUES - MOST_VALUES // 2:06d}") == MASK
    assert values.masked("value-000000") == "value-000000"


def test_a_text_of_many_values_or_escapes_costs_little(values: SecretValues) -> None:
    """A hub may fill what it is allowed to send with what is hard to look through."""
    for number in range(500):
        values.add(f"{number:04d}-another-secret-{number}")
    for text in ("s3cr3t" * 2000, f"{VALUE[:-1]} " * 600, '\\"' * 6000, "%2573" * 2400, "\\u0073" * 2000):
        began = time.process_time()
        values.masked(text)
        assert time.process_time() - began < 0.5  # 10 ms and less on an idle machine


def test_values_are_added_while_others_look(values: SecretValues) -> None:
    stop = threading.Event()
    failures: list[Exception] = []

    def look() -> None:
        try:
            while not stop.is_set():
                assert values.masked(f"a {VALUE} b {time.monotonic()}").startswith("a *** b")
        except Exception as error:  # noqa: BLE001 (told by the test)
            failures.append(error)

    lookers = [threading.Thread(target=look) for _ in range(2)]
    for looker in lookers:
        looker.start()
    for number in range(MOST_VALUES // 2):
        values.add(f"another-value-{number}")
    stop.set()
    for looker in lookers:
        looker.join()
    assert failures == []


def test_a_thousand_tokens_that_begin_alike_cost_no_more_than_one() -> None:
    values = SecretValues()
    tokens = [f"eyJhbGciOiJIUzI1NiJ9.{number:04}.{'s' * 20}{number:04}" for number in range(1000)]
    for token in tokens:
        values.add(token)
    begun = time.process_time()
    for head in ("eyJhbGci ", 'eyJhbG"', "eyJhbGciOiJIUzI1NiJ9. "):
        values.masked(head * (60_000 // len(head)))
    assert time.process_time() - begun < 2
    assert values.masked(f"a {tokens[7]} b {tokens[500][:30]} c {tokens[999]}") == "a *** b *** c ***"


def test_a_value_in_hexadecimal_is_masked_whole_and_cut() -> None:
    values = SecretValues()
    values.add("S3cr3t-Tok3n-9876")
    for text in (b"S3cr3t-Tok3n-9876".hex(), b"S3cr3t-Tok3n-9876".hex().upper()):
        assert values.masked(f"got 0x{text}, wanted another") == "got 0x***, wanted another"
        assert values.masked(f"got {text[:9]}…") == "got ***…"
