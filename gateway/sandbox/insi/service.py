"""INSi without its network: bytes of a request and a client certificate in, bytes of an answer out."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.x509.oid import NameOID
from lxml import etree

from gateway.clock import Clock
from gateway.sandbox.certificates import is_client_certificate
from gateway.sandbox.faults import AFTER_DATA, Channel, DropConnectionError, Fault, FaultKind, Faults
from gateway.sandbox.insi.people import Matricule, People, Person
from gateway.sandbox.insi.request import COMMON_NAMES, ENV, Asked, Refused, read
from gateway.sandbox.xml import Element, printable

PATH = "/lps"
RESULT = "http://www.cnamts.fr/INSiResultat"
SIRAM = "urn:siram"
IDAM = "BACASABLE0001"
"""The only software authorised here, unless options say otherwise."""
_LABELS = {"00": "OK", "01": "Aucune identite trouvee", "02": "Plusieurs identites trouvees"}
_TYPE = "application/soap+xml; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, media type and body of an answer."""

    status: int
    content_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Question:
    """A request as it was received: when, from whose certificate, with what end. No trait is kept."""

    at: datetime
    common_name: str
    given_names: int
    with_place: bool
    outcome: str


@dataclass(frozen=True, slots=True)
class InsiOptions:
    """`idams`: authorisation numbers of known software."""

    idams: tuple[str, ...] = (IDAM,)


class InsiService:
    """Certificate, then software, then traits: as the order of the known faults suggests."""

    def __init__(self, people: People, faults: Faults, clock: Clock, options: InsiOptions) -> None:
        self._people = people
        self._faults = faults
        self._clock = clock
        self._options = options
        self._lock = threading.Lock()
        self._questions: list[Question] = []

    def questions(self) -> list[Question]:
        """Every request since the start, oldest first."""
        with self._lock:
            return list(self._questions)

    def answer(self, path: str, content_type: str, body: bytes, peer: x509.Certificate) -> Answer:
        """The answer to one POST. Raises DropConnectionError when a fault says so."""
        if path != PATH:
            return Answer(404, "text/plain; charset=UTF-8", b"service inconnu\n")
        asked: Asked | None = None
        try:
            self._struck()
            _check_certificate(peer)
            asked = read(body, content_type, self._clock.now())
            if asked.idam not in self._options.idams:
                reason = "L'accès par ce progiciel au service n'est pas autorisé."
                detail = "Numéro d'autorisation du logiciel inconnu."
                raise Refused(f"{reason}|{detail}", subcode="siram_100", detail="desir_550")
        except Refused as refusal:
            self._note(peer, asked, refusal.detail or refusal.code)
            return Answer(400 if refusal.code == "Sender" else 500, _TYPE, _fault(refusal))
        found = self._people.find(asked.family, asked.given, asked.sex, asked.born, asked.cog)
        code = "00" if len(found) == 1 else "02" if found else "01"
        self._note(peer, asked, code)
        return Answer(200, _TYPE, _result(code, found[0] if code == "00" else None))

    def _note(self, peer: x509.Certificate, asked: Asked | None, outcome: str) -> None:
        names, place = (len(asked.given), bool(asked.cog)) if asked else (0, False)
        question = Question(self._clock.now(), _common_name(peer), names, place, outcome)
        with self._lock:
            self._questions.append(question)

    def _struck(self) -> None:
        """An injected fault strikes before anything is looked at."""
        fault = self._faults.take(Channel.INSI, AFTER_DATA)
        if fault is None:
            return
        _strike(fault)


def _strike(fault: Fault) -> None:
    if fault.kind is FaultKind.DELAY:
        time.sleep(fault.seconds)
    elif fault.kind is FaultKind.REFUSE:
        reason = "Le service est temporairement inaccessible."
        detail = "L'appel au service de recherche avec les traits d'identité renvoie une erreur technique."
        raise Refused(f"{reason}|{detail}", code="Receiver", subcode="siram_40", detail="insi_102")
    elif fault.kind is FaultKind.REJECT:
        raise Refused("Demande refusée (panne du bac à sable)")
    else:
        raise DropConnectionError


def _common_name(peer: x509.Certificate) -> str:
    found = peer.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if found else ""


def _check_certificate(peer: x509.Certificate) -> None:
    if _common_name(peer) not in COMMON_NAMES or not is_client_certificate(peer):
        reason = "Vous ne disposez pas des droits suffisants pour accéder à ce service"
        raise Refused(f"{reason}|Niveau d'accès insuffisant", detail="DESIR_560")


def _envelope() -> tuple[Element, Element]:
    envelope = etree.Element(f"{{{ENV}}}Envelope", nsmap={"soap": ENV})
    return envelope, etree.SubElement(envelope, f"{{{ENV}}}Body")


def _fault(refusal: Refused) -> bytes:
    """SOAP 1.2; severities as the service writes them: `fatal`, outside its schema, and `erreur`."""
    envelope, body = _envelope()
    fault = etree.SubElement(body, f"{{{ENV}}}Fault")
    code = etree.SubElement(fault, f"{{{ENV}}}Code")
    etree.SubElement(code, f"{{{ENV}}}Value").text = f"soap:{refusal.code}"
    if refusal.subcode:
        subcode = etree.SubElement(code, f"{{{ENV}}}Subcode")
        etree.SubElement(subcode, f"{{{ENV}}}Value").text = f"soap:{refusal.subcode}"
    reason, _, more = refusal.reason.partition("|")
    words = etree.SubElement(etree.SubElement(fault, f"{{{ENV}}}Reason"), f"{{{ENV}}}Text")
    words.set("{http://www.w3.org/XML/1998/namespace}lang", "en")
    words.text = printable(reason)
    if refusal.detail:
        holder = etree.SubElement(fault, f"{{{ENV}}}Detail")
        detail = etree.SubElement(holder, f"{{{SIRAM}}}Erreur", nsmap={"siram": SIRAM})
        detail.set("severite", "fatal" if refusal.code == "Receiver" else "erreur")
        detail.set("code", refusal.detail)
        detail.text = more
    return etree.tostring(envelope, xml_declaration=True, encoding="UTF-8")


def _result(code: str, person: Person | None) -> bytes:
    envelope, body = _envelope()
    result = etree.SubElement(body, f"{{{RESULT}}}RESULTAT", nsmap={None: RESULT})
    outcome = _child(result, "CR")
    _child(outcome, "CodeCR", code)
    _child(outcome, "LibelleCR", _LABELS[code])
    if person is not None:
        described = _child(result, "INDIVIDU")
        _number(_child(described, "INSACTIF"), person.active)
        for number in person.history:
            _number(_child(described, "INSHISTO"), number)
        _traits(_child(described, "TIQ"), person)
    return etree.tostring(envelope, xml_declaration=True, encoding="UTF-8")


def _child(parent: Element, name: str, value: str | None = None) -> Element:
    element = etree.SubElement(parent, f"{{{RESULT}}}{name}")
    element.text = value
    return element


def _number(parent: Element, number: Matricule) -> None:
    """Dates come first where they are, as in a reply that was seen, whatever the schema's order."""
    for name, value in (("DateDeb", number.begin), ("DateFin", number.end)):
        if value:
            _child(parent, name, value)
    identity = _child(parent, "IdIndividu")
    _child(identity, "NumIdentifiant", number.number)
    _child(identity, "Cle", number.key)
    if number.kind:
        _child(identity, "TypeMatricule", number.kind)
    _child(parent, "OID", number.oid)


def _traits(parent: Element, person: Person) -> None:
    """No first given name apart: replies that were seen have the list only."""
    _child(parent, "NomNaissance", person.family)
    _child(parent, "ListePrenom", person.given)
    _child(parent, "Sexe", person.sex)
    _child(parent, "DateNaissance", person.born)
    _child(parent, "LieuNaissance", person.cog)
