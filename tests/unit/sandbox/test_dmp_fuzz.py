"""Whatever arrives, the DMP answers: no request may crash it, and nothing broken may be stored."""

from __future__ import annotations

import random
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from .builders import Built, feed
from .conftest import Dmp

NAMES = st.integers(0, 2**32)


@settings(max_examples=150, deadline=None)
@given(place=NAMES, junk=st.binary(min_size=1, max_size=12))
def test_bytes_overwritten_anywhere(shared_dmp: Dmp, place: int, junk: bytes) -> None:
    built = feed(shared_dmp.draft())
    start = place % len(built.body)
    body = built.body[:start] + junk + built.body[start + len(junk) :]
    assert shared_dmp.send(replace(built, body=body)).status in {200, 400, 500}


def _damage(root: etree._Element, dice: random.Random) -> None:
    """One element removed, doubled, emptied, renamed, or one attribute changed or removed."""
    elements = [item for item in root.iter() if isinstance(item.tag, str) and item.getparent() is not None]
    element = dice.choice(elements)
    parent = element.getparent()
    assert parent is not None
    kind = dice.randrange(6)
    if kind == 0:
        parent.remove(element)
    elif kind == 1:
        element.addnext(etree.fromstring(etree.tostring(element, with_tail=False)))
    elif kind == 2:
        element.text = None
    elif kind == 3:
        element.tag = f"{element.tag!s}X"
    elif element.attrib:
        name = dice.choice(list(element.attrib))
        if kind == 4:
            element.set(name, "é")
        else:
            del element.attrib[name]


@settings(max_examples=250, deadline=None)
@given(seed=NAMES, stage=st.sampled_from(["envelope", "metadata", "cda", "vihf", "vihf_signed", "manifest", "xades"]))
def test_one_element_damaged_anywhere(shared_dmp: Dmp, seed: int, stage: str) -> None:
    dice = random.Random(seed)
    try:
        built: Built = feed(shared_dmp.draft(edits={stage: lambda root: _damage(root, dice)}))
    except (AttributeError, AssertionError):
        return  # the builder of the tests itself needed what was damaged
    before = len(shared_dmp.store.submissions())
    answer = shared_dmp.send(built)
    stored = len(shared_dmp.store.submissions()) - before
    assert stored == (1 if b"ResponseStatusType:Success" in answer.body else 0)
