"""Keeps the values of secrets out of what comes back from outside: whoever reads one adds it here, and what
is shown, logged, kept or exported of a text from the network has passed :func:`masked`.

A value is found as it is, in lower case, percent-encoded and escaped as JSON, Python or HTML write it (in
part, and one in the other), in hexadecimal, in base64 of either alphabet, and cut: what ends with the
beginning of one, or begins with its end, from :data:`LEAST` characters on (of a JSON text each string has
such ends), and pieces that are twice as long wherever they stand. Shorter values are not masked: they would
be found in words that have nothing to do with them.
"""

from __future__ import annotations

import base64
import binascii
import html
import re
import sys
import threading
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

import msgspec

MASK = "***"
"""Stands in the place of whatever is secret, in every output."""
LEAST = 6
"""Characters of the shortest value, and of the shortest beginning or end of one at a cut, that is masked."""
LEAST_ANYWHERE = 12
"""Characters of the shortest beginning or end that is masked where there is no cut."""
MOST_VALUES = 1000
"""Values known at a time, those of secrets that were renewed since too; the one longest not read goes."""
MOST_CHARACTERS = 1_000_000
"""Of all of them together, likewise."""
PUBLIC_HEADERS = frozenset({"origin", "host", "user-agent", "accept"})
"""Names of headers, in lower case, whose values are no secret."""

_ROUNDS = 4  # a text that was encoded more often than that is nobody's word on a token
_REMEMBERED = 2048  # short texts come again and again: states, names, reasons
_SHORT = 200
_SCHEME = re.compile(r"\A(?:bearer|basic|token|digest)\s+(?=\S{6})", re.IGNORECASE)
_CREDENTIALS = re.compile(r"[A-Za-z][A-Za-z0-9-]*\s+(\S+)")
_COOKIE = re.compile(r"[^=;,\s]+=([^;,\s]*)")
_IN_BASE64 = re.compile(r"[A-Za-z0-9+/_-]?={0,2}")
# Before where what is cut ends, perhaps within a character: at the end, a quotation mark, dots or stars.
_MARK = r"""(?:["'…*\ufffd]|\.{3}|\Z))"""
_END = re.compile(r"(?=[\ud800-\udfff]{0,3}(?:%[0-9A-Fa-f]?|\\(?:u[0-9A-Fa-f]{0,3}|x[0-9A-Fa-f]?)?)?" + _MARK)
_START = re.compile(r"(?=[\ud800-\udfff]{0,3}[0-9A-Fa-f]{0,4}" + _MARK)
"""The same of a text that is read backwards."""
_ESCAPES = re.compile(
    r"""(?:%[0-9A-Fa-f]{2})+|(?:\\u[0-9A-Fa-f]{4})+|\\x[0-9A-Fa-f]{2}|\\["'/\\]"""
    r"""|&(?:amp|lt|gt|quot|apos|#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6});"""
)


class _Form(NamedTuple):
    """One way in which a value may stand in a text."""

    text: str
    before: int = 0
    """Characters before it that also depend on the value."""
    is_base64: bool = False


class _Beginnings:
    """Finds the beginnings of forms in a text, whole ones too, however many begin alike: all tokens of one
    kind do.

    Args:
        cut: matches where a text may be cut.
    """

    def __init__(self, cut: re.Pattern[str]) -> None:
        self._cut = cut
        self._forms: dict[str, tuple[_Form, ...]] = {}
        """In order, by their first :data:`LEAST` characters."""
        self._short: dict[str, _Form] = {}
        """Those that are found anywhere though they have less than :data:`LEAST_ANYWHERE` characters."""

    def add(self, form: _Form) -> None:
        head = form.text[:LEAST]
        those = self._forms.get(head, ())
        place = bisect_left(those, form)
        self._forms[head] = (*those[:place], form, *those[place:])
        if len(form.text) < LEAST_ANYWHERE:
            self._short[form.text] = form

    def found(self, view: str, touched: Iterable[str]) -> Iterator[tuple[int, int, _Form]]:
        """Where forms begin that are whole, or long enough, or go on until a cut."""
        for head in touched:
            those = self._forms.get(head)
            if those is None:
                continue
            place = view.find(head)
            while place >= 0:
                form, same = _nearest(those, view, place)
                size = same if same >= LEAST_ANYWHERE else 0
                # A quotation mark may be a part of the value.
                for each in () if size else range(same, LEAST - 1, -1):
                    short = self._short.get(view[place : place + each])
                    if short is not None or self._cut.match(view, place + each):
                        form, size = short or form, each
                        break
                if size:
                    yield place, place + size, form
                place = view.find(head, place + max(size, 1))


class _Index:
    """Finds forms in a text, by their first and by their last :data:`LEAST` characters.

    A reader may look while another thread adds: each step of either is one operation of the interpreter.
    """

    def __init__(self) -> None:
        self._quads: set[int] = set()
        """The first four bytes of every needle, as one number."""
        self._needles: dict[int, tuple[str, ...]] = {}
        self._forwards = _Beginnings(_END)
        self._backwards = _Beginnings(_START)

    def add(self, form: _Form) -> None:
        self._forwards.add(form)
        self._backwards.add(form._replace(text=form.text[::-1]))
        for needle in (form.text[:LEAST], form.text[-LEAST:]):
            quad = int.from_bytes(_encoded(needle)[:4], sys.byteorder)
            if needle not in self._needles.get(quad, ()):
                self._needles[quad] = (*self._needles.get(quad, ()), needle)
            self._quads.add(quad)

    def touched(self, view: str) -> set[str]:
        """The needles that are in a text."""
        data = _encoded(view)
        found: set[int] = set()
        for shift in range(4):
            found.update(memoryview(data[shift : len(data) - (len(data) - shift) % 4]).cast("I"))
        quads = found & self._quads
        return {needle for quad in quads for needle in self._needles[quad] if needle in view}

    def spans(self, view: str, touched: set[str]) -> Iterator[tuple[int, int]]:
        """Where there are values, or pieces of one at a cut."""
        for start, end, form in self._forwards.found(view, touched):
            if form.is_base64:
                last = _IN_BASE64.match(view, end)
                end = end if last is None else last.end()
                start -= min(form.before, start)
            yield start, end
        size = len(view)
        for start, end, _ in self._backwards.found(view[::-1], {each[::-1] for each in touched}):
            yield size - end, size - start


class SecretValues:
    """The values that are masked. To be used from any thread."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self.forget()

    def forget(self) -> None:
        """Mask nothing, until a value is added."""
        self._values: dict[str, None] = {}
        self._size = 0
        self._index = _Index()
        self._forget_texts()

    def _forget_texts(self) -> None:
        # Another one each time: what is being masked now, without the new value, ends up in the old one.
        self._short_masked = lru_cache(_REMEMBERED)(self._masked)

    def add(self, value: str) -> None:
        """Mask this from now on, if it has at least :data:`LEAST` characters; of credentials, without the
        name of their scheme."""
        value = _SCHEME.sub("", value)
        if not LEAST <= len(value) <= MOST_CHARACTERS:
            return
        with self._turn:
            if value in self._values:
                self._values[value] = self._values.pop(value)
                return
            self._values[value] = None
            self._size += len(value)
            if len(self._values) > MOST_VALUES or self._size > MOST_CHARACTERS:
                self._make_room()
            for form in _forms_of(value):
                self._index.add(form)
            self._forget_texts()

    def _make_room(self) -> None:
        """Make room for a tenth of all there may be: it costs as much as to add them all."""
        while len(self._values) > MOST_VALUES * 0.9 or self._size > MOST_CHARACTERS * 0.9:
            oldest = next(iter(self._values))
            if len(self._values) == 1:
                break
            del self._values[oldest]
            self._size -= len(oldest)
        index = _Index()
        for value in self._values:
            for form in _forms_of(value):
                index.add(form)
        self._index = index

    def add_all(self, value: Any) -> None:
        """The same for every text in a JSON value."""
        if isinstance(value, str):
            self.add(value)
        elif isinstance(value, Mapping):
            for inner in value.values():
                self.add_all(inner)
        elif isinstance(value, list | tuple):
            for inner in value:
                self.add_all(inner)

    def add_header(self, name: str, value: str) -> None:
        """The value of a request's header, unless it is of :data:`PUBLIC_HEADERS`; of credentials what
        follows their scheme, and of cookies each one's value too."""
        if name.lower() in PUBLIC_HEADERS:
            return
        credentials = _CREDENTIALS.fullmatch(value.strip())
        if credentials is None:
            self.add(value)
            for cookie in _COOKIE.findall(value) if "cookie" in name.lower() else ():
                self.add(cookie)
            return
        self.add(credentials[1] if len(credentials[1]) >= LEAST else value)
        try:
            user_and_password = base64.b64decode(credentials[1], validate=True).decode()
        except (binascii.Error, ValueError):
            return
        if ":" in user_and_password:
            self.add(user_and_password)
            self.add(user_and_password.partition(":")[2])

    def add_proxy(self, url: str) -> None:
        """The user and the password in a proxy's URL."""
        try:
            parts = urlsplit(url)
        except ValueError:
            return
        given = [part for part in (parts.username, parts.password) if part]
        for part in given:
            self.add(part)
            self.add(unquote(part))
        if len(given) == 2:
            # As they travel.
            self.add(":".join(map(unquote, given)))

    def masked(self, text: str) -> str:
        """``text`` with :data:`MASK` for every value in it."""
        if not self._values or len(text) < LEAST:
            return text
        return self._masked(text) if len(text) > _SHORT else self._short_masked(text)

    def _masked(self, text: str) -> str:
        index = self._index
        view = text
        for _ in range(_ROUNDS):
            if index.touched(view):
                return self._without_values(text)
            view, before = _ESCAPES.sub(_text_of, view), view
            if view == before:
                break
        return text

    def _without_values(self, text: str) -> str:
        index = self._index
        spans: list[tuple[int, int]] = []
        view, places = text, None
        for _ in range(_ROUNDS):
            if touched := index.touched(view):
                for start, end in index.spans(view, touched):
                    spans.append((start, end) if places is None else (places[start], places[end]))
            decoded = _decoded(view)
            if decoded is None:
                break
            view, inner = decoded
            places = inner if places is None else [places[each] for each in inner]
        if not spans:
            return text
        parts, done = list[str](), 0
        for start, end in sorted(spans):
            if start >= done:
                parts += [text[done:start], MASK]
            done = max(done, end)
        return "".join([*parts, text[done:]])

    def masked_bytes(self, data: bytes) -> bytes:
        """The same for bytes, UTF-8 as a rule."""
        if not self._values:
            return data
        text = data.decode("utf-8", "surrogateescape")
        found = self.masked(text)
        return data if found is text else found.encode("utf-8", "surrogateescape")

    def masked_json(self, text: str) -> str:
        """The same for a JSON text, which stays one: a number that is a value becomes a text."""
        found = self.masked(text)
        if found == text:
            return text
        try:
            return msgspec.json.encode(self.masked_value(msgspec.json.decode(text))).decode()
        except (msgspec.DecodeError, RecursionError):
            return found

    def masked_value(self, value: Any) -> Any:
        """The same for a JSON value, whose texts and names of members are looked at one by one."""
        if isinstance(value, str):
            return self.masked(value)
        if isinstance(value, dict):
            return {self.masked(key): self.masked_value(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.masked_value(inner) for inner in value]
        if isinstance(value, bool) or value is None or str(value) not in self._values:
            return value
        return MASK


def _forms_of(value: str) -> Iterator[_Form]:
    yield _Form(value)
    if value != value.lower():
        # As the name of a host, say.
        yield _Form(value.lower())
    if " " in value:
        yield _Form(value.replace(" ", "+"))
    data = _encoded(value)
    for each in {data.hex(), data.hex().upper()}:
        yield _Form(each)
    for shift in range(3):
        # Of base64 only the characters that no neighbour of the value has a part in.
        encoded = base64.b64encode(b"\0" * shift + data).decode()
        text = encoded[(0, 2, 3)[shift] : (shift + len(data)) * 8 // 6]
        for each in {text, text.replace("+", "-").replace("/", "_")}:
            yield _Form(each, before=int(shift > 0), is_base64=True)


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _nearest(forms: Sequence[_Form], view: str, place: int) -> tuple[_Form, int]:
    """Of forms in order the one that has most of its first characters at ``place``, and how many."""
    if len(forms) == 1:
        return forms[0], _common(forms[0].text, view, place)
    for most in (_SHORT, MOST_CHARACTERS):
        after = bisect_left(forms, view[place : place + most], key=attrgetter("text"))
        beside = forms[max(0, after - 1) : after + 1]
        form, same = max(((each, _common(each.text, view, place)) for each in beside), key=itemgetter(1))
        if same < _SHORT:
            break
    return form, same


def _common(text: str, view: str, place: int) -> int:
    """How many characters from ``place`` on are those that ``text`` begins with; :data:`LEAST` are."""
    low, high = LEAST, min(len(text), len(view) - place)
    if low < high and view[place + low] != text[low]:
        return low
    while low < high:
        middle = (low + high + 1) // 2
        if view.startswith(text[low:middle], place + low):
            low = middle
        else:
            high = middle - 1
    return low


def _decoded(view: str) -> tuple[str, list[int]] | None:
    """A text with its escapes decoded once, and the place in ``view`` of each of its characters and of its
    end; None when it has none."""
    parts: list[str] = []
    places: list[int] = []
    done = 0
    for match in _ESCAPES.finditer(view):
        start, end = match.span()
        parts.append(view[done:start])
        places.extend(range(done, start))
        text = _text_of(match)
        # How long the characters of one run are, which are all escaped in the same way.
        if view[start] == "%":
            sizes = [3 * len(each.encode("utf-8", "surrogateescape")) for each in text]
        elif view[start + 1] == "u":
            sizes = [12 if ord(each) > 0xFFFF else 6 for each in text]
        else:
            sizes = [end - start] * len(text)
        parts.append(text)
        for size in sizes:
            places.append(start)
            start += size
        done = end
    if not done:
        return None
    parts.append(view[done:])
    places.extend(range(done, len(view) + 1))
    return "".join(parts), places


def _text_of(escape: re.Match[str]) -> str:
    digits = escape[0]
    if digits[0] == "&":
        return html.unescape(digits)[:1]
    if digits[0] == "%":
        return bytes.fromhex(digits.replace("%", "")).decode("utf-8", "surrogateescape")
    if digits[1] == "u":
        return bytes.fromhex(digits.replace("\\u", "")).decode("utf-16-be", "surrogatepass")
    return chr(int(digits[2:], 16)) if digits[1] == "x" else digits[1]


KNOWN = SecretValues()
"""Those of this process."""

add = KNOWN.add
add_all = KNOWN.add_all
add_header = KNOWN.add_header
add_proxy = KNOWN.add_proxy
masked = KNOWN.masked
masked_bytes = KNOWN.masked_bytes
masked_json = KNOWN.masked_json
masked_value = KNOWN.masked_value
