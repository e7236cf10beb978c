"""Reading a request of INSi strictly, by the schemas that were seen (spec dmp §5), with code of its own.

What the service's own fault codes are for a malformed request is not known: such a refusal is a plain SOAP fault
with a French reason, and no code is made up. The two refusals whose codes are known have them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from gateway.sandbox.xml import Element, XmlError, children, local, namespace, parse, text

ENV = "http://www.w3.org/2003/05/soap-envelope"
WSA = "http://www.w3.org/2005/08/addressing"
BAM = "urn:siram:bam:ctxbam"
LPS = "urn:siram:lps:ctxlps"
ASKED = "http://www.cnamts.fr/INSiRecSans"
WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
ACTION = "urn:ServiceIdentiteCertifiee:1.0.0:rechercherInsAvecTraitsIdentite"
COMMON_NAMES = frozenset({"INSI-MANU", "INSI-AUTO"})

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_NAME = re.compile(r"[A-Z]+(?:(?:-{1,2}|[' ])[A-Z]+)*")
_PLACE = re.compile(r"(?:[0-9]{2}|2[AB])[0-9]{3}")
_INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?(?:Z|[+-][0-9]{2}:[0-9]{2})")
_FRESH = timedelta(hours=24)
"""How old a context may be here; the real limit is not published."""


class Refused(Exception):  # noqa: N818 what a server says, not a fault of the program
    """A refusal: SOAP code, and where known the subcode and code that the service gives."""

    def __init__(self, reason: str, *, code: str = "Sender", subcode: str = "", detail: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code
        self.subcode = subcode
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Asked:
    """A search whose envelope and traits hold."""

    message_id: str
    idam: str
    family: str
    given: tuple[str, ...]
    sex: str
    born: str
    cog: str


def read(data: bytes, content_type: str, now: datetime) -> Asked:
    """The search in a request. Raises Refused."""
    _check_content_type(content_type)
    try:
        envelope = parse(data)
    except XmlError as fault:
        raise Refused(f"Enveloppe illisible : {fault}") from fault
    if local(envelope) != "Envelope" or namespace(envelope) != ENV:
        raise Refused("SOAP 1.2 attendu", code="VersionMismatch")
    parts = children(envelope)
    if [local(one) for one in parts] != ["Header", "Body"] or any(namespace(one) != ENV for one in parts):
        raise Refused("L'enveloppe doit contenir un Header puis un Body")
    header, body = parts
    message_id = _addressing(header)
    _understood(header)
    _bam(_context(header, BAM, "ContexteBAM", "01_02"), now)
    idam = _lps(_context(header, LPS, "ContexteLPS", "01_00"), now)
    return _traits(body, message_id, idam, now.date())


def _check_content_type(content_type: str) -> None:
    kind, *parameters = [part.strip() for part in content_type.split(";")]
    if kind.lower() != "application/soap+xml":
        raise Refused("Content-Type application/soap+xml attendu")
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "action" and value.strip().strip('"') != ACTION:
            raise Refused("L'action du Content-Type n'est pas celle de la recherche")


def _understood(header: Element) -> None:
    for block in children(header):
        wanted = block.get(f"{{{ENV}}}mustUnderstand") in {"true", "1"}
        if wanted and namespace(block) not in {WSA, WSSE, BAM, LPS}:
            raise Refused(f"En-tête non compris : {local(block)}", code="MustUnderstand")


def _addressing(header: Element) -> str:
    actions, ids = header.findall(f"{{{WSA}}}Action"), header.findall(f"{{{WSA}}}MessageID")
    if len(actions) != 1 or text(actions[0]) != ACTION:
        raise Refused("wsa:Action absente, répétée ou inconnue")
    if len(ids) != 1:
        raise Refused("wsa:MessageID absent ou répété")
    written = text(ids[0])
    if not _UUID.fullmatch(written.removeprefix("urn:").removeprefix("uuid:")) or "uuid:" not in written:
        raise Refused("wsa:MessageID : uuid:<UUID> attendu")
    return written


def _context(header: Element, space: str, name: str, version: str) -> Element:
    found = header.findall(f"{{{space}}}{name}")
    if len(found) != 1:
        raise Refused(f"{name} absent ou répété")
    if found[0].get("Version") != version:
        raise Refused(f"{name} : Version {version} attendue")
    return found[0]


def _in_order(parent: Element, space: str, *names: str) -> list[Element]:
    """The children, which must be exactly these, in this order (xsd:sequence)."""
    found = children(parent)
    if [local(one) for one in found] != list(names) or any(namespace(one) != space for one in found):
        raise Refused(f"{local(parent)} : {', '.join(names)} attendus, dans cet ordre")
    return found


def _common(identifier: Element, instant: Element, emitter: Element, now: datetime) -> None:
    owner = local(identifier.getparent()) if identifier.getparent() is not None else ""  # type: ignore[arg-type]
    if not _UUID.fullmatch(text(identifier)):
        raise Refused(f"{owner}/Id : UUID attendu")
    if not _INSTANT.fullmatch(text(instant)):
        raise Refused(f"{owner}/Temps : xsd:dateTime avec fuseau attendu")
    try:
        written = datetime.fromisoformat(text(instant))
    except ValueError as fault:
        raise Refused(f"{owner}/Temps : instant impossible") from fault
    if abs(written - now) > _FRESH:
        raise Refused(f"{owner}/Temps : trop éloigné de l'heure du service")
    if not text(emitter):
        raise Refused(f"{owner}/Emetteur vide")


def _bam(context: Element, now: datetime) -> None:
    identifier, instant, emitter, _ = _in_order(context, BAM, "Id", "Temps", "Emetteur", "COUVERTURE")
    _common(identifier, instant, emitter, now)


def _lps(context: Element, now: datetime) -> str:
    identifier, instant, emitter, software = _in_order(context, LPS, "Id", "Temps", "Emetteur", "LPS")
    _common(identifier, instant, emitter, now)
    idam, *others = _in_order(software, LPS, "IDAM", "Version", "Instance", "Nom")
    if idam.get("R") != "4":
        raise Refused('IDAM : R="4" attendu')
    for one in (idam, *others):
        if not text(one):
            raise Refused(f"LPS/{local(one)} vide")
    return text(idam)


def _traits(body: Element, message_id: str, idam: str, today: date) -> Asked:
    found = children(body)
    if len(found) != 1 or local(found[0]) != "RECSANSVITALE" or namespace(found[0]) != ASKED:
        raise Refused("Le Body doit contenir un RECSANSVITALE et rien d'autre")
    values = children(found[0])
    names = [local(one) for one in values]
    if any(namespace(one) != ASKED for one in values):
        raise Refused("RECSANSVITALE : espace de noms inattendu")
    given = names.count("Prenom")
    wanted = ["NomNaissance", *["Prenom"] * given, "Sexe", "DateNaissance"]
    if given == 0 or names not in (wanted, [*wanted, "LieuNaissance"]):
        raise Refused(
            "RECSANSVITALE : NomNaissance, Prenom, Sexe, DateNaissance, LieuNaissance attendus, dans cet ordre"
        )
    said = [text(one) for one in values]
    _check_names([said[0], *said[1 : 1 + given]])
    cog = said[-1] if names[-1] == "LieuNaissance" else ""
    _check_values(said[1 + given], said[2 + given], cog if names[-1] == "LieuNaissance" else None, today)
    return Asked(message_id, idam, said[0], tuple(said[1 : 1 + given]), said[1 + given], said[2 + given], cog)


def _check_names(names: list[str]) -> None:
    for name in names:
        if not _NAME.fullmatch(name):
            raise Refused("Nom ou prénom hors du motif du service (capitales sans accents)")


def _check_values(sex: str, born: str, cog: str | None, today: date) -> None:
    if sex not in {"F", "M"}:
        raise Refused("Sexe : F ou M attendu")
    try:
        day = date.fromisoformat(born) if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", born) else None
    except ValueError:
        day = None
    if day is None or day > today:
        raise Refused("DateNaissance : AAAA-MM-JJ passée attendue")
    if cog is not None and not _PLACE.fullmatch(cog):
        raise Refused("LieuNaissance : code officiel géographique attendu")
