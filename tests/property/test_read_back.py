"""Whatever is written can be read back: CDA and FHIR of any document, archives, and bytes that are none of these.

By default a few examples of each; `KINE_EXAMPLES=500` draws five hundred (about two minutes of one core).
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from hypothesis import given, note
from hypothesis import strategies as st
from lxml import etree

from gateway import rules
from gateway.clock import SeededRandomness
from gateway.document import build_codes
from gateway.document.model import ClinicalDocument
from gateway.findings import Severity
from gateway.package import xdm as xdm_package
from gateway.read import cda, fhir, xdm
from gateway.read.cda.carried import through_cda
from gateway.read.fhir.carried import through_fhir
from gateway.read.opening import opened
from gateway.render.cda import render as cda_render
from gateway.render.fhir import render as fhir_render
from gateway.settings import AccountSettings, RulesSettings
from tests.property.strategies import TERMS, Made, account_of, documents, examples, made
from tests.unit.render_cda import samples


@examples(60)
@given(made())
def test_what_is_drawn_may_leave(one: Made) -> None:
    """Else the other tests would prove something about documents that never exist."""
    today = one.document.header.effective_time.date()
    found = rules.check(one.submission, account_of(one.submission), None, TERMS, RulesSettings(), today=today)
    found += build_codes.check(one.submission, TERMS)
    assert [finding for finding in found if finding.severity is Severity.ERROR] == []


@examples(60)
@given(documents())
def test_cda_comes_back(document: ClinicalDocument) -> None:
    written = cda_render(document, TERMS)
    reading = cda.read(written, TERMS)
    assert reading.own
    assert reading.findings == ()
    assert reading.document == through_cda(document, TERMS)
    assert reading.document.sections == document.sections
    assert cda_render(reading.document, TERMS) == written


@examples(60)
@given(documents(), st.sampled_from(["2.1", "2.2-ballot", "2.2"]))
def test_fhir_comes_back(document: ClinicalDocument, release: str) -> None:
    written = fhir_render(document, TERMS, release)
    reading = fhir.read(written, TERMS)
    assert reading.own
    assert reading.findings == ()
    assert reading.document == through_fhir(document)
    assert reading.document.sections == document.sections
    assert fhir_render(reading.document, TERMS, release) == written


@examples(25)
@given(documents())
def test_cda_and_fhir_say_the_same(document: ClinicalDocument) -> None:
    """Entry by entry, read by two readers from two renderings."""
    one = cda.read(cda_render(document, TERMS), TERMS).document
    other = fhir.read(fhir_render(document, TERMS), TERMS).document
    assert one is not None
    assert other is not None
    assert one.sections == other.sections
    assert through_cda(other, TERMS) == through_cda(through_fhir(document), TERMS)


@examples(25)
@given(made())
def test_the_archive_comes_back(one: Made) -> None:
    written = cda_render(one.document, TERMS)
    now = datetime(2026, 11, 22, tzinfo=UTC)
    data = xdm_package.archive(
        one.document, written, account=account_of(one.submission), now=now, ids=SeededRandomness("x")
    )
    archive = xdm.read(data, TERMS)
    assert archive.findings == ()
    [held] = archive.documents
    assert held.data == written
    assert held.metadata is not None
    assert held.metadata.title == one.document.header.title
    assert held.metadata.confidentiality == (one.document.header.confidentiality, *one.document.header.visibility)


# ---------------------------------------------------------------- bytes of any kind

_CDA = cda_render(samples.full(), samples.TERMS)
_FHIR = fhir_render(samples.full(), samples.TERMS)
_ARCHIVE = xdm_package.archive(
    samples.full(),
    _CDA,
    account=AccountSettings(
        id="essai",
        rpps="99700001011",
        mailbox="a@kine.mssante.example",
        display_name="Essai",
        oid_root="1.2.250.1.99999.1",
        nil="0",
    ),
    now=datetime(2026, 11, 22, tzinfo=UTC),
    ids=SeededRandomness("archive"),
)
_STARTS = st.sampled_from([b"", b"<", b"{", b"PK\x03\x04", b"PK\x05\x06", b"Subject: a\r\n", b"\xef\xbb\xbf", b"%PDF"])


@given(_STARTS, st.binary(max_size=300))
def test_no_bytes_make_a_reader_raise(start: bytes, data: bytes) -> None:
    found = opened(start + data, TERMS)
    assert list(found.every_finding())


@given(st.integers(0, len(_CDA) - 1), st.integers(0, 400), st.binary(max_size=12))
def test_a_damaged_cda_never_raises(start: int, length: int, put: bytes) -> None:
    opened(_CDA[:start] + put + _CDA[start + length :], TERMS)


@given(st.data())
def test_a_damaged_archive_never_raises(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(_ARCHIVE) - 1))
    length = data.draw(st.integers(0, 40))
    damaged = _ARCHIVE[:start] + data.draw(st.binary(max_size=12)) + _ARCHIVE[start + length :]
    xdm.read(damaged, TERMS)


_ELEMENTS = len(list(etree.fromstring(_CDA).iter(etree.Element)))
_VALUES = st.one_of(
    st.sampled_from(["", "0", "-1", "20260105", "2026", "#", "#x", "99999999999999", "CD", "PQ"]), st.text(max_size=8)
)


@examples(300)
@given(st.integers(0, _ELEMENTS - 1), st.integers(0, 9), _VALUES)
def test_a_cda_with_a_piece_changed_never_raises(place: int, which: int, text: str) -> None:
    root = etree.fromstring(_CDA)
    element = list(root.iter(etree.Element))[place]
    names = sorted(str(name) for name in element.attrib)
    clean = "".join(character for character in text if character.isprintable())
    parent = element.getparent()
    if names and which < 7:
        element.set(names[which % len(names)], clean)
    elif which < 9 and parent is not None:
        parent.remove(element)
    else:
        element.text = clean
    note(etree.tostring(element)[:200])
    cda.read(etree.tostring(root, encoding="UTF-8"), TERMS)


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for step, inner in steps for place in ((*path, step), *_places(inner, (*path, step)))]


_PLACES = _places(json.loads(_FHIR))
_JSON = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.text(max_size=8),
    st.sampled_from(
        ["2026", "2026-13-01", "urn:uuid:x", "<div/>", "<div><p>a</div>", [], {}, [None], [[]], [{"a": 1}]]
    ),
)


@examples(300)
@given(st.sampled_from(_PLACES), _JSON, st.booleans())
def test_a_fhir_document_with_a_place_changed_never_raises(path: tuple[Any, ...], new: Any, removed: bool) -> None:
    bundle = json.loads(_FHIR)
    holder = bundle
    for step in path[:-1]:
        holder = holder[step]
    if removed:
        del holder[path[-1]]
    else:
        holder[path[-1]] = new
    fhir.read(json.dumps(bundle).encode(), TERMS)
