"""The pure side of a correction: who gets it besides, which edition, what is said."""

from __future__ import annotations

from gateway import succession
from gateway.clock import SeededRandomness
from gateway.document.lineage import DocumentRef, Lineage, Received
from gateway.records.people import RecipientRole
from gateway.rules.routes import Route
from tests.unit.submission_samples import assessment, put, sound

BOX = "helene.modele@medecin.mssante.example"
NEWER, OLDER = DocumentRef("2.25.2", 2), DocumentRef("2.25.1", 1)
MT = Route("medecin_traitant", "medecin_traitant", "mssante", 0)
PATIENT = Route("patient", "patient", "mssante")
DMP = Route("dmp", "dmp", "dmp")


def lineage(**received: Received) -> Lineage:
    places = {name.replace("box", BOX): one for name, one in received.items()}
    return Lineage("id", "2.25.9", 3, places, {NEWER.id: NEWER, OLDER.id: OLDER})


def test_places_are_mailboxes_and_the_dmp() -> None:
    submission = sound(assessment())
    assert succession.place(submission, MT) == BOX
    assert succession.place(submission, PATIENT) == "201032227890155@patient.mssante.fr"
    assert succession.place(submission, DMP) == "dmp"
    assert succession.place(submission, Route("post", "patient", "manual")) is None
    capitals = sound(put(assessment(), "/recipients/0/mssante", BOX.upper()))
    assert succession.place(capitals, MT) == BOX


def test_without_lineage_nothing_changes() -> None:
    submission = sound(assessment())
    assert succession.widened(submission, None) is submission
    assert succession.check(submission, [MT], None) == []
    assert succession.had(submission, MT, None) is None
    assert succession.main_edition(submission, [MT], None) is None
    drawn = succession.identifiers(None, None, SeededRandomness("a"))
    assert (drawn.version, drawn.replaces) == (1, None)


def test_the_main_edition_replaces_the_newest_version_that_somebody_has() -> None:
    submission = sound(assessment())
    both = lineage(box=Received(OLDER.id, "d1", True), dmp=Received(NEWER.id, "d2", True))
    assert succession.main_edition(submission, [MT, DMP], both) == NEWER.id
    assert succession.main_edition(submission, [MT, PATIENT], both) == OLDER.id
    closed = Route("dmp", "dmp", "dmp", None, "DST-NO-DMP")
    assert succession.main_edition(submission, [PATIENT, closed], both) is None
    drawn = succession.identifiers(both, OLDER.id, SeededRandomness("a"))
    assert (drawn.set_id, drawn.version, drawn.replaces) == ("2.25.9", 3, OLDER)
    assert succession.identifiers(both, None, SeededRandomness("a")).replaces is None


def test_what_is_said_of_each_place() -> None:
    submission = sound(assessment())
    former = submission.recipients[0].model_copy(update={"role": RecipientRole.AUTRE, "mssante": "b@medecin.x"})
    known = Lineage(
        "id",
        "2.25.9",
        2,
        {
            BOX: Received(OLDER.id, "d1", True),
            "b@medecin.x": Received(OLDER.id, "d2", False),
            "gone@x": Received(OLDER.id, "d3", True),
        },
        {OLDER.id: OLDER},
        (former,),
        ("d4", "d5"),
    )
    whole = succession.widened(submission, known)
    assert len(whole.recipients) == len(submission.recipients) + 1
    extra = Route("professional", "autre_professionnel", "mssante", len(submission.recipients))
    found = succession.check(whole, [MT, extra], known)
    assert [(one.code, one.severity.value) for one in found] == [
        ("DOC-RPL-SUPERSEDED", "info"),
        ("DOC-RPL-SENT", "info"),
        ("DOC-RPL-FORMER", "warning"),
        ("DOC-RPL-AFTER", "info"),
        ("DOC-RPL-UNREACHED", "warning"),
    ]
    assert all(one.advice and one.path == "/replaces" for one in found)
