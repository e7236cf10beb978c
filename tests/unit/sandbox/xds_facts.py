"""Facts about XDS metadata, in our own words and values, as the validator tests of the Java toolkit IPF hold them.

Each fact says what one form of a value is by IPF: sound or not. What IPF refuses the sandbox must refuse. What IPF
takes the sandbox takes too, or the French profile says why not (`reason`): the DMP is narrower than XDS, never wider.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from . import builders as b
from .builders import RIM, E
from .defects import (
    DOC,
    DOC_AUTHOR,
    DOC_UNIQUE,
    SET,
    SET_AUTHOR,
    SET_SOURCE,
    SET_UNIQUE,
    author_slot,
    find,
    identifier,
    value,
)

Edit = Callable[[E], None]
PS, STRUCTURE, OWN = "1.2.250.1.71.4.2.1", "1.2.250.1.71.4.2.2", "1.2.250.1.99999.1"
INSTITUTION = f"Cabinet FICTIF^^^^^&{STRUCTURE}&ISO^IDNST^^^{b.STRUCTURE}"
PERSON = f"{b.PS}^TESTOU^Gwenaël^^^^^^&{PS}&ISO^D^^^IDNPS"
# Why the DMP refuses what XDS allows.
TYPED = "component 5 says whether it is an INS (NH) or a local id (PI)"
NATIONAL = "a person is named by PS_IdNat, family name and thirteen components"
OF_STRUCTURE = "a structure is named by its Struct_IdNat (IDNST)"
SECOND = "the instant of creation and of submission is given to the second"
FRENCH = "the language of a document is fr-FR"
CDA_ONLY = "only CDA and its self-presenting form are fed"
MEASURED = "hash and size are compared with the bytes that came"


@dataclass(frozen=True)
class Fact:
    """`sound` is IPF's word. `reason`: why the DMP's profile refuses it all the same."""

    name: str
    sound: bool
    edit: Edit
    reason: str = ""


def _slot(owner: str, name: str, *values: str) -> Edit:
    """A slot with exactly these values, in place of the one that is there."""

    def edit(root: E) -> None:
        element = find(root, owner)
        for old in element.findall(f"{{{RIM}}}Slot"):
            if old.get("name") == name:
                element.remove(old)
        element.insert(0, b.slot(element, name, *values))

    return edit


def _text(path: str, text: str) -> Edit:
    def edit(root: E) -> None:
        find(root, path).text = text

    return edit


def _id(owner: str, scheme: str, text: str) -> Edit:
    def edit(root: E) -> None:
        find(root, identifier(owner, scheme)).set("value", text)

    return edit


def _attribute(path: str, name: str, text: str | None) -> Edit:
    def edit(root: E) -> None:
        element = find(root, path)
        element.attrib.pop(name, None)
        if text is not None:
            element.set(name, text)

    return edit


def _patient(name: str, text: str, sound: bool = False, reason: str = "") -> Fact:
    return Fact(f"CX: {name}", sound, _slot(DOC, "sourcePatientId", text), reason)


def _person(name: str, text: str, sound: bool = False, reason: str = "") -> Fact:
    return Fact(f"XCN: {name}", sound, _text(author_slot(SET, SET_AUTHOR, "authorPerson"), text), reason)


def _structure(name: str, text: str, sound: bool = False, reason: str = "") -> Fact:
    return Fact(f"XON: {name}", sound, _text(author_slot(DOC, DOC_AUTHOR, "authorInstitution"), text), reason)


def _oid(name: str, text: str, sound: bool = False) -> Fact:
    return Fact(f"OID: {name}", sound, _id(SET, SET_SOURCE, text))


def _start(name: str, text: str, sound: bool = False, reason: str = "") -> Fact:
    """The start of care: the document says 20261122 at some hour, so a sound value must begin like it."""
    return Fact(f"Time: {name}", sound, _slot(DOC, "serviceStartTime", text), reason)


def _created(name: str, text: str, sound: bool = False, reason: str = "") -> Fact:
    return Fact(f"Time: {name}", sound, _slot(DOC, "creationTime", text), reason)


def _info(name: str, text: str, sound: bool = False, reason: str = "") -> Fact:
    return Fact(f"PID: {name}", sound, _slot(DOC, "sourcePatientInfo", "PID-8|F", text), reason)


def _hash(name: str, text: str, sound: bool = False, reason: str = "") -> Fact:
    return Fact(f"Hash: {name}", sound, _slot(DOC, "hash", text), reason)


def _size(name: str, text: str, sound: bool = False, reason: str = "") -> Fact:
    return Fact(f"size: {name}", sound, _slot(DOC, "size", text), reason)


def _language(name: str, text: str, sound: bool = False, reason: str = "") -> Fact:
    return Fact(f"LanguageCode: {name}", sound, _slot(DOC, "languageCode", text), reason)


def _mime(name: str, text: str | None, sound: bool = False, reason: str = "") -> Fact:
    return Fact(f"MIME type: {name}", sound, _attribute(DOC, "mimeType", text), reason)


def _recipients(name: str, *texts: str, sound: bool = False) -> Fact:
    return Fact(f"RecipientList: {name}", sound, _slot(SET, "intendedRecipient", *texts))


def _long(name: str, path: str, length: int, sound: bool = False) -> Fact:
    """A value of so many characters, in an extra slot with a URN as its name."""
    return Fact(f"SlotLength: {name}", sound, _slot(path, "urn:example:note", "x" * length))


def _title(name: str, length: int, sound: bool = False) -> Fact:
    return Fact(f"title: {name}", sound, _attribute(f"{SET}/rim:Name/rim:LocalizedString", "value", "x" * length))


FACTS: list[Fact] = [
    _patient("id, authority and type", f"{b.INS}^^^&{b.INS_OID}&ISO^NH", sound=True),
    _patient("id and authority only", f"IPP-77^^^&{OWN}&ISO", sound=True, reason=TYPED),
    _patient("empty", ""),
    _patient("id alone", "77"),
    _patient("no id", f"^^^&{OWN}&ISO^PI"),
    _patient("a namespace in the authority", f"77^^^CAB&{OWN}&ISO^PI"),
    _patient("an authority that is no OID", "77^^^&CABINET&ISO^PI"),
    _patient("no type of authority", f"77^^^&{OWN}^PI"),
    _patient("an authority of another type", f"77^^^&{OWN}&DNS^PI"),
    _patient("a quote and a second identifier", f"77^^^&{OWN}&ISO';'78^^^&{OWN}&ISO"),
    _patient("words of a query language behind", f"77^^^&{OWN}&ISO'' or 1=1--"),
    _patient("an authority twice", f"77^^^&{OWN}&ISO&ISO^PI"),
    _patient("no authority", "77^^^^PI"),
    _person("id, names, authority, kind of name, kind of id", PERSON, sound=True),
    _person("names with degrees", f"{b.PS}^TESTOU^Gwenaël^J^Jr^Dr^^^&{PS}&ISO", sound=True, reason=NATIONAL),
    _person("id and authority without name", f"{b.PS}^^^^^^^^&{PS}&ISO", sound=True, reason=NATIONAL),
    _person("a local id without name", f"abc^^^^^^^^&{OWN}&ISO", sound=True, reason=NATIONAL),
    _person("a name alone", "^TESTOU", sound=True, reason=NATIONAL),
    _person("a name alone, all delimiters", "^TESTOU^^^^^^^", sound=True, reason=NATIONAL),
    _person("an id alone", "abc", sound=True, reason=NATIONAL),
    _person("an id alone, all delimiters", "abc^^^^^^^^", sound=True, reason=NATIONAL),
    _person("empty", ""),
    _person("no type of authority", f"{b.PS}^TESTOU^Gwenaël^^^^^^&{PS}^D^^^IDNPS"),
    _person("an authority of another type", f"{b.PS}^TESTOU^Gwenaël^^^^^^&{PS}&DNS^D^^^IDNPS"),
    _person("an authority without id", f"{b.PS}^TESTOU^Gwenaël^^^^^^&&ISO^D^^^IDNPS"),
    _person("an authority that is no OID", f"{b.PS}^TESTOU^Gwenaël^^^^^^&abc&ISO^D^^^IDNPS"),
    _person("neither id nor name", f"^^^^^^^^&{PS}&ISO^D^^^IDNPS"),
    _structure("name, authority, kind, id", INSTITUTION, sound=True),
    _structure(
        "name, authority, id", f"Cabinet^^^^^&{STRUCTURE}&ISO^^^^{b.STRUCTURE}", sound=True, reason=OF_STRUCTURE
    ),
    _structure("name and an OID as id", "Cabinet^^^^^^^^^1.2.3.45", sound=True, reason=OF_STRUCTURE),
    _structure("name alone", "Cabinet", sound=True, reason=OF_STRUCTURE),
    _structure("empty", ""),
    _structure("no name", f"^^^^^&{STRUCTURE}&ISO^IDNST^^^{b.STRUCTURE}"),
    _structure("no type of authority", f"Cabinet^^^^^&{STRUCTURE}^IDNST^^^{b.STRUCTURE}"),
    _structure("an authority of another type", f"Cabinet^^^^^&{STRUCTURE}&DNS^IDNST^^^{b.STRUCTURE}"),
    _structure("an authority that is no OID", f"Cabinet^^^^^&CABINET&ISO^IDNST^^^{b.STRUCTURE}"),
    _structure("a namespace in the authority", f"Cabinet^^^^^CAB&{STRUCTURE}&ISO^IDNST^^^{b.STRUCTURE}"),
    _structure("an id that is no OID and has no authority", "Cabinet^^^^^^^^^CAB"),
    *(
        _structure(f"something in component {place}", "Cabinet" + "^" * (place - 1) + "1.2")
        for place in (2, 3, 4, 5, 7, 8, 9, 11)
    ),
    _hash(
        "forty hexadecimal digits of other bytes",
        "0123456789abcdef0123456789abcdef01234567",
        sound=True,
        reason=MEASURED,
    ),
    _hash("empty", ""),
    _hash("a letter that is no digit", "g123456789abcdef0123456789abcdef01234567"),
    _hash("thirty-nine digits", "0123456789abcdef0123456789abcdef0123456"),
    _hash("forty-one digits", "0123456789abcdef0123456789abcdef012345678"),
    _size("zero", "0", sound=True, reason=MEASURED),
    _size("longer than any number of bytes", "9" * 31, sound=True, reason=MEASURED),
    _size("empty", ""),
    _size("a word", "long"),
    _size("negative", "-12"),
    _oid("two arcs", "1.2323", sound=True),
    _oid("an arc of zero", "1.0.2323", sound=True),
    _oid("sixty-four characters", "1.23.45.67.89.1.23.45.67.89.1.23.45.67.89.1.23.45.67.89.1.23.456", sound=True),
    _oid("empty", ""),
    _oid("one arc", "1"),
    _oid("sixty-five characters", "1.23.45.67.89.1.23.45.67.89.1.23.45.67.89.1.23.45.67.89.1.23.4567"),
    _oid("a first arc with a zero before it", "01.23.45.67"),
    _oid("an arc with a zero before it", "1.23.045.67"),
    _oid("a negative arc", "1.23.-45.67"),
    _oid("a dot at the start", ".23.45.67"),
    _oid("a dot at the end", "2.3.45.67."),
    _oid("two dots", "1..23.45"),
    _oid("a first arc of seven", "7.8.9"),
    _oid("a first arc of twelve", "12.4.5"),
    Fact("OID: unique id of the set that is none", False, _id(SET, SET_UNIQUE, "lot-1")),
    Fact("OID: unique id of a document that is none", False, _id(DOC, DOC_UNIQUE, "document 1")),
    Fact("OID: unique id of a document of 129 characters", False, _id(DOC, DOC_UNIQUE, "1.2^" + "7" * 125)),
    _created("a year", "2026", sound=True, reason=SECOND),
    _created("a month", "202611", sound=True, reason=SECOND),
    _created("a day", "20261122", sound=True, reason=SECOND),
    _created("an hour", "2026112210", sound=True, reason=SECOND),
    _created("a minute", "202611221000", sound=True, reason=SECOND),
    _created("letters", "20AA"),
    _created("month zero", "20260022100000"),
    _created("month thirteen", "20261322100000"),
    _created("day zero", "20261100100000"),
    _created("day thirty-two", "20261032100000"),
    _created("hour twenty-four", "20261122240000"),
    _created("minute sixty", "20261122106000"),
    _created("second sixty", "20261122100060"),
    _start("start of month twenty-one", "202621"),
    _start("start at hour thirty-one", "2026112231"),
    _start("start at minute sixty", "202611221060"),
    _info("PID-3 with a value", f"PID-3|IPP-1^^^&{OWN}&ISO^PI", sound=True),
    _info("empty", ""),
    _info("no number", "PID-|something"),
    _info("a letter for a number", "PID-N|something"),
    _info("field zero", "PID-0|something"),
    _info("another segment", "POD-3|something"),
    _info("a segment cut short", "PI-3|something"),
    _info("no separator", "PID-3"),
    *(_info(f"field {number}, which is not kept", f"PID-{number}|something") for number in (2, 4, 12, 19, 44)),
    _language("two letters", "en", sound=True, reason=FRENCH),
    _language("letters and country", "en-US", sound=True, reason=FRENCH),
    _language("three parts", "abcdefgh-ab123456-23", sound=True, reason=FRENCH),
    _language("French, as the DMP writes it", "fr-FR", sound=True),
    _language("empty", ""),
    _language("a country alone", "-FR"),
    _language("digits in the language", "fr234"),
    _language("a stroke", "fr|"),
    _language("nine letters", "abcdefghi"),
    _language("a hyphen and nothing", "fr-"),
    _mime("XML", "text/xml", sound=True),
    _mime("HL7 v3", "application/hl7-v3", sound=True, reason=CDA_ONLY),
    _mime("FHIR", "application/fhir+xml", sound=True, reason=CDA_ONLY),
    _mime("one word", "something"),
    _mime("a space", "application/test blank"),
    _mime("two slashes", "application/is/wrong"),
    _mime("absent", None),
    _recipients("a structure", "Cabinet FICTIF", sound=True),
    _recipients("a structure and a person", "Cabinet FICTIF|^MODELE", sound=True),
    _recipients("a person", "|^MODELE", sound=True),
    _recipients("a person by id", f"|899700002019^^^^^^^^&{PS}&ISO", sound=True),
    _recipients("two recipients", "Cabinet FICTIF", "|^MODELE", sound=True),
    _recipients("empty", ""),
    _recipients("components without a name", "^MODELE"),
    _recipients("too many parts", "Cabinet FICTIF|^MODELE||"),
    _recipients("a part before", "|Cabinet FICTIF|^MODELE|"),
    _recipients("the second one empty", "Cabinet FICTIF", ""),
    _long("256 characters in the set", SET, 256, sound=True),
    _long("257 characters in the set", SET, 257),
    _long("256 characters in a document", DOC, 256, sound=True),
    _long("257 characters in a document", DOC, 257),
    _title("128 characters", 128, sound=True),
    _title("129 characters", 129),
    Fact("slots: two values of one that has one", False, _slot(DOC, "serviceStartTime", "20261122", "20261123")),
    Fact("slots: no value", False, _slot(DOC, "creationTime")),
    Fact("slots: an empty value", False, _slot(DOC, "languageCode", "")),
    Fact(
        "author: two persons in one author",
        False,
        _slot(f"{SET}/rim:Classification[1]", "authorPerson", PERSON, PERSON),
    ),
    Fact(
        "codes: a classification without nodeRepresentation",
        False,
        _attribute(f"{DOC}/rim:Classification[2]", "nodeRepresentation", None),
    ),
    Fact(
        "codes: an empty nodeRepresentation",
        False,
        _attribute(f"{DOC}/rim:Classification[2]", "nodeRepresentation", ""),
    ),
    Fact(
        "codes: a classification of nothing",
        False,
        _attribute(f"{DOC}/rim:Classification[2]", "classifiedObject", None),
    ),
    Fact(
        "codes: a classification of something else",
        False,
        _attribute(f"{DOC}/rim:Classification[2]", "classifiedObject", "SubmissionSet01"),
    ),
    Fact(
        "status: a set that is not Approved",
        False,
        _attribute(SET, "status", "urn:oasis:names:tc:ebxml-regrep:StatusType:Deprecated"),
    ),
    Fact(
        "links: an association of an unknown kind",
        False,
        _attribute("//rim:Association", "associationType", "urn:ihe:iti:2007:AssociationType:unknown"),
    ),
    Fact(
        "links: a source that is not there",
        False,
        _attribute("//rim:Association", "sourceObject", "urn:uuid:b2632452-1de7-480d-94b1-c2074d79c871"),
    ),
    Fact(
        "links: SubmissionSetStatus of another word",
        False,
        _text(value("//rim:Association", "SubmissionSetStatus"), "Copied"),
    ),
    Fact("UUID: an entry that is neither a UUID nor a symbol", False, _attribute(DOC, "id", "")),
]
