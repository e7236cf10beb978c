"""Documents drawn at random over the whole model, sparse and full, pass the official kit and the preflight."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import pytest

from gateway.document import model as m
from gateway.findings import Severity
from gateway.render.cda import render
from gateway.validate import preflight
from gateway.validate.kit import Kit
from tests.unit.render_cda import samples
from tests.unit.render_cda.samples import TERMS

T = TypeVar("T")
TEXTS = ("Dit <fort> & clair", "Œdème", "À revoir\nbientôt", "]]>", "«\u00a0x\u00a0»", "1 < 2", 'l\'"été"', "a" * 300)
UNITS = ("deg", "cm", "{score}", "%", "kg", "m/s", "/min", "mm", None, "code")
KEYS = (*samples.KEYS, "pain", "physical_function")
WALK = m.Code("d450", "2.16.840.1.113883.6.254", "Marcher")


class Draw:
    """Random documents, the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.count = 0

    def maybe(self, value: T) -> T | None:
        return value if self.random.random() < 0.5 else None

    def text(self) -> str:
        return self.random.choice(TEXTS)

    def moment(self) -> datetime:
        zone = timezone(timedelta(minutes=self.random.choice((-240, 0, 60, 120, 345))))
        return datetime(2026, 1, 1, tzinfo=zone) + timedelta(minutes=self.random.randrange(500_000))

    def concept(self, *verified: m.Code) -> m.Concept:
        code = self.maybe(self.random.choice(verified)) if verified else None
        return m.Concept(self.text(), self.maybe(m.Code("essai", samples.LOCAL, "Essai")), code)

    def anchor(self) -> str:
        self.count += 1
        return f"a{self.count}"

    def measure(self, anchor: str) -> m.MeasureEntry:
        category: Any = self.random.choice(("pain", "vital", "survey", "result"))
        vital = TERMS.value("SignesVitaux", self.random.choice(tuple(samples_of_vitals())))
        number = Decimal(self.random.randrange(-900, 9000)).scaleb(-self.random.randrange(3))
        return m.MeasureEntry(
            anchor, "essai", category,
            self.concept(*([vital] if category == "vital" else [])),
            self.maybe(number), self.random.choice(UNITS), self.moment(),
            side=self.maybe(samples.LEFT), site=self.maybe(self.concept()), context=self.maybe(self.text()),
            aid=self.maybe(self.text()), raw=self.maybe(self.text()),
            answer=self.maybe(m.Code("oui", samples.LOCAL, "Oui")) if category == "survey" else None,
            reference=self.random.choice(("initial", "current")),
        )  # fmt: skip

    def entry(self, anchor: str) -> m.Entry:  # noqa: PLR0911 - one return for each kind
        day, pick = self.moment().date(), self.random.randrange(10)
        if pick == 0:
            status: Any = self.random.choice(("active", "completed"))
            onset, side, note = self.maybe(day), self.maybe(samples.RIGHT), self.maybe(self.text())
            return m.ProblemEntry(anchor, self.concept(), status, onset, side, note)
        if pick == 1:
            return m.FunctionEntry(anchor, self.concept(WALK), self.moment())
        if pick == 2:
            due = day + timedelta(days=self.random.randrange(90))
            return m.GoalEntry(anchor, self.text(), day, self.maybe(due), self.random.choice((None, True, False)))
        if pick == 3:
            mood: Any = self.random.choice(("EVN", "INT"))
            return m.ActEntry(anchor, self.concept(), mood, self.maybe(day), self.maybe(day))
        if pick == 4:
            return m.SessionEntry(anchor, self.random.randrange(1, 60), day)
        if pick == 5:
            return m.StatementEntry(anchor, self.concept(), self.concept(), self.moment())
        if pick == 6:
            urgency: Any = self.random.choice(("programmee", "24h", "urgence"))
            return m.ReferralEntry(anchor, self.text(), day, self.text(), urgency)
        if pick == 7:
            severity: Any = self.random.choice(("legere", "moderee", "grave"))
            return m.AdverseEventEntry(anchor, "AE & 1", day, self.text(), severity, self.maybe(self.text()))
        return self.measure(anchor)

    def section(self, key: str, depth: int = 0) -> m.Section:
        entries = tuple(self.entry(self.anchor()) for _ in range(self.random.randrange(5)))
        spans = [m.Span(self.text(), entry.anchor) for entry in entries]
        blocks: list[m.Block] = [m.Paragraph(m.Span(self.text()))]
        if spans and self.random.random() < 0.5:
            blocks.append(m.Table(("A", "B"), tuple((span, m.Span("")) for span in spans), self.maybe(self.text())))
        else:
            blocks.append(m.Items(tuple(spans)))
        inner = () if depth else tuple(self.section(k, 1) for k in self.random.sample(KEYS, self.random.randrange(2)))
        known = TERMS.section(key)
        return m.Section(key, known.code, known.title, tuple(blocks), entries, inner)

    def person(self, person: m.Professional) -> m.Professional:
        known = self.random.random() < 0.7
        return replace(
            person,
            id=person.id if known else m.Id("1.2.250.1.99999", "autre"),
            rpps=person.rpps if known else "",
            name=m.PersonName(self.text(), self.random.choice(("", "Anne")), self.maybe("MME"), self.maybe("DR")),
            profession=self.maybe(person.profession),
            address=self.maybe(person.address),
            telecoms=person.telecoms[: self.random.randrange(3)],
            structure=self.maybe(samples.STRUCTURE),
        )

    def header(self) -> m.Header:
        patient = replace(
            samples.PATIENT,
            ins=self.maybe(samples.PATIENT.ins),
            local_ids=samples.PATIENT.local_ids * self.random.randrange(3),
            used_family=self.maybe(self.text()),
            used_given=self.maybe(self.text()),
            birth_place_name=self.maybe(self.text()),
            address=self.maybe(samples.PATIENT.address),
        )
        if patient.ins is None:
            patient = replace(patient, birth_given=(), birth_place_cog=None, birth_family=self.text())
        doctor = self.person(samples.DOCTOR)
        moments = sorted(self.moment() for _ in range(self.random.randrange(1, 3)))
        return replace(
            samples.HEADER,
            patient=patient,
            medecin_traitant=self.maybe(doctor),
            addressees=tuple(
                m.Addressee("autre", self.person(samples.DOCTOR)) for _ in range(self.random.randrange(3))
            ),
            effective_time=self.moment(),
            service_start=moments[0],
            service_stop=self.maybe(moments[-1]),
            version=self.random.randrange(1, 4),
            author_document_id=self.text()[:64].replace("\n", " "),
        )

    def document(self) -> m.ClinicalDocument:
        keys = self.random.sample(samples.KEYS, self.random.randrange(1, len(samples.KEYS)))
        return m.ClinicalDocument(self.header(), tuple(self.section(key) for key in keys))


def samples_of_vitals() -> tuple[str, ...]:
    return ("29463-7", "8302-2", "8480-6", "8867-4", "20564-1", "8310-5", "39156-5", "8280-0")


@pytest.fixture(scope="module")
def kit(shared: Path) -> Kit:
    return Kit(shared / "kit")


ALLOWED = {"CDA-013", "CDA-024", "CDA-011"}


@pytest.mark.parametrize("seed", range(40))
def test_whatever_the_model_can_say(kit: Kit, seed: int) -> None:
    cda = render(Draw(seed).document(), TERMS)
    assert kit.check(cda) == []
    assert [f for f in preflight.check(cda, TERMS) if f.severity is Severity.ERROR or f.code not in ALLOWED] == []
