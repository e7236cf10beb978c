"""TD0.2: what it says of a DMP, and the refusal of every broken request of a table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from lxml import etree

from . import builders as b
from .builders import HL7, existence
from .conftest import Dmp, outcome, reasons
from .defects import FAILED, INVALID, SENDER, TOKEN, attribute, find, remove, repeat, words
from .operations import send
from .test_stored_query import tampered, vihf_value, vihf_without, wrong_version

E = etree._Element
NS = {"h": HL7}
OTHER_INS = "279115121518926"


def asked(dmp: Dmp, mode: str = "DIRECTE") -> E:
    return etree.fromstring(send(dmp, existence(dmp.draft(mode=mode)), mode).body)


def at(root: E, path: str, attribute: str = "code") -> str:
    found = root.find(f".//h:{path}", NS)
    assert found is not None, path
    return found.get(attribute, "")


def attention(root: E) -> dict[tuple[str, str], tuple[str, str]]:
    lines = {}
    for line in root.iterfind(".//h:attentionLine", NS):
        keyword, value = line
        lines[keyword.get("code", ""), keyword.get("codeSystem", "")] = (
            value.get("code", ""),
            value.get("codeSystem", ""),
        )
    return lines


def test_an_open_dmp(dmp: Dmp) -> None:
    root = asked(dmp)
    assert at(root, "acknowledgement/h:typeCode") == "AA"
    assert at(root, "queryAck/h:queryResponseCode") == "OK"
    assert attention(root) == {
        ("AUTORISATION", "1.2.250.1.213.4.1.2.6.1"): ("VALIDE", "1.2.250.1.213.4.1.2.6.2"),
        ("STATUT_MT", "1.2.250.1.213.4.1.2.6.3"): ("BL", "1.2.250.1.213.4.1.2.6.3"),
    }
    assert at(root, "subject1/h:patient/h:statusCode") == "active"
    assert (at(root, "patient/h:id", "root"), at(root, "patient/h:id", "extension")) == (b.INS_OID, b.INS)
    codes = {item.get("code") for item in root.iterfind(".//h:administrativeObservation/h:code", NS)}
    assert codes == {"COMPTE_INTERNET_OUVERT", "RATTACHEMENT_ENS"}


def test_no_trait_of_the_patient_is_told(dmp: Dmp) -> None:
    text = etree.tostring(asked(dmp), encoding="unicode")
    assert "NON RENSEIGNE" in text
    assert "PAT-TROIS" not in text
    assert "DOMINIQUE" not in text


@pytest.mark.parametrize(
    ("configured", "response", "status", "authorisation"),
    [
        ({"status": "absent"}, "NF", None, None),
        ({"status": "closed"}, "OK", "terminated", "VALIDE"),
        ({"authorisation": "INTERDITE"}, "OK", "active", "INTERDITE"),
    ],
)
def test_no_dmp_a_closed_one_an_opposition(
    dmp: Dmp, configured: dict[str, str], response: str, status: str | None, authorisation: str | None
) -> None:
    dmp.view.set_patient(b.INS, b.INS_OID, **configured)
    root = asked(dmp)
    assert at(root, "acknowledgement/h:typeCode") == "AA"
    assert at(root, "queryAck/h:queryResponseCode") == response
    states = [item.get("code") for item in root.iterfind(".//h:patient/h:statusCode", NS)]
    assert states == ([status] if status else [])
    values = [item.get("code") for item in root.iterfind(".//h:attentionLine/h:value", NS)]
    assert values[:1] == ([authorisation] if authorisation else [])


@pytest.mark.parametrize("mode", ["DIRECTE", "INDIRECTE"])
def test_a_structure_that_the_dmp_does_not_know(dmp: Dmp, mode: str) -> None:
    dmp.view.refuse_structure(b.STRUCTURE)
    root = asked(dmp, mode)
    assert at(root, "acknowledgement/h:typeCode") == "AE"
    words = root.findtext(".//h:acknowledgementDetail/h:text", namespaces=NS)
    assert words == "Impossible d'effectuer un test d'existence : Structure introuvable ou Inactive"
    assert root.find(".//h:patient", NS) is None
    assert dmp.view.exchanges("TD0.2")[0].outcome == "refused"
    dmp.view.refuse_structure(b.STRUCTURE, refused=False)
    assert at(asked(dmp, mode), "acknowledgement/h:typeCode") == "AA"


def test_a_person_not_linked_to_the_structure(dmp: Dmp) -> None:
    dmp.view.refuse_structure(b.STRUCTURE, b.PS)
    assert asked(dmp).findtext(".//h:acknowledgementDetail/h:text", namespaces=NS) == "PS et Structure non liés"
    assert at(asked(dmp, "INDIRECTE"), "acknowledgement/h:typeCode") == "AA"


# --------------------------------------------------------------------------------------------------- defects


def other_patient(root: E) -> None:
    find(root, "//h:patientIdentifier/h:value").set("extension", OTHER_INS)


def without_root(path: str) -> Callable[[E], None]:
    def act(root: E) -> None:
        find(root, path).attrib.pop("root")

    return act


Case = tuple[str, str, str, Callable[[E], Any]]
Q = "//h:queryByParameter"
BROKEN: list[Case] = [
    ("no id", SENDER, "payload", remove("/*/h:id")),
    ("id without root", SENDER, "payload", without_root("/*/h:id")),
    ("no creation time", SENDER, "payload", remove("//h:creationTime")),
    ("creation time in ISO 8601", SENDER, "payload", attribute("//h:creationTime", "value", "2026-11-22T10:00:00Z")),
    ("another interaction", SENDER, "payload", attribute("//h:interactionId", "extension", "PRPA_IN201305UV02")),
    (
        "interaction of another root",
        SENDER,
        "payload",
        attribute("//h:interactionId", "root", "2.16.840.1.113883.1.18"),
    ),
    ("processing code T", SENDER, "payload", attribute("//h:processingCode", "code", "T")),
    ("processing mode A", SENDER, "payload", attribute("//h:processingModeCode", "code", "A")),
    ("no acknowledgement wanted", SENDER, "payload", attribute("//h:acceptAckCode", "code", "NE")),
    ("no receiver", SENDER, "payload", remove("//h:receiver")),
    ("another receiver", SENDER, "payload", attribute("//h:receiver/h:device/h:id", "root", "1.2.250.1.213.4.1.1.2")),
    ("receiver without name", SENDER, "payload", remove("//h:softwareName")),
    ("receiver of another name", SENDER, "payload", words("//h:softwareName", "ROR")),
    ("no sender", SENDER, "payload", remove("//h:sender")),
    ("no reason", SENDER, "payload", remove("//h:reasonCode")),
    ("another reason", SENDER, "payload", attribute("//h:reasonCode", "code", "TEST")),
    ("reason of another system", SENDER, "payload", attribute("//h:reasonCode", "codeSystem", "1.2.3")),
    ("no query id", SENDER, "payload", remove(f"{Q}/h:queryId")),
    ("query not new", SENDER, "payload", attribute(f"{Q}/h:statusCode", "code", "deliveredResponse")),
    ("no patient", SENDER, "payload", remove("//h:patientIdentifier/h:value")),
    ("patient twice", SENDER, "payload", repeat("//h:patientIdentifier/h:value")),
    (
        "patient without root",
        SENDER,
        "payload",
        lambda root: find(root, "//h:patientIdentifier/h:value").attrib.pop("root") and None,
    ),
    ("no semantics", SENDER, "payload", remove("//h:semanticsText")),
    ("other semantics", SENDER, "payload", words("//h:semanticsText", "LivingSubject.id")),
    ("another patient than the VIHF", FAILED, "payload", other_patient),
    ("another message", SENDER, "payload", lambda root: etree.fromstring(f"<PRPA_IN201305UV02 xmlns='{HL7}'/>")),
    ("no namespace", SENDER, "payload", lambda root: etree.fromstring("<PRPA_IN201307UV02/>")),
    ("VIHF without patient", TOKEN, "vihf", vihf_without("resource-id")),
    ("VIHF of another patient", FAILED, "vihf", vihf_value("resource-id", f"{OTHER_INS}^^^&{b.INS_OID}&ISO^NH")),
    ("VIHF without role", TOKEN, "vihf", vihf_without("subject:role")),
    ("VIHF changed after signing", FAILED, "vihf_signed", tampered),
    ("two assertions", INVALID, "envelope", repeat("//saml:Assertion")),
    ("no assertion", INVALID, "envelope", remove("//saml:Assertion")),
    ("SOAP 1.1", "env:VersionMismatch", "envelope", wrong_version),
]


@pytest.mark.parametrize("case", BROKEN, ids=lambda case: case[0])
def test_one_defect_one_answer(dmp: Dmp, case: Case) -> None:
    _, expected, stage, edit = case
    answer = send(dmp, existence(dmp.draft(mode="DIRECTE", edits={stage: edit})))
    found = outcome(answer)
    assert (found[0], found[-1]) == ("Fault", expected), reasons(answer)
    assert reasons(answer)


def test_the_table_is_long_enough_and_names_each_defect_once() -> None:
    names = [case[0] for case in BROKEN]
    assert len(names) == len(set(names))
    assert len(names) >= 15
