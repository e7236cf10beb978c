"""JSON from outside: huge, deep, doubled, infinite, or half characters; every reader says no in words."""

from __future__ import annotations

import time

import pytest

from tests.security.readers import JSON, Reader

SECONDS = 3.0
DEEP = 200_000
ATTACKS: dict[str, bytes] = {
    "deep lists": b"[" * DEEP,
    "deep lists, closed": b"[" * DEEP + b"]" * DEEP,
    "deep objects": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "deep inside a field": b'{"format":' + b"[" * DEEP + b"]" * DEEP + b"}",
    "a huge text": b'{"format":"' + b"x" * 8_000_000 + b'"}',
    "a huge number": b'{"format":' + b"9" * 1_000_000 + b"}",
    "a huge exponent": b'{"format":1e999999999}',
    "many keys": b"{" + b",".join(b'"k%d":1' % n for n in range(20_000)) + b"}",
    "NaN": b'{"format":NaN}',
    "infinity": b'{"format":-Infinity}',
    "half a character": b'{"format":"\\ud800"}',
    "half a character as a key": b'{"\\udfff":1}',
    "NUL": b'{"format":"\\u0000"}',
    "UTF-16": '{"format":"é"}'.encode("utf-16"),
    "a byte that is no UTF-8": b'{"format":"\xff"}',
    "a list": b"[]",
    "a text": b'"x"',
    "nothing": b"",
    "null": b"null",
    "prototype": b'{"__proto__":{"a":1},"__class__":"os.system"}',
}
"""What a careless or a hostile program writes."""


@pytest.mark.parametrize("reader", JSON, ids=str)
@pytest.mark.parametrize("attack", ATTACKS)
def test_hostile_json_is_refused_in_words(reader: Reader, attack: str) -> None:
    before = time.thread_time()
    reader.outcome(ATTACKS[attack]).encode("utf-8", "backslashreplace")
    assert time.thread_time() - before < SECONDS


@pytest.mark.parametrize("name", ["records", "actions"])
def test_a_doubled_key_is_never_settled_by_chance(name: str) -> None:
    """Two programs that read the same file would do different things (RFC 8259 §4)."""
    reader = next(one for one in JSON if one.name == name)
    order = b'{"format":"kine-gateway/action/1","action":"hold","action":"cancel","by":"x","reason":"y"}'
    assert any(code in reader.outcome(order) for code in ("INP-011", "ACT-001"))
