"""Requests to INSi: a SOAP 1.2 envelope with the two contexts of the health insurance, built anew for each call.

ServiceIdentiteCertifiee v1 (DESIR_ICIR_EXP 1.5.0), operation `rechercherInsAvecTraitsIdentite`; contexts BAM 01_02
and LPS 01_00 (spec dmp §5). Authentication is the organisation's certificate in TLS: no wsse header goes with it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

from lxml import etree

from gateway.clock import Randomness
from gateway.package.xml import Element

SOAP = "http://www.w3.org/2003/05/soap-envelope"
WSA = "http://www.w3.org/2005/08/addressing"
BAM = "urn:siram:bam:ctxbam"
LPS = "urn:siram:lps:ctxlps"
SEARCH = "http://www.cnamts.fr/INSiRecSans"
ACTION = "urn:ServiceIdentiteCertifiee:1.0.0:rechercherInsAvecTraitsIdentite"
CONTENT_TYPE = f'application/soap+xml; charset=utf-8; action="{ACTION}"'

_PREFIXES: dict[str | None, str] = {"soap": SOAP, "wsa": WSA, "ctxbam": BAM, "ctxlps": LPS, "insi": SEARCH}


@dataclass(frozen=True, slots=True)
class Software:
    """The software as the service knows it. `emitter` is the billing number of the structure or person that asks."""

    idam: str
    name: str
    version: str
    instance: str
    emitter: str


@dataclass(frozen=True, slots=True)
class Search:
    """Traits to look for, already written as the service takes them. `given`: at least one; `sex` F or M."""

    family: str
    given: tuple[str, ...]
    sex: str
    born: date
    cog: str | None = None

    def with_given(self, *given: str) -> Search:
        """The same search by other given names."""
        return replace(self, given=given)


def search_request(search: Search, software: Software, *, now: datetime, ids: Randomness) -> bytes:
    """The envelope, UTF-8 with its declaration. `now` must be the true time."""
    if not search.given:
        raise ValueError("the service needs one given name at least")
    envelope = etree.Element(f"{{{SOAP}}}Envelope", nsmap=_PREFIXES)
    header = etree.SubElement(envelope, f"{{{SOAP}}}Header")
    instant = f"{now.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03d}Z"
    _bam(header, software, str(ids.uuid()), instant)
    _lps(header, software, str(ids.uuid()), instant)
    _text(header, WSA, "Action", ACTION)
    _text(header, WSA, "MessageID", f"uuid:{ids.uuid()}")
    _search(etree.SubElement(envelope, f"{{{SOAP}}}Body"), search)
    return etree.tostring(envelope, xml_declaration=True, encoding="UTF-8")


def _bam(header: Element, software: Software, identifier: str, instant: str) -> None:
    context = etree.SubElement(header, f"{{{BAM}}}ContexteBAM", Version="01_02")
    _text(context, BAM, "Id", identifier)
    _text(context, BAM, "Temps", instant)
    _text(context, BAM, "Emetteur", software.emitter)
    # The patient's health insurance: nothing of it is known or needed for a search by traits, the element is.
    etree.SubElement(context, f"{{{BAM}}}COUVERTURE")


def _lps(header: Element, software: Software, identifier: str, instant: str) -> None:
    context = etree.SubElement(header, f"{{{LPS}}}ContexteLPS", Nature="CTXLPS", Version="01_00")
    _text(context, LPS, "Id", identifier)
    _text(context, LPS, "Temps", instant)
    _text(context, LPS, "Emetteur", software.emitter)
    described = etree.SubElement(context, f"{{{LPS}}}LPS")
    etree.SubElement(described, f"{{{LPS}}}IDAM", R="4").text = software.idam
    _text(described, LPS, "Version", software.version)
    _text(described, LPS, "Instance", software.instance)
    _text(described, LPS, "Nom", software.name)


def _search(body: Element, search: Search) -> None:
    asked = etree.SubElement(body, f"{{{SEARCH}}}RECSANSVITALE")
    _text(asked, SEARCH, "NomNaissance", search.family)
    for name in search.given:
        _text(asked, SEARCH, "Prenom", name)
    _text(asked, SEARCH, "Sexe", search.sex)
    _text(asked, SEARCH, "DateNaissance", search.born.isoformat())
    if search.cog:
        _text(asked, SEARCH, "LieuNaissance", search.cog)


def _text(parent: Element, namespace: str, name: str, value: str) -> None:
    etree.SubElement(parent, f"{{{namespace}}}{name}").text = value
