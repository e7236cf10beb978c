"""TD0.2: does a DMP exist, and may this professional see it (PRPA_IN201307UV02, spec dmp §1.3).

The real list of authorisation codes was not obtained: `VALIDE` was seen, any other value configured here
is local to the sandbox, and so is the way absence is said (queryResponseCode NF) and where the business
errors whose words were seen stand (acknowledgement AE, acknowledgementDetail).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from functools import partial

from lxml import etree

from gateway.clock import Clock, Randomness
from gateway.sandbox.dmp.records import VALID, DmpPatient
from gateway.sandbox.dmp.soap import SoapFault
from gateway.sandbox.dmp.store import DmpStore
from gateway.sandbox.dmp.transactions import Answer, Call
from gateway.sandbox.dmp.vihf_content import Vihf
from gateway.sandbox.problems import Problem
from gateway.sandbox.xml import Element

HL7 = "urn:hl7-org:v3"
REQUEST = "PRPA_IN201307UV02"
RESPONSE = "PRPA_IN201308UV02"
_NS = {"h": HL7}
_INTERACTION = "2.16.840.1.113883.1.6"
_DMP_DEVICE = "1.2.250.1.213.4.1.1.1"
_SANDBOX_DEVICE = "1.2.250.1.213.4.1.1.1.2"
_REASON = ("TEST_EXST", "1.2.250.1.213.1.1.4.11")
_AE = "AE"
# Keyword and its code system, value (the patient's authorisation when empty) and its code system.
_ATTENTION = (
    ("AUTORISATION", "1.2.250.1.213.4.1.2.6.1", "", "1.2.250.1.213.4.1.2.6.2"),
    ("STATUT_MT", "1.2.250.1.213.4.1.2.6.3", "BL", "1.2.250.1.213.4.1.2.6.3"),
)
# What the DMP says of the patient's account, each with its code system.
_OBSERVATIONS = (
    ("COMPTE_INTERNET_OUVERT", "1.2.250.1.213.4.1.2.9"),
    ("RATTACHEMENT_ENS", "1.2.250.1.213.4.1.2.3"),
)


class ExistenceTest:
    """The existence and authorisation test."""

    name = "TD0.2"
    path = "patients"
    action = f"{HL7}:{REQUEST}"
    stores = False
    multipart = False

    def __init__(self, store: DmpStore, clock: Clock, randomness: Randomness, unknown_patient: str) -> None:
        self._store = store
        self._clock = clock
        self._randomness = randomness
        self._unknown_patient = unknown_patient

    def answer(self, call: Call) -> Answer:
        """Look the patient up. Raises SoapFault when the query is malformed or is about somebody else."""
        query = call.request.payload
        matricule, oid = _check_query(query)
        if (matricule, oid) != (call.vihf.patient.id, call.vihf.patient.oid):
            raise SoapFault("VIHF : resource-id diffère du patient de la requête", "wsse:FailedCheck")
        refusal = self._business_error(call.vihf)
        if refusal:
            fill = partial(self._fill, query=query, patient=None, refusal=refusal)
            return Answer(f"{HL7}:{RESPONSE}", fill, (f"{_AE} {refusal}",), (matricule,))
        known = self._store.patient(matricule, oid)
        if known is None and self._unknown_patient == "exists":
            known = DmpPatient(matricule, oid, "active", VALID)
        found = known if known is not None and known.status != "absent" else None
        return Answer(f"{HL7}:{RESPONSE}", partial(self._fill, query=query, patient=found), (), (matricule,))

    def _business_error(self, vihf: Vihf) -> str:
        """Words of the two business errors that were seen; empty when there is none."""
        if self._store.is_refused(vihf.structure):
            return "Impossible d'effectuer un test d'existence : Structure introuvable ou Inactive"
        if vihf.direct and self._store.is_refused(vihf.structure, vihf.name_id):
            return "PS et Structure non liés"
        return ""

    def refuse(self, call: Call, problems: Sequence[Problem]) -> Answer:  # noqa: ARG002 the protocol's
        """Nothing here answers registry errors."""
        raise SoapFault(problems[0].message, code="env:Receiver")

    def _fill(self, body: Element, query: Element, patient: DmpPatient | None, refusal: str = "") -> None:
        root = etree.SubElement(body, f"{{{HL7}}}{RESPONSE}", {"ITSVersion": "XML_1.0"}, {None: HL7})
        self._transmission(root, query, refusal)
        control = _add(root, "controlActProcess", classCode="CACT", moodCode="EVN")
        _add(control, "code", code="PRPA_TE201308UV02", codeSystem=_INTERACTION)
        if patient is not None:
            for keyword, system, value, value_system in _ATTENTION:
                _attention(control, (keyword, system), (value or patient.authorisation, value_system))
            _subject(control, patient)
        ack = _add(control, "queryAck")
        query_id = query.find(".//h:queryByParameter/h:queryId", _NS)
        assert query_id is not None  # checked before
        _add(ack, "queryId", **{str(k): v for k, v in query_id.attrib.items()})
        _add(ack, "queryResponseCode", code=_AE if refusal else "OK" if patient is not None else "NF")
        parameters = query.find(".//h:queryByParameter", _NS)
        assert parameters is not None
        control.append(etree.fromstring(etree.tostring(parameters, with_tail=False)))

    def _transmission(self, root: Element, query: Element, refusal: str) -> None:
        _add(root, "id", root=_SANDBOX_DEVICE, extension=str(self._randomness.uuid()))
        _add(root, "creationTime", value=_timestamp(self._clock.now()))
        _add(root, "interactionId", root=_INTERACTION, extension=RESPONSE)
        mode = query.find("h:processingCode", _NS)
        _add(root, "processingCode", code=mode.get("code", "D") if mode is not None else "D")
        _add(root, "processingModeCode", code="T")
        _add(root, "acceptAckCode", code="NE")
        sender = query.find("h:sender/h:device/h:id", _NS)
        assert sender is not None  # checked before
        for name, type_code, attributes in (
            ("receiver", "RCV", {str(k): v for k, v in sender.attrib.items()}),
            ("sender", "SND", {"root": _DMP_DEVICE}),
        ):
            device = _add(_add(root, name, typeCode=type_code), "device", classCode="DEV", determinerCode="INSTANCE")
            _add(device, "id", **attributes)
        acknowledgement = _add(root, "acknowledgement")
        _add(acknowledgement, "typeCode", code=_AE if refusal else "AA")
        identifier = query.find("h:id", _NS)
        assert identifier is not None  # checked before
        target = _add(acknowledgement, "targetMessage")
        _add(target, "id", **{str(k): v for k, v in identifier.attrib.items()})
        if refusal:
            detail = _add(acknowledgement, "acknowledgementDetail", typeCode="E")
            _add(detail, "text").text = refusal


def _check_query(query: Element) -> tuple[str, str]:
    """Matricule and OID asked for; raises SoapFault naming what is wrong."""
    if query.tag != f"{{{HL7}}}{REQUEST}":
        raise SoapFault(f"{REQUEST} attendu dans le Body")
    for path, attribute, wanted in _FIXED:
        found = query.find(path, _NS)
        value = found.get(attribute, "") if found is not None else ""
        if not value or (wanted and value not in wanted):
            expected = " ou ".join(sorted(wanted)) or "une valeur"
            raise SoapFault(f"TD0.2 : {path.replace('h:', '')}/@{attribute} : {expected} attendu")
    for path, pattern, words in _TEXTS:
        if not re.fullmatch(pattern, query.findtext(path, "", _NS).strip()):
            raise SoapFault(f"TD0.2 : {path.replace('h:', '')} : {words} attendu")
    created = query.find("h:creationTime", _NS)
    if created is None or not _TIME.fullmatch(created.get("value", "")):
        raise SoapFault("TD0.2 : creationTime/@value : horodatage HL7 attendu")
    values = query.findall(_PATIENT, _NS)
    if len(values) != 1 or not values[0].get("root") or not values[0].get("extension"):
        raise SoapFault("TD0.2 : un patientIdentifier/value (root, extension) attendu")
    return values[0].get("extension", ""), values[0].get("root", "")


_CONTROL = "h:controlActProcess"
_QUERY = f"{_CONTROL}/h:queryByParameter"
# With parameterList (HL7 schema) or without (the notes on the samples name none).
_PATIENT = f"{_QUERY}//h:patientIdentifier/h:value"
_TEXTS = (
    ("h:receiver/h:device/h:softwareName", "DMP", "DMP"),
    (f"{_QUERY}//h:patientIdentifier/h:semanticsText", r"Patient\.id", "Patient.id"),
)
_TIME = re.compile(r"\d{8}(\d{2}(\d{2}(\d{2}(\.\d{1,4})?)?)?)?([+-]\d{4})?")
_FIXED: tuple[tuple[str, str, frozenset[str]], ...] = (
    ("h:id", "root", frozenset()),
    ("h:creationTime", "value", frozenset()),
    ("h:interactionId", "root", frozenset({_INTERACTION})),
    ("h:interactionId", "extension", frozenset({REQUEST})),
    ("h:processingCode", "code", frozenset({"D", "P"})),
    ("h:processingModeCode", "code", frozenset({"T"})),
    ("h:acceptAckCode", "code", frozenset({"AL"})),
    ("h:receiver/h:device/h:id", "root", frozenset({_DMP_DEVICE})),
    ("h:sender/h:device/h:id", "root", frozenset()),
    (f"{_CONTROL}/h:reasonCode", "code", frozenset({_REASON[0]})),
    (f"{_CONTROL}/h:reasonCode", "codeSystem", frozenset({_REASON[1]})),
    (f"{_QUERY}/h:queryId", "root", frozenset()),
    (f"{_QUERY}/h:statusCode", "code", frozenset({"new"})),
)


def _attention(control: Element, keyword: tuple[str, str], value: tuple[str, str]) -> None:
    line = _add(control, "attentionLine")
    _add(line, "keyWordText", code=keyword[0], codeSystem=keyword[1]).text = keyword[0]
    _add(line, "value", code=value[0], codeSystem=value[1])


def _subject(control: Element, patient: DmpPatient) -> None:
    """The patient's DMP: status and identifier; of the traits (RG_0320: never reused), the usual name it may lack."""
    event = _add(_add(control, "subject", typeCode="SUBJ"), "registrationEvent", classCode="REG", moodCode="EVN")
    _add(event, "statusCode", code="active")
    inside = _add(_add(event, "subject1", typeCode="SBJ"), "patient", classCode="PAT")
    _add(inside, "id", root=patient.oid, extension=patient.matricule)
    _add(inside, "statusCode", code="active" if patient.status == "active" else "terminated")
    name = _add(_add(inside, "patientPerson", classCode="PSN", determinerCode="INSTANCE"), "name")
    _add(name, "family", qualifier="SP").text = "NON RENSEIGNE"
    for code, system in _OBSERVATIONS:
        observed = _add(_add(inside, "subjectOf2", typeCode="SBJ"), "administrativeObservation", classCode="OBS")
        _add(observed, "code", code=code, codeSystem=system)
        _add(observed, "value", value="false")


def _add(parent: Element, name: str, /, **attributes: str) -> Element:
    return etree.SubElement(parent, f"{{{HL7}}}{name}", attributes)


def _timestamp(moment: datetime) -> str:
    return moment.strftime("%Y%m%d%H%M%S+0000")
