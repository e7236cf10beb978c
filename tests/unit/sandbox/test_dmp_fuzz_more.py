"""Whatever arrives at the other transactions, the DMP answers, and what it refuses changes nothing."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from .builders import Built, Draft, existence
from .conftest import Dmp
from .operations import fed, leaf_of, retrieve, send, status_change, visibility_change
from .test_dmp_fuzz import _damage

SEEDS = st.integers(0, 2**32)


@pytest.fixture(scope="module")
def held(shared_dmp: Dmp) -> tuple[Dmp, Draft, Any]:
    """A DMP with one document, its metadata at hand."""
    draft, _ = fed(shared_dmp, mode="DIRECTE")
    return shared_dmp, draft, leaf_of(shared_dmp, draft.document_id)


def made(dmp: Dmp, kind: str, document: Draft, leaf: Any, edits: dict[str, Any]) -> Built:
    draft = dmp.draft(mode="DIRECTE", edits=edits)
    if kind == "retrieve":
        return retrieve(draft, document.document_id)
    if kind == "existence":
        return existence(draft)
    if kind == "status":
        return status_change(draft, str(leaf.get("id")), old="Archived", new="Approved")
    return visibility_change(draft, leaf, ["MASQUE_PS"], version=9)


@settings(max_examples=300, deadline=None)
@given(
    seed=SEEDS,
    kind=st.sampled_from(["retrieve", "existence", "status", "visibility"]),
    stage=st.sampled_from(["payload", "payload", "envelope"]),
)
def test_one_element_damaged_anywhere(held: tuple[Dmp, Draft, Any], seed: int, kind: str, stage: str) -> None:
    dmp, document, leaf = held
    dice = random.Random(seed)
    built = made(dmp, kind, document, leaf, {stage: lambda root: _damage(root, dice)})
    before = dmp.store.documents(signatures=True, versions=True)
    assert send(dmp, built).status in {200, 400, 500}
    assert dmp.store.documents(signatures=True, versions=True) == before


@settings(max_examples=100, deadline=None)
@given(place=SEEDS, junk=st.binary(min_size=1, max_size=12), kind=st.sampled_from(["retrieve", "status"]))
def test_bytes_overwritten_anywhere(held: tuple[Dmp, Draft, Any], place: int, junk: bytes, kind: str) -> None:
    dmp, document, leaf = held
    built = made(dmp, kind, document, leaf, {})
    start = place % len(built.body)
    body = built.body[:start] + junk + built.body[start + len(junk) :]
    answer = send(dmp, replace(built, body=body))
    assert answer.status in {200, 400, 500}
    if kind == "retrieve":
        assert answer.content_type.startswith("multipart/related") or b"RetrieveDocumentSet" not in body
