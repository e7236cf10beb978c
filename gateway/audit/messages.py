"""An attempt as an audit message: FHIR AuditEvent (IHE BALP), and DICOM/ATNA XML (DICOM PS3.15 §A.5).

Both say the same: who sent to whom, about which pseudonym, how it ended, and which journal records stand behind it. The
names are those of the journal: no address, no identity, nothing of the content.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway import wording
from gateway.audit.attempts import Attempt, codes

if TYPE_CHECKING:
    from lxml import etree

RECORD = "journal-record"
"""Type of the details that name the journal records of a message."""
_NAME, _URI = "1", "5"
"""Types of a network address: a machine's name, a URI (value set network-type; DICOM knows the first)."""


def audit_event(attempt: Attempt, origin: str) -> dict[str, Any]:
    """A FHIR R4 AuditEvent, profile PrivacyDisclosure.Source of BALP. `origin` is the journal's name."""
    known, event = codes(), codes()["event"]
    source = _who(origin, "account", attempt.account, "kine-gateway")
    return {
        "resourceType": "AuditEvent",
        "id": f"{attempt.delivery}-{attempt.number}",
        "meta": {"profile": [known["profile"]]},
        "type": _coding("dicom_system", event["code"], event["display"]),
        "subtype": [_coding("lifecycle_system", event["subtype"], event["subtype_display"])],
        "action": "R",
        "period": {"start": attempt.started_at, "end": attempt.ended_at},
        "recorded": attempt.ended_at,
        "outcome": attempt.outcome,
        "outcomeDesc": _said(attempt),
        "purposeOfEvent": [{"coding": [_coding("reason_system", event["purpose"], event["purpose_display"])]}],
        "agent": [
            _agent("source", source, {"address": machine(origin), "type": _NAME}),
            _agent(
                "recipient",
                _who(origin, "delivery", attempt.delivery, wording.destination(attempt.destination)),
                _network(attempt),
            ),
        ],
        "source": {
            "site": origin,
            "observer": source,
            "type": [_coding("source_system", known["source"]["type"], known["source"]["type_display"])],
        },
        "entity": [_patient(attempt, origin), _document(attempt, origin)],
    }


def machine(origin: str) -> str:
    """The name of the machine in a journal's name."""
    return origin.partition("/")[0]


def _coding(system: str, code: str, display: str) -> dict[str, str]:
    return {"system": codes()[system], "code": code, "display": display}


def _who(origin: str, what: str, value: str, display: str) -> dict[str, Any]:
    return {"identifier": {"system": f"https://{origin}/{what}", "value": value}, "display": display}


def _agent(role: str, who: dict[str, Any], network: dict[str, str]) -> dict[str, Any]:
    known = codes()[role]
    coding = _coding("dicom_system", known["code"], known["display"])
    return {"type": {"coding": [coding]}, "who": who, "requestor": role == "source", "network": network}


def _network(attempt: Attempt) -> dict[str, str]:
    """The server that answered; where none did, the channel that was tried."""
    if attempt.host:
        return {"address": attempt.host, "type": _NAME}
    return {"address": f"urn:kine-gateway:{attempt.channel}", "type": _URI}


def _said(attempt: Attempt) -> str:
    return " ".join(part for part in (attempt.verdict, attempt.reason, attempt.text) if part)


def _patient(attempt: Attempt, origin: str) -> dict[str, Any]:
    """The pseudonym: keyed in the practice, it says who it is to nobody else."""
    identifier = {"system": f"https://{origin}/patient", "value": attempt.patient}
    return {
        "what": {"type": "Patient", "identifier": identifier},
        "type": _coding("entity_system", "1", "Person"),
        "role": _coding("role_system", "1", "Patient"),
    }


def _document(attempt: Attempt, origin: str) -> dict[str, Any]:
    identifier = {"system": f"https://{origin}/document", "value": attempt.document}
    return {
        "what": {"type": "DocumentReference", "identifier": identifier},
        "type": _coding("entity_system", "2", "System Object"),
        "role": _coding("role_system", "3", "Report"),
        "detail": [{"type": name, "valueString": value} for name, value in _details(attempt)],
    }


def _details(attempt: Attempt) -> list[tuple[str, str]]:
    facts = [
        ("document-type", attempt.document_type),
        ("channel", attempt.channel),
        ("attempt", str(attempt.number)),
        ("transmitted", "true" if attempt.transmitted else "false"),
    ]
    return facts + [(RECORD, one.reference) for one in attempt.records]


# ------------------------------------------------------------------------------------------------ DICOM, ATNA


def atna(attempt: Attempt, origin: str) -> bytes:
    """An AuditMessage as one line of XML (UTF-8, no declaration): what a syslog message carries."""
    from lxml import etree

    root = etree.Element("AuditMessage")
    _identification(root, attempt)
    _participant(root, "source", attempt.account, "kine-gateway", machine(origin))
    role = wording.destination(attempt.destination)
    _participant(root, "recipient", attempt.delivery, role, attempt.host or attempt.channel)
    source = etree.SubElement(root, "AuditSourceIdentification", AuditSourceID=origin)
    _code(source, "AuditSourceTypeCode", codes()["source"]["type"], "DCM", codes()["source"]["type_display"])
    _object(root, ("1", "1"), attempt.patient, "pseudonym", [])
    details = _details(attempt)
    _object(root, ("2", "3"), attempt.document, "document", details)
    return etree.tostring(root, encoding="utf-8").replace(b"\n", b" ")


def _identification(root: etree._Element, attempt: Attempt) -> None:
    from lxml import etree

    event = etree.SubElement(
        root,
        "EventIdentification",
        EventActionCode="R",
        EventDateTime=attempt.ended_at,
        EventOutcomeIndicator=attempt.outcome,
    )
    _code(event, "EventID", codes()["event"]["code"], "DCM", codes()["event"]["display"])
    transaction = codes()["transaction"].get(attempt.channel)
    if transaction is not None:
        _code(event, "EventTypeCode", transaction["code"], "IHE Transactions", transaction["display"])
    etree.SubElement(event, "EventOutcomeDescription").text = _said(attempt)


def _code(parent: etree._Element, name: str, code: str, system: str, text: str) -> None:
    from lxml import etree

    etree.SubElement(parent, name, {"csd-code": code, "codeSystemName": system, "originalText": text})


def _participant(root: etree._Element, role: str, user: str, name: str, access_point: str) -> None:
    from lxml import etree

    found = etree.SubElement(
        root,
        "ActiveParticipant",
        UserID=user,
        UserName=name,
        UserIsRequestor="true" if role == "source" else "false",
        NetworkAccessPointID=access_point,
        NetworkAccessPointTypeCode=_NAME,
    )
    _code(found, "RoleIDCode", codes()[role]["code"], "DCM", codes()[role]["display"])


def _object(root: etree._Element, kind: tuple[str, str], value: str, what: str, details: list[tuple[str, str]]) -> None:
    """`kind`: type and role (1 1 a patient, 2 3 a report). The values of details are base64, as the schema wants."""
    import base64

    from lxml import etree

    found = etree.SubElement(
        root,
        "ParticipantObjectIdentification",
        ParticipantObjectID=value,
        ParticipantObjectTypeCode=kind[0],
        ParticipantObjectTypeCodeRole=kind[1],
    )
    _code(found, "ParticipantObjectIDTypeCode", what, "kine-gateway", what)
    for name, detail in details:
        encoded = base64.b64encode(detail.encode()).decode()
        etree.SubElement(found, "ParticipantObjectDetail", type=name, value=encoded)
