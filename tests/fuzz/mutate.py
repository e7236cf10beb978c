"""Mutations of bytes: the ones of any fuzzer, and those that keep the shape of JSON, XML and headers.

Used in three ways: by themselves (`run.py --engine bytes`, and the short form in CI), beside libFuzzer's own (as
atheris's custom mutator), and drawn by hypothesis, which shrinks what it finds.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

MAX = 60_000
"""Bytes of an input: sizes have limits of their own, tested apart; what is small finds more in the same time."""

INTERESTING: tuple[bytes, ...] = (
    b"\x00",
    b"\r\n",
    b"\n\n",
    b"\r\n\r\n",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\xed\xa0\x80",
    b"\xe2\x80\xae",
    b"\xe2\x80\xa8",
    b"-1",
    b"1e999",
    b"9" * 40,
    b"NaN",
    b"2147483648",
    b"0000-00-00",
    b"9999-12-31T23:59:60+99:99",
    b"../" * 6,
    b"%s%n",
    b"{0.__class__}",
    b"=?utf-7?B?+AAA-?=",
    b"=?x?Q?=",
    b"<!DOCTYPE x [<!ENTITY a 'b'>]>",
    b"&#0;",
    b"&a;",
    b"]]>",
    b"<?xml-stylesheet href='file:///etc/passwd'?>",
    b"charset=undefined",
    b"charset=idna",
    b'"' * 60,
    b"[" * 300,
    b'{"a":' * 300,
    b"<a>" * 300,
    b"(" * 300,
)
HOSTILE: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    10**40,
    1.5,
    "",
    " ",
    "\u202e",
    "\ud800",
    "\x00",
    "a\r\nBcc: x@y",
    "9" * 400,
    [],
    {},
    [[]],
    [None],
    {"": None},
    {"resourceType": 1},
    "2026-02-30",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "urn:oid:" + "1." * 200,
)
_TOKEN = re.compile(rb"<[^<>]{1,200}>|[^<>]{1,200}")
_LINE = re.compile(rb"[^\n]*\n?")


def mutated(data: bytes, dice: Random, words: Sequence[bytes] = ()) -> bytes:
    """One to four mutations of an input."""
    for _ in range(1 + dice.randrange(4)):
        data = dice.choice(_WAYS)(data, dice, words)[:MAX]
    return data


def _flip(data: bytes, dice: Random, _words: Sequence[bytes]) -> bytes:
    if not data:
        return b"\x00"
    at = dice.randrange(len(data))
    return data[:at] + bytes((data[at] ^ (1 << dice.randrange(8)),)) + data[at + 1 :]


def _set(data: bytes, dice: Random, _words: Sequence[bytes]) -> bytes:
    at = dice.randrange(len(data) + 1)
    return data[:at] + bytes((dice.randrange(256),)) + data[at + 1 :]


def _insert(data: bytes, dice: Random, words: Sequence[bytes]) -> bytes:
    at = dice.randrange(len(data) + 1)
    return data[:at] + dice.choice([*INTERESTING, *words]) + data[at:]


def _replace(data: bytes, dice: Random, words: Sequence[bytes]) -> bytes:
    at, length = dice.randrange(len(data) + 1), dice.randrange(1, 12)
    return data[:at] + dice.choice([*INTERESTING, *words]) + data[at + length :]


def _cut(data: bytes, dice: Random, _words: Sequence[bytes]) -> bytes:
    first, last = sorted((dice.randrange(len(data) + 1), dice.randrange(len(data) + 1)))
    return data[:first] + data[last:] if dice.randrange(3) else data[:first]


def _repeat(data: bytes, dice: Random, _words: Sequence[bytes]) -> bytes:
    first, last = sorted((dice.randrange(len(data) + 1), dice.randrange(len(data) + 1)))
    return data[:last] + data[first:last][:4000] * dice.choice((1, 2, 20)) + data[last:]


def _tokens(data: bytes, dice: Random, _words: Sequence[bytes]) -> bytes:
    """Swap, drop or double a tag or a text: XML stays nearly well-formed."""
    return _moved(_TOKEN.findall(data), dice)


def _lines(data: bytes, dice: Random, _words: Sequence[bytes]) -> bytes:
    return _moved(_LINE.findall(data), dice)


def _moved(parts: list[bytes], dice: Random) -> bytes:
    if len(parts) < 3:
        return b"".join(parts)
    one, other = dice.randrange(len(parts)), dice.randrange(len(parts))
    way = dice.randrange(3)
    if way == 0:
        parts[one], parts[other] = parts[other], parts[one]
    elif way == 1:
        parts[one : one + 1] = []
    else:
        parts.insert(other, parts[one])
    return b"".join(parts)


def _attribute(data: bytes, dice: Random, words: Sequence[bytes]) -> bytes:
    """Another value between two quotes."""
    places = [match.span(1) for match in re.finditer(rb'"([^"\n]{0,300})"', data)]
    if not places:
        return _insert(data, dice, words)
    start, end = dice.choice(places)
    return data[:start] + dice.choice([*INTERESTING, *words, b""]) + data[end:]


def _tree(data: bytes, dice: Random, words: Sequence[bytes]) -> bytes:
    """Another value somewhere in a JSON tree, or a key lost."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return _attribute(data, dice, words)
    places: list[tuple[Any, Any]] = []
    _places(value, places)
    if not places:
        return json.dumps(dice.choice(HOSTILE)).encode()
    holder, key = dice.choice(places)
    if dice.randrange(5) == 0:
        del holder[key]
    else:
        holder[key] = dice.choice([*HOSTILE, *(dice.choice(places)[0] for _ in range(2))])
    try:
        return json.dumps(value).encode()
    except (ValueError, RecursionError):  # a value put inside itself
        return data


def _places(value: Any, found: list[tuple[Any, Any]]) -> None:
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in pairs:
        found.append((value, key))
        _places(one, found)


_WAYS: tuple[Callable[[bytes, Random, Sequence[bytes]], bytes], ...] = (
    _flip,
    _set,
    _insert,
    _replace,
    _cut,
    _repeat,
    _tokens,
    _lines,
    _attribute,
    _tree,
    _tree,
)
