"""A made-up year of twelve care episodes, put into a store as acceptance puts them, to be counted by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from gateway.store.base import PlannedDelivery, Progress, Result
from gateway.store.facts import Adverse, CareFacts, NewFacts, Referral
from gateway.store.outbox import Outbox
from gateway.store.states import Event, Receipt, Transport
from tests.unit.store import kit

BACK, ANKLE, SHOULDER = "CIM-10:M54.5", "CIM-10:S93.4", "361103004"
ANN, BEN, CLO = "10000000001", "10000000002", "10000000003"


def day(text: str) -> date:
    """`03-12` of 2026; `2025-12-29` as it is."""
    return date.fromisoformat(text if len(text) > 5 else f"2026-{text}")


def days(first: str, number: int, every: int = 3) -> tuple[date, ...]:
    return tuple(day(first) + timedelta(days=every * step) for step in range(number))


def summary(when: str, sessions: tuple[date, ...] = (), **changes: Any) -> CareFacts:
    """A closing report of direct access. `done` stands for sessions without dates."""
    values: dict[str, Any] = {
        "kind": "treatment_summary",
        "day": day(when),
        "mode": "direct_cpts",
        "claimed": "direct_cpts",
        "department": "22",
        "sessions_done": len(sessions),
        "sessions": sessions,
        "motives": (BACK,),
        "outcome": "objectifs_atteints",
        "end_reason": "fin_de_traitement",
    }
    return CareFacts(**(values | changes))


def assessment(when: str, **changes: Any) -> CareFacts:
    values = {"kind": "assessment", "outcome": None, "end_reason": None, "sessions_done": None}
    return replace(summary(when, **changes), **values)  # type: ignore[arg-type]


class Year:
    """A store and what was put in it, by a name of one's own."""

    def __init__(self, store: Outbox) -> None:
        self.store = store
        self.documents: dict[str, str] = {}

    def put(
        self,
        name: str,
        patient: str,
        care: CareFacts,
        *,
        episode: str | None = "",
        author: str = ANN,
        dmp: str | None = "taken",
        account: str = "cabinet",
        **changes: Any,
    ) -> str:
        """Accept a document, and settle its delivery to the DMP: `taken`, `refused`, `doubt`, None: no DMP."""
        planned = self._deliveries(dmp)
        facts = NewFacts(f"{patient}-1" if episode == "" else episode, author, care)
        request = kit.request(name, *planned, **changes)
        request = replace(request, facts=facts, patient=patient, kind=care.kind, account=account)
        request = replace(request, document_date=care.day, document_type=f"type-{name}")
        made = self.store.accept(request)
        self.documents[name] = made.document_id
        if dmp is not None:
            self._settle(dmp)
        return made.document_id

    @staticmethod
    def _deliveries(dmp: str | None) -> tuple[PlannedDelivery, ...]:
        state: dict[str, Any] = {"state": Transport.IMPOSSIBLE, "reason": "DST-NO-MT", "context": None, "parts": ()}
        doctor = kit.mail(**state)
        if dmp is None:
            return (doctor, kit.dmp(**(state | {"reason": "DST-NO-DMP"})))
        return (doctor, kit.dmp())

    def _settle(self, how: str) -> None:
        results = {
            "taken": Result(Event.TAKEN, Transport.SENT, "accepted", "DMP-OK", progress=Progress()),
            "refused": Result(Event.REFUSED, Transport.DEAD, "permanent", "DMP-XDS"),
            "doubt": Result(Event.DOUBT, Transport.IN_DOUBT, "in_doubt", "DMP-LOST"),
        }
        [claim] = self.store.claim(kit.wanted())
        self.store.mark_transmitting(claim)
        result = results[how]
        self.store.record(claim, replace(result, receipt=Receipt.NONE))

    def erase_all(self) -> None:
        for document in self.documents.values():
            for row in self.store.document(document).delivery_ids:
                if self.store.delivery(row).row.state is Transport.IN_DOUBT:
                    self.store.act(row, "confirm_sent", by="Dr Test", reason="vu au DMP")
            if self.store.document(document).erased_at is None:
                self.store.erase(document, by="Dr Test")


def put_the_year(year: Year) -> None:
    """Twelve episodes; the table above the test in test_indicators.py counts them."""
    put = year.put
    # 1. back, whole in the year: 6 sessions, two documents, both in the DMP
    put("1a", "p1", assessment("01-12"))
    put("1b", "p1", summary("02-02", days("01-12", 6)))
    # 2. ankle: 8 sessions, reoriented to the doctor, event reported; the intermediate report tells of it too
    fall = Adverse(day("03-10"), "chute_sans_blessure", "legere", False)
    put("2a", "p2", assessment("03-02", motives=(ANKLE,)))
    halfway = summary("03-16", days("03-02", 4), adverse=(fall,), motives=(ANKLE,), end_reason="bilan_intermediaire")
    put("2b", "p2", halfway)
    seen = replace(fall, reported=True)
    referral = Referral(day("04-01"), "medecin_traitant", "programmee")
    end = summary("04-01", days("03-02", 8), adverse=(seen,), motives=(ANKLE,), referral=referral)
    put("2c", "p2", replace(end, end_reason="plafond_8_seances"))
    # 3. shoulder by region only, another author; DMP refused it
    put("3a", "p3", assessment("05-04", motives=(), region=SHOULDER), author=BEN, dmp="refused")
    put("3b", "p3", summary("06-01", days("05-04", 5), motives=(), region=SHOULDER), author=BEN, dmp="refused")
    # 4. began in December: 3 sessions last year, 2 this year
    put("4a", "p4", assessment("2025-12-22"), author=BEN)
    put("4b", "p4", summary("01-08", days("2025-12-22", 5, 4)), author=BEN)
    # 5. open: an assessment and nothing more
    put("5a", "p5", assessment("12-14"), author=BEN, dmp="doubt")
    # 6. sessions without dates: 2 before, 4 after; urgent referral by letter and by report, the same day
    letter = CareFacts(kind="reorientation_letter", day=day("07-06"), mode="direct_cpts", claimed="direct_cpts")
    put("6a", "p6", replace(letter, referral=Referral(day("07-06"), None, "urgence")), dmp=None)
    told = Referral(day("07-06"), "urgences", "urgence")
    put("6b", "p6", summary("07-20", sessions_before=2, sessions_done=4, referral=told), dmp=None)
    # 7. the same patient as 1 again, another episode, conditions not established: 9 sessions, two grave events
    grave = Adverse(day("09-10"), "fracture", "grave", True)
    nine = summary("10-05", days("09-01", 9), claimed="non_etabli", motives=(ANKLE,), adverse=(grave, grave))
    put("7a", "p1", nine, episode="p1-2")
    # 8. corrected: the first version said 7 sessions, the standing one 6; only the first reached the DMP
    first = put("8a", "p8", summary("08-03", days("07-10", 7)))
    put("8b", "p8", summary("08-03", days("07-10", 6)), dmp="refused", replaces=first)
    # 9. withdrawn: counts nowhere
    put("9a", "p9", summary("05-20", days("05-01", 4)), author=CLO)
    # 10. on prescription: no direct access
    put("10a", "p10", summary("06-15", days("06-01", 5), mode="prescription", claimed="prescription"), author=CLO)
    # 11. a cooperation protocol: in its own table
    put("11a", "p11", summary("02-20", days("02-10", 2), mode="protocole", claimed="protocole", protocol="LOMB-1"))
    # 12. a PDF handed over as it is: no motive, no sessions; another one that does not say how the patient came
    put("12a", "p12", CareFacts("treatment_summary", day("11-02"), structured=False, mode="direct_cpts"), episode=None)
    put("13a", "p13", CareFacts("assessment", day("11-03"), structured=False), episode=None)
