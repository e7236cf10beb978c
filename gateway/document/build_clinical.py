"""Sections that every document has: why, region, history, problems, function, measures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gateway.document import build_letters as letters
from gateway.document import build_measures as measures
from gateway.document import build_words as words
from gateway.document.build_exam import coded
from gateway.document.build_frame import Frame, items, labelled, paragraph
from gateway.document.model import (
    ActEntry,
    Concept,
    FunctionEntry,
    Items,
    ProblemEntry,
    Section,
    Span,
    Table,
)
from gateway.records.access import DIRECT_MODES, Access
from gateway.records.clinical import Assessment, Problem, TreatmentSummary


def reason(frame: Frame) -> Section | None:
    """Why the patient came, and by which way (access mode, prior diagnosis, episode)."""
    terms, mode = frame.terms, frame.claimed_mode
    way = terms.label("access_mode", mode)
    lines = (Span(f"Mode d'accès : {way}", "acces"), *(Span(line) for line in _access(frame)))
    entry = frame.statement("acces", "access_mode", mode)
    letter = letters.opening(frame, lines, (entry,))
    return letter or frame.section("reason", (paragraph(frame.clinical.reason, "motif"), items(lines)), (entry,))


def _access(frame: Frame) -> Iterator[str]:
    access = frame.access
    if access.protocol:
        yield f"Protocole : {access.protocol}"
    if access.prescription_date:
        yield f"Prescription du {words.day(access.prescription_date)}"
    yield _prior_diagnosis(frame, access)
    start = words.day(access.episode.start)
    yield f"Épisode de soins {access.episode.id}, commencé le {start}"
    if access.mode in DIRECT_MODES and not access.prior_diagnosis:
        yield _rank(frame, access)


def _prior_diagnosis(frame: Frame, access: Access) -> str:
    """Type and date of the proof, never the proof itself nor who issued it (spec kine §1, row 9 and 10)."""
    if not access.prior_diagnosis:
        return "Diagnostic médical préalable : non"
    if access.proof is None:
        return "Diagnostic médical préalable : oui, preuve non renseignée"
    kind = frame.terms.label("proof_type", access.proof.type.value)
    return f"Diagnostic médical préalable : oui ({kind} du {words.day(access.proof.date)})"


def _rank(frame: Frame, access: Access) -> str:
    cap, done = frame.terms.session_cap, access.episode.sessions_already_done
    if isinstance(frame.clinical, Assessment):
        total = done + 1
        shown = f"séance {total}/{cap} de l'épisode"
    else:
        total = done + (frame.clinical.sessions_done if isinstance(frame.clinical, TreatmentSummary) else 0)
        shown = f"{total} séance{'s' if total > 1 else ''} réalisée{'s' if total > 1 else ''} sur {cap}"
    return f"Sans diagnostic préalable : {shown}{' : plafond dépassé' if total > cap else ''}"


def complaint(frame: Frame) -> Section | None:
    """The patient's complaint and the region treated."""
    said, site = frame.clinical.complaint, frame.clinical.body_site
    place = words.join((site.label, words.side(site.side, frame.terms)), ", ") if site else None
    title = "Plainte principale et région traitée" if said else None
    return frame.section("complaint", (paragraph(said, "plainte"), labelled("Région", place, "region")), title=title)


def history(frame: Frame) -> Section | None:
    """Allergies, treatments, work, activity, dominant hand."""
    past = frame.clinical.history
    hand = frame.terms.label("hand", past.dominant_hand.value) if past.dominant_hand else None
    given = (
        ("Allergies", ", ".join(past.allergies)),
        ("Traitements", ", ".join(past.treatments)),
        ("Travail", past.work),
        ("Activité", past.activity),
        ("Main dominante", hand),
    )
    return frame.section("history", (items(f"{label} : {text}" for label, text in given if text),))


def past_illness(frame: Frame) -> Section | None:
    """Medical history. No date and no code was given: none is written."""
    conditions = frame.clinical.history.conditions
    spans = [Span(text, f"antecedent-{position}") for position, text in enumerate(conditions, start=1)]
    entries = [ProblemEntry(span.anchor or "", Concept(span.text), "active") for span in spans]
    return frame.section("past_illness", (items(spans),), entries)


def surgeries(frame: Frame) -> Section | None:
    """Operations of the past, as they were told."""
    operations = frame.clinical.history.surgeries
    spans = [Span(text, f"chirurgie-{position}") for position, text in enumerate(operations, start=1)]
    entries = [ActEntry(span.anchor or "", Concept(span.text), "EVN", None) for span in spans]
    return frame.section("surgeries", (items(spans),), entries)


def problems(frame: Frame) -> Section | None:
    """Problems treated, then the physiotherapy diagnosis."""
    listed = list(enumerate(frame.clinical.problems, start=1))
    entries = [_problem(frame, position, one) for position, one in listed]
    diagnosis = frame.clinical.diagnosis
    if diagnosis:
        text = Concept(diagnosis, frame.terms.statement("diagnostic_kine").local)
        entries.append(ProblemEntry("diagnostic", text, "active"))
    blocks = (
        _problem_table(frame, listed),
        labelled(frame.terms.label("statement", "diagnostic_kine"), diagnosis, "diagnostic"),
    )
    return frame.section("problems", blocks, entries)


def _problem(frame: Frame, position: int, problem: Problem) -> ProblemEntry:
    code = coded(problem.code, frame.terms)
    return ProblemEntry(
        anchor=f"probleme-{position}",
        concept=Concept(problem.label, None, code, (code,) if code else ()),
        status="active",
        onset=problem.onset,
        side=frame.terms.side(problem.side),
        note=problem.note,
    )


def _problem_table(frame: Frame, listed: Sequence[tuple[int, Problem]]) -> Table | None:
    if not listed:
        return None
    rows = tuple(
        (
            Span(problem.label, f"probleme-{position}"),
            Span(words.side(problem.side, frame.terms)),
            Span(_code_shown(problem)),
            Span(f"depuis le {words.day(problem.onset)}" if problem.onset else ""),
            Span(problem.note or ""),
        )
        for position, problem in listed
    )
    return words.without_empty(Table(("Problème", "Côté", "Code", "Début", "Précision"), rows))


def _code_shown(problem: Problem) -> str:
    """System and code, with the code's own label where it says something else than the problem."""
    code = problem.code
    if code is None:
        return ""
    label = None if code.label == problem.label else code.label
    return words.join((f"{code.system} {code.code}", label), " : ")


def functional_status(frame: Frame, taken: Sequence[measures.Taken]) -> Section | None:
    """Pain, scores and tests, items of the classification of functioning; or why nothing could be measured."""
    pain, scores = measures.of(taken, "pain"), measures.of(taken, "survey")
    functions = [
        FunctionEntry(f"cif-{position}", frame.terms.icf(item.code, item.label), frame.at)
        for position, item in enumerate(frame.clinical.icf, start=1)
    ]
    shown = (
        frame.section("pain", (measures.table(frame, pain),), measures.entries(pain)),
        frame.section(
            "physical_function",
            (measures.table(frame, scores), _functions(functions)),
            (*measures.entries(scores), *functions),
        ),
    )
    impossible = labelled("Mesures non réalisables", frame.clinical.not_measurable, "non-mesurable")
    overview = paragraph(_overview(len(pain), len(scores), len(functions)))
    return frame.section("functional_status", (impossible, overview), (), shown)


def _functions(functions: Sequence[FunctionEntry]) -> Items | None:
    return items(Span(f"Limitation : {entry.concept.text}", entry.anchor) for entry in functions)


def _overview(pain: int, scores: int, functions: int) -> str | None:
    counted = (
        f"{pain} mesure{'s' * (pain > 1)} de la douleur" if pain else None,
        f"{scores} score{'s' * (scores > 1)} ou test{'s' * (scores > 1)}" if scores else None,
        f"{functions} limitation{'s' * (functions > 1)} du fonctionnement" if functions else None,
    )
    text = words.join(counted, ", ")
    return words.sentence(text) if text else None


def vital_signs(frame: Frame, taken: Sequence[measures.Taken]) -> Section | None:
    """Vital signs."""
    chosen = measures.of(taken, "vital")
    return frame.section("vital_signs", (measures.table(frame, chosen),), measures.entries(chosen))


def results(frame: Frame, taken: Sequence[measures.Taken]) -> Section | None:
    """Range of motion, strength, girth and other measures of the body."""
    chosen = measures.of(taken, "result")
    return frame.section("results", (measures.table(frame, chosen),), measures.entries(chosen))
