"""Documents made by hand: one of every entry type, and the awkward cases of each."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

from gateway import terminology
from gateway.document.model import (
    ActEntry,
    Addressee,
    AdverseEventEntry,
    ClinicalDocument,
    Code,
    Concept,
    Entry,
    FunctionEntry,
    GoalEntry,
    Header,
    Id,
    Items,
    MeasureEntry,
    Paragraph,
    PatientIdentity,
    PersonName,
    PostalAddress,
    ProblemEntry,
    Professional,
    ReferralEntry,
    Section,
    SessionEntry,
    Span,
    StatementEntry,
    StructureRef,
    Table,
    Telecom,
)

LOINC = "2.16.840.1.113883.6.1"
SNOMED = "2.16.840.1.113883.6.96"
PARIS = timezone(timedelta(hours=1))
NOW = datetime(2026, 1, 5, 14, 30, tzinfo=PARIS)
BEFORE = datetime(2025, 10, 6, 9, 30, tzinfo=timezone(timedelta(hours=2)))
LEFT = Code("7771000", SNOMED, "côté gauche")
RIGHT = Code("24028007", SNOMED, "côté droit")
TERMS = terminology.load()
LOCAL = TERMS.local_system
KEYS = tuple(TERMS.order["treatment_summary"])


def local(code: str, label: str) -> Concept:
    return Concept(label, local=Code(code, LOCAL, label))


def section(key: str, *blocks: object, entries: tuple[Entry, ...] = (), subs: tuple[Section, ...] = ()) -> Section:
    known = TERMS.section(key)
    return Section(key, known.code, known.title, blocks, entries, subs)  # type: ignore[arg-type]


def said(anchor: str, text: str) -> Paragraph:
    return Paragraph(Span(text, anchor))


STRUCTURE = StructureRef(
    Id("1.2.250.1.71.4.2.2", "499700001234567"),
    "Cabinet de kinésithérapie des Tilleuls",
    PostalAddress(("12 rue des Tilleuls",), "75011", "PARIS"),
    (Telecom("tel:0140000000", "WP"),),
)
AUTHOR = Professional(
    Id("1.2.250.1.71.4.2.1", "899700001011"),
    "99700001011",
    PersonName("KINETEST", "Camille", "MME"),
    Code("G15_70", "1.2.250.1.213.1.1.4.5", "Masseur-Kinésithérapeute"),
    address=STRUCTURE.address,
    telecoms=(Telecom("tel:0140000000", "WP"), Telecom("mailto:camille@kine.mssante.example", "WP", mssante=True)),
    structure=STRUCTURE,
)
DOCTOR = Professional(
    Id("1.2.250.1.71.4.2.1", "899700002019"),
    "99700002019",
    PersonName("MEDTEST", "Bernard", "M", "DR"),
    Code("G15_10", "1.2.250.1.213.1.1.4.5", "Médecin"),
    address=PostalAddress(("Bâtiment B", "3 place <du> Marché & Cie"), "22000", "Saint-Brieuc"),
    telecoms=(Telecom("mailto:bernard@medecin.mssante.example", "WP", mssante=True),),
)
PATIENT = PatientIdentity(
    ins=Id("1.2.250.1.213.1.4.10", "279035121518989"),
    identity_status="QUAL",
    local_ids=(Id("1.2.3.4.567.8.9.10", "IPP-0001"),),
    birth_family="PAT-TROIS",
    birth_given=("DOMINIQUE", "MARIE-LOUISE"),
    first_given="DOMINIQUE",
    used_family="PAT-TROIS",
    used_given="DOMINIQUE",
    sex=Code("F", "2.16.840.1.113883.5.1", "Féminin"),
    birth_date=date(1979, 3, 28),
    birth_place_cog="51215",
    birth_place_name="DOMPREMY",
    address=PostalAddress(("12 bis, rue de l'Épreuve",), "22000", "Saint-Brieuc"),
    telecoms=(Telecom("tel:0600000001", "MC"),),
)
HEADER = Header(
    kind="assessment",
    id="2.25.111222333444555666777888999000111222333",
    set_id="2.25.222222333444555666777888999000111222333",
    version=1,
    type=Code("47420-5", LOINC, "CR de bilan fonctionnel"),
    class_code=Code("10", "1.2.250.1.213.1.1.4.1", "Compte rendu"),
    format_code=Code("urn:asipSante:modelesHorsProfils:2011", "1.2.250.1.213.1.1.4.2.282", "Document non référencé"),
    template_id="1.3.6.1.4.1.19376.1.5.3.1.1.1",
    title="Bilan initial de kinésithérapie",
    effective_time=NOW,
    confidentiality=Code("N", "2.16.840.1.113883.5.25", "Normal"),
    visibility=(),
    language="fr-FR",
    patient=PATIENT,
    author=AUTHOR,
    custodian=STRUCTURE,
    addressees=(Addressee("medecin_traitant", DOCTOR),),
    medecin_traitant=DOCTOR,
    service_start=BEFORE,
    service_stop=NOW,
    practice_setting=Code("AMBULATOIRE", "1.2.250.1.213.1.1.4.9", "Ambulatoire"),
    facility_type=Code("SA07", "1.2.250.1.71.4.2.4", "Cabinet individuel"),
    encounter=Code("SEANCE", "1.2.250.1.213.1.1.4.2.291", "Séance (établissement ou libéral)"),
    author_document_id="BDK-01",
    software="kine-gateway 0.1.0",
)


def measure(anchor: str, code: str, category: str, value: str | None, unit: str | None, **more: object) -> MeasureEntry:
    concept = more.pop("concept", None) or local(code, code.upper())
    return MeasureEntry(
        anchor,
        code,
        category,  # type: ignore[arg-type]
        concept,  # type: ignore[arg-type]
        None if value is None else Decimal(value),
        unit,
        more.pop("effective", NOW),  # type: ignore[arg-type]
        **more,  # type: ignore[arg-type]
    )


PAIN = Concept(
    "Douleur, échelle numérique",
    Code("pain_nrs", LOCAL, "Douleur, EN"),
    Code("38208-5", LOINC, "Sévérité de la douleur"),
)
VAS = Concept(
    "Douleur, EVA",
    Code("pain_vas", LOCAL, "Douleur, EVA"),
    Code("38214-3", LOINC, "Pain severity [Score] Visual analog score"),
)
WEIGHT = Concept("Poids", Code("weight", LOCAL, "Poids"), Code("29463-7", LOINC, "Poids"))
SHOULDER = Concept("épaule", cda=Code("16982005", SNOMED, "région de l'épaule"))


def full() -> ClinicalDocument:
    """Every entry type, both sides, initial and current values, texts on several lines."""
    return ClinicalDocument(HEADER, (*_told(), _functional(), *_measured(), *_done()))


def _told() -> tuple[Section, ...]:
    back = Concept("Lombalgie commune", cda=Code("M54.5", "2.16.840.1.113883.6.3", "Lombalgie basse"))
    return (
        section("reason", said("motif", 'Lombalgie aiguë,\naccès direct <urgent> & "cité"')),
        section(
            "past_illness",
            Items((Span("Entorse de cheville 2019", "h1"), Span("Opéré à gauche", "h2"))),
            entries=(
                ProblemEntry("h1", Concept("Entorse de cheville 2019"), "completed", note="Rien\ndepuis"),
                ProblemEntry("h2", Concept("Opéré à gauche"), "completed", date(2019, 1, 1), side=LEFT),
            ),
        ),
        section(
            "problems",
            said("p1", "Lombalgie commune"),
            entries=(ProblemEntry("p1", back, "active", date(2026, 1, 2), side=RIGHT),),
        ),
    )


def _functional() -> Section:
    walk = Concept("Marcher", cda=Code("d450", "2.16.840.1.113883.6.254", "Marcher"))
    pain = (
        measure("n1", "pain_nrs", "pain", "6", "{score}", concept=PAIN, context="mouvement", side=LEFT, site=SHOULDER),
        measure("n2", "pain_nrs", "pain", "2.5", "{score}", concept=PAIN, context="repos"),
        measure("n3", "pain_vas", "pain", "62", "mm", concept=VAS, effective=BEFORE, reference="initial"),
    )
    scores = (
        measure("o1", "odi", "survey", "34", "%"),
        measure("o2", "odi", "survey", "50", "%", effective=BEFORE, reference="initial"),
        measure("o3", "cait", "survey", "14", "{score}", side=RIGHT, site=Concept("cheville")),
        measure("o4", "ten_mwt", "survey", "0.58", "m/s", aid="canne simple"),
        measure("o5", "startback", "survey", None, "code", answer=Code("LA9194-7", LOINC, "risque faible")),
    )
    table = Table(
        ("Mesure", "Initial", "Actuel"),
        ((Span("ODI"), Span("50 %", "o2"), Span("34 %", "o1")), (Span("CAIT droite"), Span(""), Span("14", "o3"))),
        "Scores",
    )
    return section(
        "functional_status",
        table,
        said("o4", "Marche 10 m : 0,58 m/s (canne simple)"),
        said("o5", "STarT Back : risque bas"),
        entries=scores,
        subs=(
            section("pain", said("n1", "EN 6 à gauche"), said("n2", "2,5 au repos"), said("n3", "62 mm"), entries=pain),
            section("physical_function", said("f1", "Marcher"), entries=(FunctionEntry("f1", walk, NOW),)),
        ),
    )


def _measured() -> tuple[Section, ...]:
    spo2 = Concept("SpO2 à l'effort", Code("spo2_min_effort", LOCAL, "SpO2 à l'effort"))
    return (
        section(
            "vital_signs",
            said("v1", "68 kg"),
            said("v2", "67 kg"),
            said("v3", "SpO2 91 %"),
            said("v4", "150 livres"),
            entries=(
                measure("v1", "weight", "vital", "68.50", "kg", concept=WEIGHT),
                measure("v2", "weight", "vital", "67", "kg", concept=WEIGHT, effective=BEFORE, reference="initial"),
                measure("v3", "spo2_min_effort", "vital", "91", "%", concept=spo2, context="effort"),
                measure("v4", "weight", "vital", "150", "[lb_av]", concept=WEIGHT),
            ),
        ),
        section(
            "results",
            said("r1", "Flexion 40°"),
            said("r2", "Quadriceps 4-"),
            said("r3", "Périmètre"),
            said("r4", "Non mesurable"),
            entries=(
                measure("r1", "rom_active_flexion", "result", "40", "deg", side=LEFT, site=SHOULDER),
                measure("r2", "mrc", "result", "3.7", "{score}", side=RIGHT, site=Concept("quadriceps"), raw="4-"),
                measure("r3", "circumference", "result", "51.0", "cm", side=LEFT),
                measure("r4", "unknown", "result", None, None),
            ),
        ),
    )


def _done() -> tuple[Section, ...]:
    day = date(2026, 1, 5)
    outcome = StatementEntry("s1", local("outcome", "Issue"), local("poursuite", "Poursuite des soins"), NOW)
    flags = StatementEntry("s2", local("red_flags", "Drapeaux rouges"), Concept("aucun & rien < tout"), NOW)
    event = AdverseEventEntry("e1", "AE-06-1", day, "Chute sans blessure", "legere", "Glissade\nau domicile")
    return (
        section(
            "acts",
            said("a1", "Bilan"),
            entries=(
                ActEntry(
                    "a1",
                    Concept("Bilan", cda=Code("MED-513", "1.2.250.1.213.1.1.4.322", "Evaluation en kinésithérapie")),
                    "EVN",
                    day,
                ),
            ),
        ),
        section("sessions", said("k1", "Séance 1"), entries=(SessionEntry("k1", 1, day),)),
        section(
            "care_plan",
            said("g1", "Marcher 500 m"),
            said("g2", "Reprise du sport"),
            said("g3", "Monter l'escalier"),
            said("a2", "10 séances"),
            said("x1", "Vers un cardiologue"),
            entries=(
                GoalEntry("g1", "Marcher 500 m", day, date(2026, 3, 1)),
                GoalEntry("g2", "Reprise du sport", day, None, reached=False),
                GoalEntry("g3", "Monter l'escalier", day, day, reached=True),
                ActEntry("a2", local("plan", "Séances de kinésithérapie"), "INT", day, date(2026, 3, 1)),
                ReferralEntry("x1", "cardiologue", day, "Douleur thoracique\nà l'effort", "24h"),
            ),
        ),
        section("evolution", said("s1", "Poursuite"), said("e1", "Chute sans blessure"), entries=(outcome, event)),
        section("conclusion", said("s2", "Pas de drapeau rouge."), entries=(flags,)),
    )


def bare() -> ClinicalDocument:
    """The least that a document can be: no INS, no local id, no doctor, sections without their entries."""
    patient = replace(
        PATIENT,
        ins=None,
        local_ids=(),
        birth_given=(),
        birth_place_cog=None,
        birth_place_name=None,
        used_family=None,
        used_given=None,
        address=None,
        telecoms=(),
    )
    header = replace(
        HEADER,
        patient=patient,
        addressees=(),
        medecin_traitant=None,
        service_stop=None,
        author=replace(AUTHOR, structure=None),
        effective_time=datetime(2026, 1, 5, 13, 30, tzinfo=UTC),
    )
    empty = tuple(section(key, Paragraph(Span("Rien à signaler."))) for key in KEYS)
    return ClinicalDocument(header, empty)
