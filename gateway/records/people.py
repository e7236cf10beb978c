"""People and places: patient and INS, author, practice, recipients."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from gateway.records.base import Date, Flag, Line, MailAddress, Record, one_line

Oid = Annotated[str, StringConstraints(pattern=r"^[0-2](\.(0|[1-9][0-9]*))+$", max_length=128)]
Digits11 = Annotated[str, StringConstraints(pattern=r"^[0-9]{11}$")]
CodeText = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_./-]{1,30}$")]
Cog = Annotated[str, StringConstraints(pattern=r"^([0-9]{2}|2[AB])[0-9]{3}$")]


class Sex(StrEnum):
    """Administrative sex as INSi gives it; `UN` where it is not known (JDV_J143)."""

    FEMALE = "F"
    MALE = "M"
    UNKNOWN = "UN"


class IdentityStatus(StrEnum):
    """State of an identity in the national referential (RNIV): only `QUAL` lets the INS leave."""

    PROVISOIRE = "PROV"
    RECUPEREE = "RECUP"
    VALIDEE = "VALI"
    QUALIFIEE = "QUAL"


class IdentityAttribute(StrEnum):
    """What RNIV adds to a status: an identity in doubt or made up must stay `PROV` (EXI SI 09)."""

    HOMONYME = "homonyme"
    DOUTEUSE = "douteuse"
    FICTIVE = "fictive"


class Civility(StrEnum):
    """The two prefixes that JDV_J245 allows."""

    M = "M"
    MME = "MME"


class Address(Record):
    """A postal address, as written on an envelope."""

    lines: tuple[Line, ...] = Field(min_length=1, max_length=4)
    postal_code: Annotated[str, StringConstraints(pattern=r"^[0-9A-Z -]{2,10}$")]
    city: Line


class Opposition(Record):
    """A refusal expressed by the patient, with who recorded it and when."""

    date: Date
    author: Line


class Identifier(Record):
    """An identifier in a named system: local patient number (IPP) for example."""

    root: Oid
    value: Annotated[str, StringConstraints(pattern=r"^[!-~]{1,64}$")]


class Ins(Record):
    """Matricule INS (13 characters and 2 digits of key) and the OID that says NIR, NIA or test."""

    matricule: Annotated[str, StringConstraints(min_length=1, max_length=30), AfterValidator(one_line)]
    oid: Oid


class PatientMail(StrEnum):
    """How the patient receives the document: citizen mailbox, or what a named person does by hand."""

    MSSANTE = "mssante"
    HAND = "hand"
    POST = "post"
    SIP = "sip"


class PatientDmp(Record):
    """What is known of the patient's DMP; `None` means that it was not asked yet."""

    exists: Flag | None = None
    opposition: Opposition | None = None


class Patient(Record):
    """The patient: birth traits as INSi gives them (capitals, no accents), and the names in use."""

    ins: Ins | None = None
    identity_status: IdentityStatus = IdentityStatus.PROVISOIRE
    identity_attributes: tuple[IdentityAttribute, ...] = Field(default=(), max_length=3)
    identifiers: tuple[Identifier, ...] = ()
    birth_family: Line | None = None
    birth_given: tuple[Line, ...] = Field(
        default=(), description="Every given name of the birth certificate, in order."
    )
    first_birth_given: Line | None = None
    used_family: Line | None = None
    used_given: Line | None = None
    sex: Sex | None = None
    birth_date: Date | None = None
    birth_place_cog: Cog | None = Field(
        default=None, description="INSEE code of the place of birth (COG), 99xxx abroad."
    )
    birth_place_name: Line | None = None
    address: Address | None = None
    phone: Line | None = None
    dmp: PatientDmp = PatientDmp()
    delivery: PatientMail = PatientMail.MSSANTE
    mail_opposition: Opposition | None = None


class Author(Record):
    """The physiotherapist who signs. The mailbox is the account's, never typed here."""

    rpps: Digits11
    family: Line
    given: Line
    civility: Civility | None = None
    profession: CodeText = Field(default="G15_70", description="Code of JDV_J01.")
    phone: Line | None = None


class StructureIdKind(StrEnum):
    """What the practice is identified by (Struct_IdNat prefixes 0 to 4)."""

    ADELI_RANG = "adeli_rang"
    FINESS = "finess"
    SIREN = "siren"
    SIRET = "siret"
    RPPS_RANG = "rpps_rang"


class StructureId(Record):
    """Identifier of the practice, without the prefix that Struct_IdNat puts before it."""

    kind: StructureIdKind
    value: Annotated[str, StringConstraints(pattern=r"^[0-9]{8,14}$")]


class Organization(Record):
    """The practice or structure where the care is given."""

    id: StructureId
    name: Line
    address: Address | None = None
    phone: Line | None = None
    facility_type: CodeText = Field(default="SA07", description="Code of JDV_J02, SA07 = cabinet individuel.")
    practice_setting: CodeText = Field(default="AMBULATOIRE", description="Code of JDV_J04.")


class RecipientRole(StrEnum):
    """Why this professional receives the document."""

    MEDECIN_TRAITANT = "medecin_traitant"
    MEDECIN_ADRESSEUR = "medecin_adresseur"
    PRESCRIPTEUR = "prescripteur"
    DELEGANT = "delegant"
    AUTRE = "autre_professionnel"


class Recipient(Record):
    """A professional who must receive the document, or the fact that none is known."""

    role: RecipientRole
    known: Flag = True
    rpps: Digits11 | None = None
    family: Line | None = None
    given: Line | None = None
    civility: Civility | None = None
    profession: CodeText | None = Field(default=None, description="Code of JDV_J01, G15_10 = physician.")
    specialty: Line | None = None
    organization: StructureId | None = None
    mssante: MailAddress | None = None
    opposition: Opposition | None = None


class Visibility(Record):
    """Who may not see the document in the DMP, which also governs what is mailed."""

    masked_to_professionals: Flag = False
    hidden_from_patient: Flag = False
    hidden_from_representatives: Flag = False
