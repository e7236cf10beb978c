"""Two invented documents, built by hand, that use every kind of header field, block and entry of the model."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from decimal import Decimal

from gateway.document import model as m

PARIS_WINTER = timezone(timedelta(hours=1))
LOINC = "2.16.840.1.113883.6.1"
SNOMED = "2.16.840.1.113883.6.96"
LOCAL = "2.25.111"
RIGHT = m.Code("24028007", SNOMED, "droite")
HOSTILE = '#set $x$ *gras* <b>&amp;</b> \\ @ref `code` [x] "q" _y_ ~ // /* %PDF ${a} {{b}}'


def local(code: str, display: str) -> m.Code:
    return m.Code(code, LOCAL, display)


PRACTICE = m.StructureRef(
    m.Id("1.2.250.1.71.4.2.2", "499700001011001"),
    "Cabinet de kinésithérapie FICTIF",
    m.PostalAddress(("3, place du Cœur",), "22000", "Saint-Brieuc"),
    (m.Telecom("tel:+33200000001", "WP"),),
)
AUTHOR = m.Professional(
    id=m.Id("1.2.250.1.71.4.2.1", "899700001011"),
    rpps="99700001011",
    name=m.PersonName("TESTOU", "Gwenaël", "M"),
    profession=m.Code("G15_70", "1.2.250.1.213.1.1.4.5", "Masseur-Kinésithérapeute"),
    telecoms=(m.Telecom("mailto:gwenael.testou@kine.mssante.example", "WP", mssante=True),),
    structure=PRACTICE,
)
DOCTOR = m.Professional(
    id=m.Id("1.2.250.1.71.4.2.1", "899700002019"),
    rpps="99700002019",
    name=m.PersonName("MODELE", "Hélène", "MME", "DR"),
    profession=m.Code("G15_10", "1.2.250.1.213.1.1.4.5", "Médecin"),
    telecoms=(m.Telecom("mailto:helene.modele@medecin.mssante.example", "WP", mssante=True),),
)
PATIENT = m.PatientIdentity(
    ins=m.Id("1.2.250.1.213.1.4.10", "201032227890155"),
    identity_status="QUAL",
    local_ids=(m.Id("2.25.222", "IPP-7"),),
    birth_family="LE GOFF-ESSAI",
    birth_given=("MAELYS", "ANNE"),
    first_given="MAELYS",
    used_family="Le Goff-Essai",
    used_given="Maëlys",
    sex=m.Code("F", "2.16.840.1.113883.5.1", "Féminin"),
    birth_date=date(2001, 3, 14),
    birth_place_cog="22278",
    birth_place_name="Saint-Brieuc",
    address=m.PostalAddress(("12 bis, rue de l'Épreuve",), "22000", "Saint-Brieuc"),
    telecoms=(m.Telecom("tel:+33600000001", "MC"),),
)
NOW = datetime(2026, 1, 5, 14, 30, tzinfo=PARIS_WINTER)


def header(kind: str = "assessment") -> m.Header:
    return m.Header(
        kind=kind,  # type: ignore[arg-type]
        id="2.25.329800735698586629295641978511506172918",
        set_id="2.25.329800735698586629295641978511506172919",
        version=1,
        type=m.Code("47420-5", LOINC, "CR de bilan fonctionnel"),
        class_code=m.Code("10", "1.2.250.1.213.1.1.4.1", "Compte rendu"),
        format_code=m.Code("urn:asipSante:modelesHorsProfils:2011", "1.2.250.1.213.1.1.4.2.282", "Hors profils"),
        template_id="1.2.250.1.213.1.1.1.1",
        title="Bilan initial de kinésithérapie" if kind == "assessment" else "Compte rendu des soins de kinésithérapie",
        effective_time=NOW,
        confidentiality=m.Code("N", "2.16.840.1.113883.5.25", "Normal"),
        visibility=(m.Code("MASQUE_PS", "1.2.250.1.213.1.1.4.13", "Masqué aux professionnels de santé"),),
        language="fr-FR",
        patient=PATIENT,
        author=AUTHOR,
        custodian=PRACTICE,
        addressees=(m.Addressee("medecin_traitant", DOCTOR),),
        medecin_traitant=DOCTOR,
        service_start=NOW - timedelta(days=40 if kind != "assessment" else 0),
        service_stop=NOW if kind != "assessment" else None,
        practice_setting=m.Code("AMBULATOIRE", "1.2.250.1.213.1.1.4.9", "Ambulatoire"),
        facility_type=m.Code("SA07", "1.2.250.1.71.4.2.4", "Cabinet individuel"),
        encounter=m.Code("AMB", "2.16.840.1.113883.5.4", "Ambulatoire (hors établissement)"),
        author_document_id="BDK-01",
        software="kine-gateway",
        episode=m.Episode("EP-01", NOW.date() - timedelta(days=40), closed=kind != "assessment"),
    )


def measure(
    anchor: str, code: str, category: str, value: str | None, unit: str | None, **more: object
) -> m.MeasureEntry:
    concept = more.pop("concept", None) or m.Concept(f"Mesure {code}", local(code, f"Mesure {code}"))
    return m.MeasureEntry(
        anchor=anchor,
        measure=code,
        category=category,  # type: ignore[arg-type]
        concept=concept,  # type: ignore[arg-type]
        value=Decimal(value) if value is not None else None,
        unit=unit,
        effective=more.pop("effective", NOW),  # type: ignore[arg-type]
        **more,  # type: ignore[arg-type]
    )


PAIN = m.Concept(
    "Douleur, échelle numérique",
    local("pain_nrs", "Douleur, échelle numérique"),
    m.Code("38208-5", LOINC, "Sévérité de la douleur"),
    (m.Code("72514-3", LOINC, "Pain severity - 0-10 verbal numeric rating [Score] - Reported"),),
)


def vital(code: str, loinc: str, text: str) -> m.Concept:
    return m.Concept(text, local(code, text), None, (m.Code(loinc, LOINC, text),))


def assessment() -> m.ClinicalDocument:
    ankle = m.Concept("cheville", None, None, (m.Code("361292008", SNOMED, "région entière de la cheville"),))
    reason = m.Section(
        "reason",
        m.Code("10164-2", LOINC, "Histoire de la maladie"),
        "Motif",
        (m.Paragraph(m.Span(f"Torsion de cheville. {HOSTILE}\nDeuxième ligne", "p1")),),
        (
            m.ProblemEntry(
                "p1",
                m.Concept(
                    "Entorse", local("x", "Entorse"), None, (m.Code("S93.4", "2.16.840.1.113883.6.3", "Entorse"),)
                ),
                "active",
                date(2026, 1, 3),
                RIGHT,
                "À l'appui",
            ),
        ),
    )
    exam = m.Section(
        "measures",
        m.Code("29545-1", LOINC, "Examen physique"),
        "Examen",
        (m.Table(("Mesure", "Valeur"), ((m.Span("Flexion", None), m.Span("12,5 °", "m1")),), "Amplitudes"),),
        (
            measure("m1", "rom_active_dorsiflexion", "result", "12.5", "deg", side=RIGHT, site=ankle, context="actif"),
            measure("m2", "pain_nrs", "pain", "6", "{score}", concept=PAIN, context="mouvement"),
            measure("m3", "mrc", "result", "3.5", "{score}", raw="4-", side=RIGHT),
            measure("m4", "body_weight", "vital", "51.20", "kg", concept=vital("body_weight", "29463-7", "Poids")),
            measure("m5", "heart_rate", "vital", "72", "/min", concept=vital("heart_rate", "8867-4", "FC")),
            measure("m6", "bps", "vital", "124", "mm[Hg]", concept=vital("bps", "8480-6", "PA systolique")),
            measure("m7", "bpd", "vital", "78", "mm[Hg]", concept=vital("bpd", "8462-4", "PA diastolique")),
            measure("m8", "risk", "survey", None, None, answer=m.Code("LA9194-7", LOINC, "Low risk")),
        ),
    )
    function = m.Section(
        "function",
        m.Code("47420-5", LOINC, "Statut fonctionnel"),
        "Fonction",
        (m.Items((m.Span("Marche", "f1"),)),),
        (
            m.FunctionEntry(
                "f1", m.Concept("Marche", None, None, (m.Code("d450", "2.16.840.1.113883.6.254", "Marche"),)), NOW
            ),
            measure("s1", "lefs", "survey", "53.5", "{score}"),
            measure("s2", "cait", "survey", "14", "{score}", aid="canne"),
            m.StatementEntry(
                "st1",
                m.Concept("Drapeaux rouges"),
                m.Concept("Pas de réorientation", local("none", "Pas de réorientation")),
                NOW,
            ),
        ),
    )
    plan = m.Section(
        "plan",
        m.Code("18776-5", LOINC, "Plan de soins"),
        "Objectifs et plan",
        (m.Items((m.Span("Reprise du handball", "g1"),)), m.Paragraph(m.Span("8 séances", "a1"))),
        (
            m.GoalEntry("g1", "Reprise du handball", NOW.date(), date(2026, 3, 1)),
            m.ActEntry("a1", m.Concept("Proprioception"), "INT", NOW.date(), date(2026, 2, 20)),
        ),
        (m.Section("advice", m.Code("55112-7", LOINC, "Commentaire"), "Conseils", (m.Paragraph(m.Span("Glace")),)),),
    )
    return m.ClinicalDocument(header(), (reason, exam, function, plan))


def summary() -> m.ClinicalDocument:
    before = NOW - timedelta(days=40)
    results = m.Section(
        "measures",
        m.Code("30954-2", LOINC, "Résultats"),
        "Évolution des mesures",
        (m.Table(("Mesure", "Initial", "Final"), ((m.Span("Douleur"), m.Span("6", "i1"), m.Span("2", "c1")),)),),
        (
            measure("i1", "pain_nrs", "pain", "6", "{score}", concept=PAIN, effective=before, reference="initial"),
            measure("c1", "pain_nrs", "pain", "2", "{score}", concept=PAIN),
        ),
    )
    acts = m.Section(
        "acts",
        m.Code("47519-4", LOINC, "Historique des actes"),
        "Soins réalisés",
        (m.Items((m.Span("Renforcement", "a1"), m.Span("Séance 1", "n1"))),),
        (
            m.ActEntry(
                "a1", m.Concept("Renforcement", local("renf", "Renforcement")), "EVN", before.date(), NOW.date()
            ),
            m.SessionEntry("n1", 1, before.date()),
        ),
    )
    ending = m.Section(
        "outcome",
        m.Code("42349-1", LOINC, "Raison de la recommandation"),
        "Suite",
        (
            m.Paragraph(m.Span("Avis demandé", "r1")),
            m.Paragraph(m.Span("Chute", "e1")),
            m.Paragraph(m.Span("Atteint", "g1")),
        ),
        (
            m.GoalEntry("g1", "Marcher 500 m", before.date(), NOW.date(), reached=True),
            m.ReferralEntry("r1", "médecin traitant", NOW.date(), "Instabilité", "24h"),
            m.AdverseEventEntry("e1", "EI-1", NOW.date(), "chute", "moderee", "sans conséquence"),
        ),
    )
    return m.ClinicalDocument(header("treatment_summary"), (results, acts, ending))
