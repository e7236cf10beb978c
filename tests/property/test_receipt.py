"""Received mails under chance: nothing raises, and no error is ever read as a success."""

from __future__ import annotations

import random
import string
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.engine.receipts import _mail, take_in
from gateway.read import receipt
from gateway.rules.trust_space import TrustList
from gateway.store.outbox import Outbox
from gateway.store.received import ReceivedMail
from gateway.store.states import Receipt
from tests.unit.read import report_samples as samples
from tests.unit.read.test_receipt import ERRORS
from tests.unit.store import kit

SUCCESS = {Receipt.DELIVERED, Receipt.PROCESSED, Receipt.INTEGRATED}
WHOLE = [
    *ERRORS.values(),
    samples.dsn("failed", "5.1.1"),
    samples.dsn("delivered", "2.0.0"),
    samples.mdn(),
    samples.standard_failure(),
    samples.bounce("La boîte est fermée."),
    samples.reply(),
]


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> object:
    account = kit.settings(tmp_path_factory.mktemp("practice")).account[0]
    trust = TrustList(frozenset({"example.mssante.fr"}), kit.START.date(), "test")

    def judged(raw: bytes) -> ReceivedMail:
        return _mail(receipt.read(raw), account, trust, ())

    return judged


@given(raw=st.binary(max_size=3000))
def test_any_bytes_are_read(judge: object, raw: bytes) -> None:
    assert judge(raw).evidence_sha256  # type: ignore[operator]


@given(
    raw=st.sampled_from(WHOLE),
    cuts=st.lists(st.tuples(st.integers(0, 1500), st.integers(0, 40), st.binary(max_size=20)), max_size=6),
)
@settings(max_examples=300)
def test_a_spoilt_report_is_read(judge: object, raw: bytes, cuts: list[tuple[int, int, bytes]]) -> None:
    for place, length, put in cuts:
        raw = raw[:place] + put + raw[place + length :]
    judge(raw)  # type: ignore[operator]


HALF = "=?unicode_escape?q?=5Cud800@x=2Efr?="
HALVES = [
    samples.mdn(original_id=HALF, final=HALF),
    samples.dsn(envid=HALF),
    samples.bounce("x")
    .replace(b"charset=utf-8", b"charset=unicode_escape")
    .replace(b"\r\nx\r\n", b"\r\n\\ud800@x.fr\r\n"),
    samples.reply().replace(b"charset=utf-8", b"charset=unicode_escape"),
]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outbox]:
    opened = kit.open_store(tmp_path_factory.mktemp("store"))
    yield opened
    opened.close()


@given(
    raw=st.sampled_from([*WHOLE, *HALVES]),
    cuts=st.lists(st.tuples(st.integers(0, 1500), st.integers(0, 40), st.binary(max_size=20)), max_size=4),
)
@settings(max_examples=60)
def test_a_spoilt_report_is_taken_in(store: Outbox, raw: bytes, cuts: list[tuple[int, int, bytes]]) -> None:
    for place, length, put in cuts:
        raw = raw[:place] + put + raw[place + length :]
    account = kit.settings(Path("unused")).account[0]
    trust = TrustList(frozenset({"example.mssante.fr"}), kit.START.date(), "test")
    assert take_in(store, account, raw, trust).verdict not in {"applied", "noted"}


_BLANK = st.sampled_from(["", " ", "  ", "\t", "\n "])


@st.composite
def written_errors(draw: st.DrawFn) -> bytes:
    """An MDN of an error, with blanks, case and order as chance has them."""
    chance = random.Random(draw(st.integers()))

    def case(text: str) -> str:
        return "".join(chance.choice([one.upper(), one.lower()]) for one in text)

    gap = [draw(_BLANK) for _ in range(6)]
    kind = case(draw(st.sampled_from(["processed", "displayed", "dispatched", "deleted"])))
    mode = draw(st.sampled_from(["automatic-action/MDN-sent-automatically", "manual-action/MDN-sent-manually", ""]))
    number = draw(st.sampled_from(["900", "902", "906", "207", "0", ""]))
    text = draw(st.text(string.ascii_letters + " ^|;/éà", max_size=40))
    said = f"{number}^{text}"
    if draw(st.booleans()):
        value = f"{mode}{gap[0]};{gap[1]}{kind}{gap[2]}/{gap[3]}{case('error')}{gap[4]}:{gap[5]}{said}"
        return samples.mdn(value)
    value = f"{mode}{gap[0]};{gap[1]}{kind}{gap[2]}/{gap[3]}{case('error')}"
    return samples.mdn(value, error=said if draw(st.booleans()) else None)


@given(raw=written_errors())
@settings(max_examples=300)
def test_an_error_is_refused_or_nothing(judge: object, raw: bytes) -> None:
    words = judge(raw).words  # type: ignore[operator]
    assert [word.receipt for word in words if word.receipt in SUCCESS] == []
    assert any(word.receipt is Receipt.REFUSED for word in words)
