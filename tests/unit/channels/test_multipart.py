"""A multipart answer read as it arrives: whole, in any pieces, and refused where it breaks a rule."""

from __future__ import annotations

import random

import pytest

from gateway.channels.dmp.answers import MAX_ANSWER, AnswerError
from gateway.channels.dmp.multipart import MAX_HEADERS, MultipartReader

TYPE = 'multipart/related; type="application/xop+xml"; boundary="b-1"; start="<root>"'
BINARY = bytes(range(256)) + b"\r\n--b-1x\r\n--b-\r\n\r\n--b-1 not a delimiter\n"


def part(content_id: str, data: bytes, *more: str) -> bytes:
    head = "\r\n".join((f"Content-ID: <{content_id}>", "Content-Type: application/xop+xml", *more))
    return b"--b-1\r\n" + head.encode() + b"\r\n\r\n" + data + b"\r\n"


WHOLE = b"preamble\r\n" + part("doc@x", BINARY) + part("root", b"<soap/>") + b"--b-1--\r\nepilogue --b-1"


def read(
    data: bytes, *, step: int = 0, largest: int = 10_000, most: int = 64, kind: str = TYPE
) -> tuple[bytes, dict[str, bytes]]:
    reader = MultipartReader(kind, largest=largest, most=most)
    for start in range(0, len(data), step or max(1, len(data))):
        reader.feed(data[start : start + (step or len(data))])
    root, attached = reader.close()
    return bytes(root.data), attached


@pytest.mark.parametrize("step", [0, 1, 2, 3, 7, 64])
def test_any_pieces_give_the_same(step: int) -> None:
    assert read(WHOLE, step=step) == (b"<soap/>", {"doc@x": BINARY})


def test_drawn_contents_and_pieces() -> None:
    drawn = random.Random(7)
    for _ in range(200):
        content = b"".join(drawn.choice([b"\r\n", b"--b-1", b"--", b"-", b"\r", b"x", b"\0", b" "]) for _ in range(40))
        content = content.replace(b"\r\n--b-1", b"\r\n--b+1")
        data = part("root", b"<a/>") + part("d", content) + b"--b-1--"
        assert read(data, step=drawn.randint(1, 9)) == (b"<a/>", {"d": content})


def test_without_start_the_first_part_is_the_root() -> None:
    kind = "multipart/related; boundary=b-1"
    assert read(part("one", b"1") + part("two", b"2") + b"--b-1--\r\n", kind=kind) == (b"1", {"two": b"2"})


def test_an_empty_part_and_a_part_without_headers() -> None:
    data = b"--b-1\r\n\r\n<a/>\r\n" + part("d", b"") + b"--b-1--"
    assert read(data, kind="multipart/related; boundary=b-1") == (b"<a/>", {"d": b""})


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (part("root", b"<a/>"), "cut short"),
        (b"", "cut short"),
        (b"--b-1--\r\n", "without a part"),
        (part("root", b"<a/>") + part("d", b"1") + part("d", b"2") + b"--b-1--", "Content-ID"),
        (part("root", b"<a/>") + b"--b-1\r\nContent-Type: x/y\r\n\r\n1\r\n--b-1--", "Content-ID"),
        (part("root", b"<a/>", "Content-Transfer-Encoding: base64") + b"--b-1--", "not binary"),
        (part("root", b"<a/>") + part("d", b"x" * 101) + b"--b-1--", "too large"),
        (b"--b-1\r\nX: " + b"y" * (MAX_HEADERS + 1), "headers"),
        (part("root", b"<a/>") + part("a", b"") + part("b", b"") + part("c", b"") + b"--b-1--", "too many"),
    ],
)
def test_what_breaks_a_rule_is_refused(data: bytes, message: str) -> None:
    for step in (0, 5):
        with pytest.raises(AnswerError, match=message):
            read(data, step=step, largest=100, most=3)


def test_a_root_has_the_limit_of_an_answer() -> None:
    reader = MultipartReader(TYPE, largest=10)
    reader.feed(b"--b-1\r\nContent-ID: <root>\r\n\r\n")
    reader.feed(b"x" * MAX_ANSWER)
    with pytest.raises(AnswerError, match="too large"):
        reader.feed(b"x" * 100)


@pytest.mark.parametrize(
    "kind", ["multipart/related", 'multipart/related; boundary=""', "multipart/related; boundary=a\r\nX: y"]
)
def test_a_media_type_without_boundary(kind: str) -> None:
    with pytest.raises(AnswerError):
        MultipartReader(kind, largest=1)
