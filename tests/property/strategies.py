"""Submissions over the whole of the records, for any test that wants many different sound documents.

`submissions()` draws what a practice could send: every optional field there or not, every value of every closed list,
texts that XML, JSON, HL7 and terminals care about. Nothing drawn is refused by the rules (a test holds that), so a
document made from it must be right in every rendering. `documents()` is what they become.

`KINE_EXAMPLES=500` runs the long form of the tests that use it; without it they draw a few only.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from gateway import terminology
from gateway.document import build
from gateway.document.model import ClinicalDocument
from gateway.identity.matricule import key_of
from gateway.records.submission import Submission, parse
from gateway.rules import claimed_mode
from gateway.settings import AccountSettings
from gateway.terminology import MeasureDef

TERMS = terminology.load()
Json = dict[str, Any]
Draw = st.DrawFn


def examples(short: int) -> Any:
    """Hypothesis settings: `short` examples, or as many as KINE_EXAMPLES says."""
    wanted = int(os.environ.get("KINE_EXAMPLES", "0")) or short
    quiet = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]
    # Without the phase that explains a failure line by line: it slows every example down.
    phases = (Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink)
    return settings(max_examples=wanted, deadline=None, suppress_health_check=quiet, phases=phases)


# ---------------------------------------------------------------- words

_WORDS = st.sampled_from(
    (
        *("douleur", "genou", "Œdème", "reprise de la course", "à l'effort", "L5-S1", "45°", "4-", "« oui »", "½"),
        *("a < b & c > d", "]]>", "<b>gras</b>", '"cité"', "l’été", "&amp;", "<!-- -->", "#1", "{x}", "\\S\\", "^~|&"),
        *(
            "née à Saint-Brieuc",
            "n\u00b0 3",
            "10\u202f000",
            "œ\u0301",
            "𝒳",
            "日本",
            "مرحبا",
            "fin : rien",
            "a  b",
            "é" * 40,
        ),
    )
)
# What `gateway.records.base` lets in: no control character, no bidirectional embedding, no noncharacter.
_LETTERS = st.characters(
    exclude_categories=("Cc", "Cs", "Cn", "Co", "Zl", "Zp"),
    exclude_characters="\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff\ufff9\ufffa\ufffb",
)
_FREE = st.text(_LETTERS, min_size=1, max_size=20).map(str.strip).filter(bool)
lines = st.one_of(_WORDS, _WORDS, _FREE)
texts = st.one_of(lines, st.builds("{}\n{}".format, lines, lines), st.builds("{}\n\n\t{}".format, lines, lines))
# Birth names as INSi writes them, in capitals; names in use as people write them.
_CAPITALS = st.sampled_from(("PAT-TROIS", "LE GOFF", "D'ESSAI", "MAELYS", "ANNE", "JEAN-PIERRE", "NGUYEN", "O"))
_NAMES = st.sampled_from(("Le Goff-Essai", "Maëlys", "D'Essai", "Zoë", "N'Guyen", "Ait & Fils", "Élodie"))
_CODES = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.", min_size=1, max_size=12)


def maybe(one: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """The value or nothing; nothing is left out of the JSON."""
    return st.none() | one


def some(one: st.SearchStrategy[Any], most: int = 3, least: int = 0) -> st.SearchStrategy[list[Any]]:
    """A short list."""
    return st.lists(one, min_size=least, max_size=most)


def shape(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Json]:
    """An object without its empty fields."""
    return st.fixed_dictionaries(fields).map(lambda held: {k: v for k, v in held.items() if v is not None})


# ---------------------------------------------------------------- people

_DIGITS = "0246813579"


def luhn_completed(digits: str) -> str:
    """The digits with the key that makes the number a possible RPPS."""
    total = sum(
        int(_DIGITS[int(digit)]) if place % 2 == 0 else int(digit) for place, digit in enumerate(reversed(digits))
    )
    return f"{digits}{-total % 10}"


rpps = st.integers(1_000_000_000, 9_999_999_999).map(lambda number: luhn_completed(str(number)))
phones = st.sampled_from(("0600000001", "+33 6 00 00 00 01", "02.00.00.00.01", "0033200000001"))
civilities = st.sampled_from(("M", "MME"))
sides = st.sampled_from(("droite", "gauche", "bilateral"))
_COGS = st.sampled_from(("22278", "75115", "2A004", "2B033", "97411", "99397"))
_CITIES = st.sampled_from(("Saint-Brieuc", "PARIS 11", "L'Haÿ-les-Roses", "Y"))
_POSTAL = st.sampled_from(("22000", "75011", "20090", "97400", "1050", "SW1A 1AA"))
addresses = shape(lines=some(lines, 4, 1), postal_code=_POSTAL, city=_CITIES)
structures = st.one_of(
    st.builds(lambda n: {"kind": "rpps_rang", "value": f"{n:014d}"}, st.integers(0, 10**14 - 1)),
    st.builds(lambda n: {"kind": "finess", "value": f"{n:09d}"}, st.integers(0, 10**9 - 1)),
    st.builds(lambda n: {"kind": "siret", "value": f"{n:014d}"}, st.integers(0, 10**14 - 1)),
    st.builds(lambda n: {"kind": "siren", "value": f"{n:09d}"}, st.integers(0, 10**9 - 1)),
    st.builds(lambda n: {"kind": "adeli_rang", "value": f"{n:011d}"}, st.integers(0, 10**11 - 1)),
)


@st.composite
def matricules(draw: Draw, sex: str, born: date, cog: str) -> str:
    """A matricule that says what the traits say, with its key."""
    first = {"M": "1", "F": "2"}.get(sex, "1")
    place = cog[:2] if cog[:2].isdigit() or born.year >= 1976 else "20"
    order = draw(st.integers(0, 999_999))
    nir = f"{first}{born.year % 100:02d}{born.month:02d}{place}{order:06d}"
    return nir + key_of(nir)


@st.composite
def patients(draw: Draw, day: date) -> Json:
    """A patient, identity qualified or not, with or without INS."""
    born = draw(st.dates(date(1920, 1, 1), min(day, date(2025, 9, 30))))
    sex, cog = draw(st.sampled_from(("F", "M", "UN"))), draw(maybe(_COGS))
    given = draw(some(_CAPITALS, 3, 1))
    status = draw(st.sampled_from(("QUAL", "QUAL", "QUAL", "VALI", "RECUP", "PROV")))
    numbers = st.builds(lambda n, v: {"root": f"1.2.250.1.99999.{n}", "value": v}, st.integers(1, 9), _CODES)
    ins = None
    if cog is not None and status == "QUAL" and draw(st.booleans()):
        oid = draw(st.sampled_from(("1.2.250.1.213.1.4.10", "1.2.250.1.213.1.4.11")))
        ins = {"matricule": draw(matricules(sex, born, cog)), "oid": oid}
    opposed = {"date": str(day), "author": draw(lines)} if draw(st.integers(0, 9)) == 0 else None
    held = {
        "ins": ins,
        "identity_status": status,
        "identifiers": draw(some(numbers, 2, 1)),
        "birth_family": draw(_CAPITALS),
        "birth_given": given,
        "first_birth_given": draw(st.sampled_from((None, given[0]))),
        "used_family": draw(maybe(_NAMES)),
        "used_given": draw(maybe(_NAMES)),
        "sex": sex,
        "birth_date": str(born),
        "birth_place_cog": cog,
        "birth_place_name": draw(maybe(_CITIES)),
        "address": draw(maybe(addresses)),
        "phone": draw(maybe(phones)),
        "delivery": draw(st.sampled_from(("mssante", "hand", "post", "sip"))),
        "dmp": draw(shape(exists=maybe(st.booleans()), opposition=st.just(opposed))),
    }
    return {name: value for name, value in held.items() if value is not None}


@st.composite
def recipients(draw: Draw, day: date) -> Json:
    """A professional who receives the document, or the fact that none is known."""
    role = draw(
        st.sampled_from(("medecin_traitant", "medecin_adresseur", "prescripteur", "delegant", "autre_professionnel"))
    )
    if draw(st.integers(0, 9)) == 0:
        return {"role": role, "known": False}
    opposed = {"date": str(day), "author": draw(lines)} if draw(st.integers(0, 5)) == 0 else None
    mailbox = st.integers(0, 99).map(lambda number: f"dr.essai-{number}@medecin.mssante.example")
    professions = st.sampled_from(("G15_10", "G15_70", "G15_40", "G15_10/SM26", "G15_10/SM54"))
    held = draw(
        shape(
            rpps=maybe(rpps),
            family=_NAMES,
            given=maybe(_NAMES),
            civility=maybe(civilities),
            profession=maybe(professions.filter(lambda code: TERMS.has_value("J01", code))),
            specialty=maybe(lines),
            organization=maybe(structures),
            mssante=maybe(mailbox),
            opposition=st.just(opposed),
        )
    )
    return {"role": role, **held}


_SETTINGS = st.sampled_from(("AMBULATOIRE", "SAD", "HAD", "ETABLISSEMENT"))
_FACILITIES = st.sampled_from(("SA07", "SA08", "SA09", "SA05", "SA52"))
organizations = shape(
    id=structures,
    name=lines,
    address=maybe(addresses),
    phone=maybe(phones),
    facility_type=_FACILITIES,
    practice_setting=_SETTINGS,
)
authors = shape(rpps=rpps, family=_NAMES, given=_NAMES, civility=maybe(civilities), phone=maybe(phones))


@st.composite
def accesses(draw: Draw, day: date) -> Json:
    """How the patient came. What the rules find there never stops a document."""
    modes = ("direct_cpts", "direct_structure", "prescription", "renewal", "urgence", "protocole", "hors_nomenclature")
    proofs = ("ald", "cr_operatoire", "cr_hospitalisation", "cr_medical", "cr_urgences", "information_medecin")
    before = st.integers(0, 400).map(lambda days: str(day - timedelta(days=days)))
    episode = shape(id=lines, start=before, sessions_already_done=st.integers(0, 12))
    cpts = shape(name=lines, department=st.just("22"), active_member=st.booleans())
    proof = shape(type=st.sampled_from((*proofs, "prescription_anterieure", "dui", "other")), date=before)
    statuses = st.sampled_from(("titulaire", "collaborateur", "assistant", "remplacant"))
    return draw(
        shape(
            mode=st.sampled_from(modes),
            department=st.sampled_from(("22", "75", "2A", "971", "974")),
            practitioner_status=statuses,
            declared_to_ars_on=maybe(before),
            cpts=maybe(cpts),
            prior_diagnosis=st.booleans(),
            proof=maybe(proof),
            prescription_date=before,
            protocol=maybe(lines),
            episode=episode,
        )
    )


# ---------------------------------------------------------------- clinical content

_SITES = st.one_of(st.sampled_from(("épaule", "genou", "coude", "cheville", "rachis lombaire", "quadriceps")), lines)


@st.composite
def values(draw: Draw, known: MeasureDef) -> str:
    """A value that a measure can have, with its digits."""
    if known.answers:
        return draw(st.sampled_from([str(one) for one in known.answers]))
    low, high = known.minimum or 0, known.maximum or 100
    return str(draw(st.decimals(low, high, places=draw(st.integers(0, 2)))))


@st.composite
def targets(draw: Draw) -> Json:
    """The value that a goal aims at."""
    known = draw(st.sampled_from([one for one in TERMS.measures() if not one.answers]))
    place = draw(shape(side=maybe(sides), site=maybe(_SITES), context=maybe(lines)))
    return {"code": known.code, "value": draw(values(known)), "unit": known.input_unit, **place}


@st.composite
def measures(draw: Draw) -> Json:
    """A measure of the catalogue, in its unit and its range, or why it was not taken; with all that can be said."""
    known = draw(st.sampled_from(TERMS.measures()))
    raw = st.one_of(st.sampled_from(("4-", "1+", "3/5")), lines)
    held = draw(
        shape(
            side=maybe(sides),
            site=maybe(_SITES),
            context=maybe(lines),
            aid=maybe(lines),
            raw=maybe(raw),
        )
    )
    if draw(st.integers(0, 9)) == 0:
        return {"code": known.code, "not_done": draw(lines), **held}
    return {"code": known.code, "value": draw(values(known)), "unit": known.input_unit, **held}


_SYSTEMS = st.sampled_from(("CIM-10", "SNOMED-CT", "CIF"))
codings = shape(system=_SYSTEMS, code=st.from_regex(r"\A[A-Z][0-9]{2}(\.[0-9])?\Z"), label=lines)
findings_seen = shape(
    domain=st.sampled_from(("etat_general", "musculosquelettique", "membres", "systeme_nerveux")),
    method=st.sampled_from(("inspection", "palpation", "test")),
    text=texts,
    code=maybe(codings),
    side=maybe(sides),
    site=maybe(_SITES),
)
icf_items = shape(
    code=st.sampled_from(("b28015", "d450", "d450.2", "d4", "s75021", "e1201", "b999")), label=maybe(lines)
)


def days_from(first: date, last: date) -> st.SearchStrategy[str]:
    """A day as ISO text."""
    return st.dates(first, last).map(str)


def _red_flags() -> st.SearchStrategy[Json]:
    decisions = ("pas_de_reorientation", "adaptation_et_information", "information_medecin_traitant", "urgence")
    flag = st.one_of(st.sampled_from(("appui_impossible_4_pas", "fievre", "SDRC")), lines)
    others = ("reorientation_programmee", "reorientation_24h")
    return shape(
        checked=some(flag), present=some(flag), decision=st.sampled_from((*decisions, *others)), comment=maybe(texts)
    )


def _reorientation(day: date) -> st.SearchStrategy[Json]:
    return shape(
        to=st.one_of(st.sampled_from(("medecin_traitant", "urgences", "samu")), lines),
        date=st.just(str(day)),
        reason=texts,
        urgency=st.sampled_from(("programmee", "24h", "urgence")),
        communicated_by=some(st.one_of(st.sampled_from(("mssante", "telephone")), lines), 2),
    )


def _common(day: date, start: date) -> Mapping[str, st.SearchStrategy[Any]]:
    past, coming = days_from(date(2000, 1, 1), day), days_from(start, date(2027, 12, 31))
    history = shape(
        conditions=some(lines),
        surgeries=some(lines),
        treatments=some(lines),
        allergies=some(lines),
        work=maybe(lines),
        activity=maybe(lines),
        dominant_hand=maybe(sides),
    )
    plan = shape(
        sessions_planned=maybe(st.integers(0, 60)),
        frequency=maybe(lines),
        techniques=some(lines),
        place=maybe(st.one_of(st.sampled_from(("cabinet", "domicile")), lines)),
        note=maybe(texts),
    )
    event = shape(
        id=lines,
        date=past,
        kind=st.one_of(st.sampled_from(("chute_sans_blessure", "malaise")), lines),
        detail=maybe(texts),
        severity=st.sampled_from(("legere", "moderee", "grave")),
        physician_informed=maybe(past),
        reported_ars=st.booleans(),
    )
    problem = shape(label=lines, code=maybe(codings), side=maybe(sides), onset=maybe(past), note=maybe(texts))
    return {
        "id": lines,
        "reason": texts,
        "complaint": maybe(texts),
        "examination": some(findings_seen),
        "problems": some(problem),
        "body_site": maybe(shape(label=_SITES, side=maybe(sides))),
        "history": history,
        "icf": some(icf_items),
        "goals": some(shape(text=texts, due=maybe(coming), reached=maybe(st.booleans()), target=maybe(targets()))),
        "prognosis": maybe(texts),
        "plan": maybe(plan),
        "adverse_events": some(event, 2),
        "advice": maybe(texts),
    }


@st.composite
def assessments(draw: Draw, moment: datetime) -> Json:
    """An initial assessment."""
    day = moment.date()
    consent = shape(
        care=st.booleans(), sharing_informed=st.booleans(), date=st.just(str(day)), interpreter=maybe(lines)
    )
    measured = draw(some(measures(), 8))
    held = draw(
        shape(
            **_common(day, day),
            diagnosis=texts,
            reorientation=maybe(_reorientation(day)),
            red_flags=maybe(_red_flags()),
            consent=maybe(consent),
            not_measurable=maybe(lines) if measured else lines,
        )
    )
    return {**held, "kind": "assessment", "measures": measured}


@st.composite
def summaries(draw: Draw, moment: datetime) -> Json:
    """A treatment summary, with or without the initial measures."""
    day = moment.date()
    start = day - timedelta(days=draw(st.integers(0, 300)))
    end = draw(st.dates(start, day))
    session = shape(
        n=st.integers(1, 60),
        date=days_from(start, end),
        act_letter=maybe(st.sampled_from(("AMS", "RIM", "TER"))),
        act_coefficient=maybe(st.sampled_from(("7.5", "8,06", "9"))),
        note=maybe(lines),
    )
    initial = datetime.combine(start, moment.timetz())
    outcomes = ("objectifs_atteints", "amelioration_partielle", "stable", "aggravation", "poursuite", "abandon")
    ends = ("fin_de_traitement", "plafond_8_seances", "bilan_intermediaire", "decision_patient", "deces", "autre")
    held = draw(
        shape(
            **_common(day, start),
            diagnosis=maybe(texts),
            reorientation=maybe(_reorientation(day)),
            measures=some(measures(), 6),
            initial_measures=some(measures(), 6),
            initial_date=maybe(st.just(initial.isoformat())),
            sessions_done=st.integers(0, 60),
            sessions=some(session),
            treatment_done=some(lines),
            evolution=maybe(texts),
            outcome=st.sampled_from((*outcomes, "reorientation")),
            end_reason=st.sampled_from(ends),
        )
    )
    return {**held, "kind": "treatment_summary", "period": {"start": str(start), "end": str(end)}}


@st.composite
def letters(draw: Draw, moment: datetime) -> Json:
    """A letter that sends the patient on."""
    day = moment.date()
    held = draw(
        shape(
            **_common(day, day),
            diagnosis=maybe(texts),
            measures=some(measures(), 4),
            reorientation=_reorientation(day),
            red_flags=maybe(_red_flags()),
            treatment_done=some(lines),
            question=maybe(texts),
            phone=maybe(phones),
        )
    )
    return {**held, "kind": "reorientation_letter"}


@st.composite
def informations(draw: Draw, moment: datetime) -> Json:
    """The prescriber is told that the prescription was renewed or adapted."""
    day = moment.date()
    held = draw(
        shape(
            **_common(day, day),
            diagnosis=maybe(texts),
            measures=some(measures(), 4),
            change=st.sampled_from(("renouvellement", "adaptation", "renouvellement_et_adaptation")),
            sessions_prescribed=st.integers(1, 60),
            adaptation=texts,
            annotation=shape(date=st.just(str(day)), signed=st.just(value=True), given_to_patient=st.booleans()),
            sessions_so_far=maybe(st.integers(0, 60)),
        )
    )
    return {**held, "kind": "prescriber_information"}


KINDS: Mapping[str, Callable[[datetime], st.SearchStrategy[Json]]] = {
    "assessment": assessments,
    "treatment_summary": summaries,
    "reorientation_letter": letters,
    "prescriber_information": informations,
}

moments = st.builds(
    lambda when, offset: when.replace(tzinfo=timezone(timedelta(minutes=offset))),
    st.integers(0, 410 * 86_400).map(lambda seconds: datetime(2025, 10, 6) + timedelta(seconds=seconds)),  # noqa: DTZ001
    st.sampled_from((0, 60, 120, -240, 240, 330)),
)


@st.composite
def submissions(draw: Draw, kinds: tuple[str, ...] = tuple(KINDS)) -> Submission:
    """A submission that the parser takes and that the rules let leave."""
    moment = draw(moments)
    visibility = shape(
        masked_to_professionals=st.booleans(),
        hidden_from_patient=st.booleans(),
        hidden_from_representatives=st.booleans(),
    )
    document = draw(KINDS[draw(st.sampled_from(kinds))](moment))
    value = {
        "format": "kine-gateway/submission/1",
        "account": "cabinet-essai",
        "patient": draw(patients(moment.date())),
        "author": draw(authors),
        "organization": draw(organizations),
        "recipients": draw(some(recipients(moment.date()), 4)),
        "visibility": draw(visibility),
        "access": draw(accesses(moment.date())),
        "document": {**document, "date": moment.isoformat()},
    }
    read, refused = parse(json.dumps(value).encode())
    assert read is not None, refused
    return read


# ---------------------------------------------------------------- what they become


@dataclass(frozen=True)
class Made:
    """A submission and the document that it makes."""

    submission: Submission
    document: ClinicalDocument


def account_of(submission: Submission) -> AccountSettings:
    """The account that a drawn submission leaves from: a mailbox, no DMP."""
    return AccountSettings(
        id=submission.account,
        rpps=submission.author.rpps,
        mailbox="expediteur@kine.mssante.example",
        display_name="M_Essai_CABINET",
        oid_root="1.2.250.1.99999.1",
        nil="NIL-0000",
    )


def built(submission: Submission) -> ClinicalDocument:
    """The document of a submission; the same identifiers for the same content."""
    ids = build.DocumentIds(*(f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, repr(submission) + x).int}" for x in ("", "set")))
    mode = claimed_mode(submission, [])
    account = account_of(submission)
    return build.build(submission, account, TERMS, ids=ids, software="kine-gateway test", claimed_mode=mode)


def made(kinds: tuple[str, ...] = tuple(KINDS)) -> st.SearchStrategy[Made]:
    """Submissions with their documents."""
    return submissions(kinds).map(lambda one: Made(one, built(one)))


def documents(kinds: tuple[str, ...] = tuple(KINDS)) -> st.SearchStrategy[ClinicalDocument]:
    """Documents of every kind."""
    return submissions(kinds).map(built)
