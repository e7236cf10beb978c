"""A small document, account and key ring of invented people, for the tests of packages and channels."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from functools import cache
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from gateway.clock import SeededRandomness
from gateway.document.model import (
    Addressee,
    ClinicalDocument,
    Code,
    Header,
    Id,
    PatientIdentity,
    PersonName,
    PostalAddress,
    Professional,
    StructureRef,
    Telecom,
)
from gateway.package.keys import SigningKeys
from gateway.settings import AccountSettings, DmpSettings, TlsSettings

NOW = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)
PARIS = timezone(timedelta(hours=1))
LOINC = "2.16.840.1.113883.6.1"
DOCUMENT_ID = "2.25.329800735698586629295641978511506172918"

CDA = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<ClinicalDocument xmlns="urn:hl7-org:v3"><id root="' + DOCUMENT_ID + '"/>'
    "<title>Bilan é</title><component><nested><deep a='1' b=\"2\"/></nested></component></ClinicalDocument>"
).encode()
PDF = b"%PDF-1.4\n" + bytes(range(256)) * 40

STRUCTURE = StructureRef(
    Id("1.2.250.1.71.4.2.2", "499700001011001"),
    "Cabinet d'Épreuve & Fils",
    PostalAddress(("12 bis, rue de l'Épreuve",), "22000", "Saint-Brieuc"),
    (Telecom("tel:0296000000", "WP"),),
)
AUTHOR = Professional(
    Id("1.2.250.1.71.4.2.1", "899700001011"),
    "99700001011",
    PersonName("TESTOU", "Gwenaël", "M"),
    Code("G15_70", "1.2.250.1.213.1.1.4.5", "Masseur-Kinésithérapeute"),
    structure=STRUCTURE,
)
DOCTOR = Professional(
    Id("1.2.250.1.71.4.2.1", "899700002019"),
    "99700002019",
    PersonName("MODELE", "Hélène", "MME", "DR"),
    Code("G15_10", "1.2.250.1.213.1.1.4.5", "Médecin"),
    telecoms=(Telecom("mailto:helene.modele@medecin.mssante.example", "WP", mssante=True),),
)
ADDRESSEE = Addressee("medecin_traitant", DOCTOR)
PATIENT = PatientIdentity(
    ins=Id("1.2.250.1.213.1.4.10", "201032227890155"),
    identity_status="QUAL",
    local_ids=(Id("1.2.250.1.999.1.1", "IPP-1"),),
    birth_family="LE GOFF-ESSAI",
    birth_given=("MAELYS", "ANNE"),
    first_given="MAELYS",
    used_family="Le Goff-Essai",
    used_given="Maëlys",
    sex=Code("F", "2.16.840.1.113883.5.1", "Féminin"),
    birth_date=date(2001, 3, 14),
    birth_place_cog="22278",
)


def document(**changes: Any) -> ClinicalDocument:
    header = Header(
        kind="assessment",
        id=DOCUMENT_ID,
        set_id="2.25.7",
        version=1,
        type=Code("47420-5", LOINC, "CR de bilan fonctionnel"),
        class_code=Code("10", "1.2.250.1.213.1.1.4.1", "Compte rendu"),
        format_code=Code(
            "urn:asipSante:modelesHorsProfils:2011", "1.2.250.1.213.1.1.4.2.282", "Document de santé hors profils"
        ),
        template_id="1.2.250.1.999.1.1.1",
        title="Bilan initial de kinésithérapie",
        effective_time=datetime(2026, 11, 22, 0, 30, tzinfo=PARIS),
        confidentiality=Code("N", "2.16.840.1.113883.5.25", "Normal"),
        visibility=(),
        language="fr-FR",
        patient=PATIENT,
        author=AUTHOR,
        custodian=STRUCTURE,
        addressees=(ADDRESSEE,),
        medecin_traitant=DOCTOR,
        service_start=datetime(2026, 11, 22, 0, 15, tzinfo=PARIS),
        service_stop=datetime(2026, 11, 22, 0, 30, tzinfo=PARIS),
        practice_setting=Code("AMBULATOIRE", "1.2.250.1.213.1.1.4.9", "Ambulatoire"),
        facility_type=Code("SA07", "1.2.250.1.71.4.2.4", "Cabinet individuel"),
        encounter=Code("SEANCE", "1.2.250.1.213.1.1.4.2.291", "Séance"),
        author_document_id="BDK-01",
        software="kine-gateway 0.1.0",
    )
    return ClinicalDocument(replace(header, **changes), ())


def without_ins() -> ClinicalDocument:
    return document(patient=replace(PATIENT, ins=None, identity_status="PROV"))


def account(**changes: Any) -> AccountSettings:
    values: dict[str, Any] = {
        "id": "cabinet-test",
        "rpps": "99700001011",
        "mailbox": "gwenael.testou@kine.mssante.example",
        "display_name": "M_Gwenaël_TESTOU_Cabinet d'Épreuve",
        "oid_root": "1.2.250.1.999.1",
        "nil": "DEV0001",
    }
    return AccountSettings.model_validate({**values, **changes})


def dmp_settings(**changes: Any) -> DmpSettings:
    values: dict[str, Any] = {
        "url": "https://127.0.0.1:1/si-dmp-server/v2/services",
        "tls": TlsSettings(ca_file=Path("ca.pem")),
        "sign_cert_file": Path("sign.pem"),
        "sign_key_file": Path("sign.key"),
    }
    return DmpSettings.model_validate({**values, **changes})


def ids(seed: str = "test") -> SeededRandomness:
    return SeededRandomness(seed)


@cache
def signing_keys() -> SigningKeys:
    """A leaf of an invented authority, with its chain; RSA 2048, made once per run."""
    root_key = rsa.generate_private_key(65537, 2048)
    leaf_key = rsa.generate_private_key(65537, 2048)
    root = _certificate("AC Test, racine", root_key.public_key(), "AC Test, racine", root_key)
    leaf = _certificate("Cabinet d'Épreuve, signature", leaf_key.public_key(), "AC Test, racine", root_key)
    return SigningKeys((leaf, root), leaf_key)


def _name(common: str) -> x509.Name:
    attributes = (
        (NameOID.COUNTRY_NAME, "FR"),
        (NameOID.STATE_OR_PROVINCE_NAME, "Côtes"),
        (NameOID.COMMON_NAME, common),
    )
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in attributes])


def _certificate(
    subject: str, public_key: rsa.RSAPublicKey, issuer: str, issuer_key: rsa.RSAPrivateKey
) -> x509.Certificate:
    return (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name(issuer))
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime(2026, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2046, 1, 1, tzinfo=UTC))
        .add_extension(x509.KeyUsage(True, True, False, False, False, False, False, False, False), critical=True)
        .sign(issuer_key, hashes.SHA256())
    )
