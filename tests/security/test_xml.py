"""XML from outside: no entity is expanded, nothing outside is read, size and depth stay bounded, in every reader.

libxml2 opens files by itself, which no audit hook of Python sees: each attack names a pipe and a port of this machine
that tell whether anybody came.
"""

from __future__ import annotations

import os
import resource
import socket
import time
from collections.abc import Callable

import pytest

from tests.security.outside import SECRET, Outside, outside
from tests.security.readers import XML, Reader

__all__ = ["outside"]

SECONDS = 5.0
"""Processor time for one hostile document."""
MEMORY = 600_000_000
"""Bytes by which a reader may grow over all attacks: some carry 12 MB of text themselves."""


def _doc(doctype: str, body: str = "<a>&x;</a>", before: str = "") -> bytes:
    return f'<?xml version="1.0"?>{before}{doctype}{body}'.encode()


def _laughs(out: Outside) -> bytes:
    del out
    lines = ['<!ENTITY l0 "ha">', *(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))]
    return _doc(f"<!DOCTYPE a [{''.join(lines)}]>", "<a>&l11;</a>")


ENTITIES: dict[str, Callable[[Outside], bytes]] = {
    "a file as an entity": lambda o: _doc(f'<!DOCTYPE a [<!ENTITY x SYSTEM "file://{o.secret}">]>'),
    "a pipe as an entity": lambda o: _doc(f'<!DOCTYPE a [<!ENTITY x SYSTEM "file://{o.pipe}">]>'),
    "an address as an entity": lambda o: _doc(f'<!DOCTYPE a [<!ENTITY x SYSTEM "http://127.0.0.1:{o.port}/">]>'),
    "an ftp address": lambda o: _doc(f'<!DOCTYPE a [<!ENTITY x SYSTEM "ftp://127.0.0.1:{o.port}/">]>'),
    "a parameter entity": lambda o: _doc(f'<!DOCTYPE a [<!ENTITY % x SYSTEM "file://{o.pipe}"> %x;]>', "<a/>"),
    "an external DTD": lambda o: _doc(f'<!DOCTYPE a SYSTEM "file://{o.pipe}">', "<a/>"),
    "a public DTD by network": lambda o: _doc(f'<!DOCTYPE a PUBLIC "x" "http://127.0.0.1:{o.port}/a.dtd">', "<a/>"),
    "billion laughs": _laughs,
    "quadratic blow-up": lambda _: _doc(f'<!DOCTYPE a [<!ENTITY x "{"A" * 50_000}">]>', f"<a>{'&x;' * 20_000}</a>"),
    "an entity in an attribute": lambda _: _doc('<!DOCTYPE a [<!ENTITY x "y">]>', '<a b="&x;"/>'),
    "a default attribute": lambda _: _doc('<!DOCTYPE a [<!ATTLIST a b CDATA "y">]>', "<a/>"),
    "a doctype in UTF-16": lambda o: _doc(f'<!DOCTYPE a SYSTEM "file://{o.pipe}">', "<a/>").decode().encode("utf-16"),
    "a doctype after a comment": lambda o: _doc(f'<!DOCTYPE a SYSTEM "file://{o.pipe}">', "<a/>", "<!-- x --><?y z?>"),
}
"""Documents with a DOCTYPE: every reader refuses them all."""

REFERENCES: dict[str, Callable[[Outside], bytes]] = {
    "xinclude": lambda o: _doc(
        "", f'<a xmlns:i="http://www.w3.org/2001/XInclude"><i:include href="{o.secret}" parse="text"/></a>'
    ),
    "a style sheet": lambda o: _doc("", "<a/>", f'<?xml-stylesheet type="text/xsl" href="file://{o.pipe}"?>'),
    "a schema": lambda o: _doc(
        "",
        '<a xmlns:s="http://www.w3.org/2001/XMLSchema-instance" '
        f's:schemaLocation="urn:a http://127.0.0.1:{o.port}/a.xsd" s:noNamespaceSchemaLocation="{o.pipe}"/>',
    ),
    "xml:base": lambda o: _doc("", f'<a xml:base="http://127.0.0.1:{o.port}/"><b href="c"/></a>'),
    "a reference of CDA": lambda o: _doc(
        "",
        '<ClinicalDocument xmlns="urn:hl7-org:v3"><component><structuredBody><component><section><text>'
        f'<renderMultiMedia referencedObject="x"/><linkHtml href="http://127.0.0.1:{o.port}/"/></text><entry>'
        f'<observationMedia><value><reference value="file://{o.pipe}"/></value></observationMedia></entry>'
        "</section></component></structuredBody></component></ClinicalDocument>",
    ),
}
"""Documents that point elsewhere: read or refused, nobody goes there."""

GIANTS: dict[str, bytes] = {
    "depth": b"<a>" * 200_000,
    "depth, closed": b"<a>" * 50_000 + b"</a>" * 50_000,
    "one huge text": b"<a>" + b"x" * 12_000_000 + b"</a>",
    "one huge attribute": b'<a b="' + b"x" * 12_000_000 + b'"/>',
    "one huge name": b"<" + b"a" * 1_000_000 + b"/>",
    "many attributes": b"<a " + b" ".join(b'a%d="x"' % n for n in range(5_000)) + b"/>",
    "many namespaces": b"<a " + b" ".join(b'xmlns:a%d="u:%d"' % (n, n) for n in range(10_000)) + b"/>",
    "many siblings": b"<a>" + b"<b/>" * 300_000 + b"</a>",
    "many comments": b"<!-- -->" * 100_000 + b"<a/>",
    "blanks without end": b" " * 2_000_000,
    "an instruction without end": b"<?" * 200_000,
    "a comment without end": b"<!--" * 200_000,
    "NUL": b"<a>\x00</a>",
    "nothing": b"",
}


@pytest.mark.parametrize("reader", XML, ids=str)
@pytest.mark.parametrize("attack", ENTITIES)
def test_no_entity_and_no_dtd(reader: Reader, attack: str, outside: Outside) -> None:
    before = time.thread_time()
    said = reader.outcome(ENTITIES[attack](outside))
    assert SECRET not in said
    assert "haha" not in said
    assert "AAAA" not in said
    assert not outside.touched()
    assert time.thread_time() - before < SECONDS


@pytest.mark.parametrize("reader", XML, ids=str)
@pytest.mark.parametrize("attack", REFERENCES)
def test_nobody_follows_a_reference(reader: Reader, attack: str, outside: Outside) -> None:
    assert SECRET not in reader.outcome(REFERENCES[attack](outside))
    assert not outside.touched()


def test_the_witnesses_notice(outside: Outside) -> None:
    """The pipe and the port do tell: without that, the two tests above would prove nothing."""
    held = os.open(outside.pipe, os.O_RDONLY | os.O_NONBLOCK)
    assert outside.touched()
    os.close(held)
    assert not outside.touched()
    socket.create_connection(("127.0.0.1", outside.port)).close()
    assert outside.touched()


@pytest.mark.parametrize("reader", XML, ids=str)
def test_giants_are_read_or_refused_in_bounded_time_and_memory(reader: Reader) -> None:
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for attack, data in GIANTS.items():
        before = time.thread_time()
        reader.outcome(data)
        assert time.thread_time() - before < SECONDS, attack
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - grown) * 1024 < MEMORY
