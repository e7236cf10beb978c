"""Nobody follows a reference (SSRF, CWE-918): what came from outside opens no address, no file, no program.

Each reader alone, fed sound inputs in which references were planted, under the guard of the fuzzing and beside a bait
that counts: the guard sees what Python does, the bait what libxml2, typst or Pillow do by themselves. A whole practice
is tests/security/test_hostile_life.py, redirections of servers tests/security/test_redirects.py.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import threading
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from lxml import etree

from gateway.api import Gateway
from gateway.errors import ConfigError
from gateway.identity import datamatrix_image
from tests.fuzz.guard import ForbiddenError, Permitted, confined, watched
from tests.fuzz.target import Target, execute
from tests.fuzz.targets import scratch, targets
from tests.integration.practice import case
from tests.security.outside import Outside, outside
from tests.security.planting import places, planted
from tests.unit.sandbox import builders as b
from tests.unit.sandbox.conftest import Dmp, make_dmp, pki

__all__ = ["make_dmp", "outside", "pki"]
TARGETS = {one.name: one for one in targets()}
SLOW = {"sandbox_mail": 20, "opening": 60, "preflight": 60, "pdf": 60}
"""Inputs that are tried of a reader that takes its time."""


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_no_reader_follows_a_reference(name: str, outside: Outside) -> None:
    target, tried = TARGETS[name], 0
    for seed in target.seeds():
        with contextlib.suppress(*target.refuses):
            target.feed(seed)  # tables and lazy imports
        for data in list(planted(seed, outside))[:: 3 if name in SLOW else 1][: SLOW.get(name)]:
            execute(target, data, scratch())
            tried += 1
        assert not outside.touched()
    assert tried > 5


def _by_python(data: bytes) -> object:
    return urllib.request.urlopen(str(re.search(rb"http://[^\s\"'<>]+", data)[0], "ascii"), timeout=2)  # type: ignore[index]


def _by_libxml2(data: bytes) -> object:
    parser = etree.XMLParser(load_dtd=True, no_network=False, resolve_entities=True)
    return etree.fromstring(data, parser)


def _of_a_file(data: bytes) -> object:
    return Path(os.fsdecode(re.search(rb"file://([^\s\"'<>]+)", data)[1])).read_text()  # type: ignore[index]


@pytest.mark.parametrize("feed", [_by_python, _of_a_file])
def test_a_reader_that_fetches_is_caught_by_the_guard(feed: Callable[[bytes], object], outside: Outside) -> None:
    seed = f'<a href="{places(outside)[0]}" b="{places(outside)[1]}"/>'.encode()
    with pytest.raises(ForbiddenError):
        execute(Target("fetching", feed), seed)


def test_a_reader_that_fetches_by_itself_is_caught_by_the_bait(outside: Outside) -> None:
    """libxml2 told to load a DTD from a file of a pipe: no audit event, and the pipe has a reader."""
    data = f'<!DOCTYPE a SYSTEM "file://{outside.pipe}"><a/>'.encode()
    reader = threading.Thread(target=lambda: _quiet(lambda: _by_libxml2(data)))
    reader.start()
    handle = os.open(outside.pipe, os.O_WRONLY)  # waits until somebody reads
    os.close(handle)
    reader.join()


def _quiet(work: Callable[[], object]) -> None:
    with contextlib.suppress(etree.XMLSyntaxError):
        work()


# ----------------------------------------------------------------------------------- what is drawn, looked at, signed


PROGRAMS = (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n(/etc/passwd) (r) file\n%%EOF\n",)
"""Pictures for which Pillow would start a program."""


@pytest.mark.parametrize("picture", PROGRAMS)
def test_no_picture_starts_a_program(picture: bytes) -> None:
    pytest.importorskip("PIL")
    with confined(), pytest.raises(ConfigError, match="DMX-022"):
        datamatrix_image.texts(picture)


def test_nothing_typed_is_source_for_the_typesetter(outside: Outside) -> None:
    """Typst opens files and fetches packages by itself; what a person typed reaches it as data only."""
    value = case("01_entorse_cheville_bilan")
    orders = f'#read("{outside.pipe}") #image("{outside.secret}") #import "@preview/x:1.0.0": *'
    value["document"]["reason"] = orders
    found = Gateway.preview().render(json.dumps(value).encode())
    assert found is not None
    assert not outside.touched()


def _reference(url: str) -> Callable[[etree._Element], None]:
    def change(root: etree._Element) -> None:
        for one in root.iter(f"{{{b.DS}}}Reference"):
            one.set("URI", url)

    return change


def _retrieval(url: str) -> Callable[[etree._Element], None]:
    def change(root: etree._Element) -> None:
        for info in root.iter(f"{{{b.DS}}}KeyInfo"):
            for child in list(info):
                info.remove(child)
            etree.SubElement(info, f"{{{b.DS}}}RetrievalMethod", URI=url, Type=f"{b.DS}X509Data")

    return change


def _reply_to(url: str) -> Callable[[etree._Element], None]:
    def change(root: etree._Element) -> None:
        header = next(root.iter(f"{{{b.ENV}}}Header"))
        for name in ("ReplyTo", "FaultTo", "From"):
            for old in list(header.iter(f"{{{b.WSA}}}{name}")):
                header.remove(old)
            etree.SubElement(etree.SubElement(header, f"{{{b.WSA}}}{name}"), f"{{{b.WSA}}}Address").text = url

    return change


def _included(url: str) -> Callable[[etree._Element], None]:
    def change(root: etree._Element) -> None:
        for one in root.iter("{http://www.w3.org/2004/08/xop/include}Include"):
            one.set("href", url)

    return change


MESSAGES = {
    "Reference": _reference,
    "RetrievalMethod": _retrieval,
    "WS-Addressing": _reply_to,
    "xop:Include": _included,
}


@pytest.mark.parametrize("kind", MESSAGES)
def test_the_sandbox_answers_where_it_was_asked_and_looks_nowhere_else(
    kind: str, make_dmp: Callable[..., Dmp], outside: Outside
) -> None:
    """As a server: signatures, keys, parts and answers that point elsewhere are refused, and nobody goes there."""
    dmp = make_dmp()
    assert b"ResponseStatusType:Success" in dmp.send(b.feed(dmp.draft())).body
    for url in places(outside):
        built = b.feed(dmp.draft(edits={"envelope": MESSAGES[kind](url)}))
        with watched(Permitted()) as seen:
            answer = dmp.send(built)
        assert seen == []
        assert b"ResponseStatusType:Success" not in answer.body
    assert len(dmp.store.submissions()) == 1
    assert not outside.touched()
