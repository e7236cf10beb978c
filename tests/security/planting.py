"""Sound inputs in which references were planted: every attribute, text, field and header that could name a place does.

Each function takes bytes of a form (XML, JSON, MIME, ZIP, PDF, anything) and gives variants of them that point at the
bait. A form that the bytes have not gives nothing.
"""

from __future__ import annotations

import copy
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

from lxml import etree

from tests.security.outside import Outside

_WSA, _DS = "http://www.w3.org/2005/08/addressing", "http://www.w3.org/2000/09/xmldsig#"
_XOP, _XI = "http://www.w3.org/2004/08/xop/include", "http://www.w3.org/2001/XInclude"
_XSI, _XLINK = "http://www.w3.org/2001/XMLSchema-instance", "http://www.w3.org/1999/xlink"
_CDA, _SAML = "urn:hl7-org:v3", "urn:oasis:names:tc:SAML:2.0:assertion"
_RIM = "urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0"


def places(out: Outside) -> tuple[str, ...]:
    """Where the bait lies, in the spellings of those who fetch."""
    return (
        f"http://127.0.0.1:{out.port}/a",
        f"file://{out.pipe}",
        str(out.pipe),
        f"ftp://127.0.0.1:{out.port}/a",
        f"//127.0.0.1:{out.port}/a",
        f"jar:http://127.0.0.1:{out.port}/a.jar!/b",
        "http://appat.invalid/a",
        "\\\\127.0.0.1\\partage\\a",
    )


def _elements(url: str) -> str:
    return (
        f'<x><r:ReplyTo xmlns:r="{_WSA}"><r:Address>{url}</r:Address></r:ReplyTo>'
        f'<r:FaultTo xmlns:r="{_WSA}"><r:Address>{url}</r:Address></r:FaultTo>'
        f'<i:Include xmlns:i="{_XOP}" href="{url}"/><i:include xmlns:i="{_XI}" href="{url}" parse="text"/>'
        f'<d:Signature xmlns:d="{_DS}"><d:SignedInfo><d:Reference URI="{url}"/></d:SignedInfo><d:KeyInfo>'
        f'<d:RetrievalMethod URI="{url}"/></d:KeyInfo></d:Signature>'
        f'<c:reference xmlns:c="{_CDA}" value="{url}"/><c:linkHtml xmlns:c="{_CDA}" href="{url}"/>'
        f'<c:observationMedia xmlns:c="{_CDA}"><c:value><c:reference value="{url}"/></c:value></c:observationMedia>'
        f'<s:AssertionURIRef xmlns:s="{_SAML}">{url}</s:AssertionURIRef>'
        f'<m:Slot xmlns:m="{_RIM}" name="URI"><m:ValueList><m:Value>{url}</m:Value></m:ValueList></m:Slot>'
        f'<m:ExternalLink xmlns:m="{_RIM}" externalURI="{url}"/><img src="{url}"/></x>'
    )


def xml(data: bytes, url: str) -> Iterator[bytes]:
    """XML: elements that refer, in front of every text; references replaced; style sheet, schema, DTD."""
    try:
        root = etree.fromstring(data, etree.XMLParser(resolve_entities=False, no_network=True))
    except (etree.XMLSyntaxError, ValueError):
        return
    whole = etree.tostring(root)
    yield f'<?xml-stylesheet type="text/xsl" href="{url}"?>'.encode() + whole
    yield f'<!DOCTYPE {etree.QName(root).localname} SYSTEM "{url}">'.encode() + whole
    for one in root.iter(etree.Element):
        for name in one.attrib:
            if etree.QName(str(name)).localname in {"href", "URI", "src", "value", "uri", "externalURI", "home"}:
                one.set(str(name), url)
    root.set(f"{{{_XSI}}}schemaLocation", f"urn:a {url}")
    root.set("{http://www.w3.org/XML/1998/namespace}base", url)
    root.set(f"{{{_XLINK}}}href", url)
    yield etree.tostring(root)
    for depth, one in enumerate(list(root.iter(etree.Element))[:200]):
        if depth % 7 == 0:
            one.insert(0, etree.fromstring(_elements(url)))
    yield etree.tostring(root)
    for one in root.iter(etree.Element):
        one.text = url if (one.text or "").strip() else one.text
    yield etree.tostring(root)


_FIELDS = ("reference", "url", "valueUri", "$ref", "$schema", "@context", "profile", "implicitRules", "location")


def _pointed(value: Any, url: str, *, all_texts: bool) -> Any:
    if isinstance(value, dict):
        found = {key: _pointed(one, url, all_texts=all_texts) for key, one in value.items()}
        return (
            found if all_texts else {**found, **dict.fromkeys(_FIELDS, url), "link": [{"relation": "next", "url": url}]}
        )
    if isinstance(value, list):
        return [_pointed(one, url, all_texts=all_texts) for one in value]
    return url if isinstance(value, str) and all_texts else value


def texts(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where the texts of a JSON tree stand."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in pairs:
        if isinstance(one, str):
            yield (*path, key)
        yield from texts(one, (*path, key))


def put(value: Any, path: tuple[Any, ...], text: str) -> Any:
    """A copy of a JSON tree with another text at this place."""
    made: Any = copy.deepcopy(value)
    holder = made
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = text
    return made


def as_json(data: bytes, url: str) -> Iterator[bytes]:
    """JSON: each text alone, all of them, and the fields of FHIR that refer added to every object."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return
    for path in list(texts(value))[:120]:
        yield json.dumps(put(value, path, url)).encode()
    for all_texts in (True, False):
        yield json.dumps(_pointed(value, url, all_texts=all_texts)).encode()


_HEADERS = ("Disposition-Notification-To", "Return-Receipt-To", "Content-Location", "Content-Base", "List-Unsubscribe")


def mime(data: bytes, url: str) -> Iterator[bytes]:
    """A mail: headers that ask for an answer or name a place, a body that lies elsewhere, HTML that loads."""
    if b":" not in data.partition(b"\n")[0] or b"ontent-" not in data:
        return
    asking = "".join(f"{name}: <{url}>\r\n" for name in _HEADERS).encode()
    yield asking + data
    outer = f'Content-Type: message/external-body; access-type=URL; URL="{url}"\r\n\r\nContent-Type: text/plain\r\n\r\n'
    html = f'Content-Type: text/html\r\n\r\n<base href="{url}"><img src="{url}"><link rel=stylesheet href="{url}">'
    parts = (f'Content-Type: message/external-body; access-type=local-file; name="{url}"\r\n\r\n\r\n', outer, html)
    mixed = "".join(f"--P\r\n{part}\r\n" for part in parts).encode()
    yield (
        b'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="P"\r\n\r\n'
        + mixed
        + b"--P\r\n"
        + data
        + b"\r\n--P--"
    )
    yield data.replace(b"cid:", f"{url}#".encode()).replace(b"text/plain", b"text/html")


def zipped(data: bytes, url: str) -> Iterator[bytes]:
    """An archive, its XML and JSON members planted."""
    if not data.startswith(b"PK\x03\x04"):
        return
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
    except (zipfile.BadZipFile, ValueError, EOFError, RuntimeError, NotImplementedError):
        return  # a hostile one of the corpus
    for way in (xml, as_json, pdf):
        held = io.BytesIO()
        with zipfile.ZipFile(held, "w") as archive:
            for name, content in members.items():
                archive.writestr(name, next(iter(list(way(content, url))[-1:]), content))
        yield held.getvalue()


def pdf(data: bytes, url: str) -> Iterator[bytes]:
    """A PDF that opens an address, starts a program, has streams and files that lie elsewhere."""
    if not data.startswith(b"%PDF"):
        return
    more = "".join(f"<</S/{kind}/F({url})/D[0]>>" for kind in ("Launch", "GoToR", "SubmitForm", "ImportData"))
    actions = f"/OpenAction<</S/URI/URI({url})/Next[{more}]>>"
    files = f"/Names<</EmbeddedFiles<</Names[(a)<</Type/Filespec/F({url})/FS/URL>>]>>>>"
    yield data.replace(b"/Type/Catalog", f"/Type/Catalog{actions}{files}".encode())
    yield data.replace(b"/Length ", f"/F<</FS/URL/F({url})>>/FFilter/FlateDecode/Length ".encode())


def text(data: bytes, url: str) -> Iterator[bytes]:
    """Anything: the reference behind it, and in the place of what stands between separators."""
    yield data + url.encode()
    for mark in (b"|", b";", b"\x1d", b'"', b" "):
        pieces = data.split(mark)
        if 2 < len(pieces) < 5_000:
            yield mark.join([pieces[0], *[url.encode()] * (len(pieces) - 2), pieces[-1]])


WAYS: tuple[Callable[[bytes, str], Iterator[bytes]], ...] = (xml, as_json, mime, zipped, pdf, text)


def planted(data: bytes, out: Outside) -> Iterator[bytes]:
    """Every variant of an input, the places taking turns in the many and all of them in the first."""
    for url in places(out)[:3]:
        for way in WAYS:
            yield from way(data, url)
    for url in places(out)[3:]:
        for way in WAYS:
            yield from list(way(data, url))[-2:]
