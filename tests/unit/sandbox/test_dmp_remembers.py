"""What the DMP answers because of what it already holds: duplicates, replacements, patients, replays, faults."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from gateway.sandbox.dmp.service import HttpRequest
from gateway.sandbox.dmp.store import DmpStore
from gateway.sandbox.faults import DropConnectionError

from . import builders as b
from .builders import INS, INS_OID, Draft, existence, feed
from .conftest import Dmp, outcome, reasons
from .defects import attribute, find

OTHER_INS = "277076322082910"


def accepted(dmp: Dmp, draft: Draft) -> Draft:
    answer = dmp.send(feed(draft))
    assert outcome(answer) == ("Success",), reasons(answer)
    return draft


def test_the_same_set_again_is_a_duplicate_and_is_counted(dmp: Dmp) -> None:
    draft = accepted(dmp, dmp.draft())
    assert outcome(dmp.send(feed(draft))) == ("XDSDuplicateUniqueIdInRegistry",)
    assert [item.outcome for item in dmp.store.receptions(draft.set_id)] == ["accepted", "refused"]
    assert dmp.store.receptions(draft.set_id)[1].codes == ("XDSDuplicateUniqueIdInRegistry",)
    assert len(dmp.store.documents()) == 1


def test_the_same_document_in_another_set_is_a_duplicate(dmp: Dmp) -> None:
    first = accepted(dmp, dmp.draft())
    again = dmp.draft(document_id=first.document_id, cda_set_id=first.cda_set_id)
    assert outcome(dmp.send(feed(again))) == ("XDSDuplicateUniqueIdInRegistry",)


def test_the_same_document_id_with_other_bytes(dmp: Dmp) -> None:
    first = accepted(dmp, dmp.draft())
    again = dmp.draft(document_id=first.document_id)
    assert outcome(dmp.send(feed(again))) == ("XDSNonIdenticalHash",)


def test_an_entry_uuid_serves_once(dmp: Dmp) -> None:
    accepted(dmp, dmp.draft())
    used = dmp.store.documents()[0].entry_uuid

    def reuse(root: b.E) -> None:
        old = find(root, "//rim:ExtrinsicObject[1]").get("id", "")
        for item in root.iter():
            for name, text in item.attrib.items():
                if text == old:
                    item.set(name, used)

    answer = dmp.send(feed(dmp.draft(symbolic=False, edits={"metadata": reuse})))
    assert outcome(answer) == ("XDSRegistryMetadataError",)


def _replacing(dmp: Dmp, **changes: Any) -> Draft:
    old = dmp.store.documents()[-1]
    wanted = {"replaces": (old.entry_uuid, old.unique_id), "cda_set_id": old.cda_set_id, "version": 2}
    return dmp.draft(**{**wanted, **changes})


def test_a_replacement_deprecates_what_it_replaces(dmp: Dmp) -> None:
    accepted(dmp, dmp.draft())
    accepted(dmp, _replacing(dmp))
    assert [(item.cda_version, item.status) for item in dmp.store.documents()] == [(1, "Deprecated"), (2, "Approved")]


def test_what_was_replaced_cannot_be_replaced_again(dmp: Dmp) -> None:
    accepted(dmp, dmp.draft())
    old = dmp.store.documents()[0]
    accepted(dmp, _replacing(dmp))
    late = _replacing(dmp, replaces=(old.entry_uuid, old.unique_id), version=3)
    assert outcome(dmp.send(feed(late))) == ("XDSRegistryDeprecatedDocumentError",)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"ins": OTHER_INS}, "XDSPatientIdDoesNotMatch"),
        ({"cda_set_id": "2.25.9"}, "XDSRepositoryMetadataError"),
        ({"version": 1}, "XDSRepositoryMetadataError"),
    ],
)
def test_a_replacement_that_does_not_fit(dmp: Dmp, changes: dict[str, Any], expected: str) -> None:
    accepted(dmp, dmp.draft())
    assert outcome(dmp.send(feed(_replacing(dmp, **changes)))) == (expected,)
    assert dmp.store.documents()[0].status == "Approved"


def test_a_replacement_whose_cda_names_another_document(dmp: Dmp) -> None:
    accepted(dmp, dmp.draft())
    edits = {"cda": attribute("//h:relatedDocument/h:parentDocument/h:id", "root", "2.25.9")}
    assert outcome(dmp.send(feed(_replacing(dmp, edits=edits)))) == ("XDSRepositoryMetadataError",)


def test_a_signature_is_not_replaced(dmp: Dmp) -> None:
    accepted(dmp, dmp.draft())
    signature = dmp.store.documents(signatures=True)[1]
    draft = _replacing(dmp, replaces=(signature.entry_uuid, signature.unique_id))
    assert outcome(dmp.send(feed(draft))) == ("XDSRegistryMetadataError",)


@pytest.mark.parametrize(
    ("configured", "expected"),
    [
        ({"status": "closed"}, "XDSUnknownPatientId"),
        ({"status": "absent"}, "XDSUnknownPatientId"),
        ({"authorisation": "NON_VALIDE"}, "LocalPolicyRestrictionError"),
    ],
)
def test_a_patient_who_has_no_dmp_or_refuses(dmp: Dmp, configured: dict[str, str], expected: str) -> None:
    dmp.view.set_patient(INS, INS_OID, **configured)
    assert outcome(dmp.send(feed(dmp.draft()))) == (expected,)
    dmp.view.set_patient(INS, INS_OID)
    accepted(dmp, dmp.draft())


def test_a_production_matricule_with_a_wrong_key(dmp: Dmp) -> None:
    answer = dmp.send(feed(dmp.draft(oid="1.2.250.1.213.1.4.8", ins="279035121518988")))
    assert outcome(answer) == ("XDSRegistryMetadataError",)
    accepted(dmp, dmp.draft(oid="1.2.250.1.213.1.4.8"))


def test_a_request_replayed_byte_for_byte_is_a_fault(dmp: Dmp) -> None:
    built = feed(dmp.draft())
    dmp.send(built)
    answer = dmp.send(built)
    assert outcome(answer) == ("Fault", "env:Sender", "wsse:FailedCheck")
    assert "rejeu" in reasons(answer)


def test_a_message_id_serves_once(dmp: Dmp) -> None:
    fixed = "urn:uuid:00000000-0000-4000-8000-000000000001"
    edits = {"envelope": lambda root: setattr(find(root, "//wsa:MessageID"), "text", fixed)}
    dmp.send(feed(dmp.draft(edits=edits)))
    assert outcome(dmp.send(feed(dmp.draft(edits=edits))))[-1] == "wsa:DuplicateMessageID"


def test_an_unverified_assertion_does_not_burn_its_id(dmp: Dmp) -> None:
    """Else anybody who sees an ID could have the true message refused."""
    built = feed(dmp.draft())
    assert outcome(dmp.send(built, dmp.pki.other_auth))[0] == "Fault"
    assert outcome(dmp.send(built)) == ("Success",)


def test_a_signature_may_wait_for_days_but_its_vihf_may_not(dmp: Dmp) -> None:
    draft = dmp.draft()
    dmp.clock.advance(5 * 86400)
    assert outcome(dmp.send(feed(draft)))[0] == "Fault"

    def fresh(root: b.E) -> None:
        now = dmp.clock.now()
        root.set("IssueInstant", b.iso(now))
        conditions = find(root, "./saml:Conditions")
        conditions.set("NotBefore", b.iso(now))
        conditions.set("NotOnOrAfter", b.iso(now + timedelta(minutes=5)))

    draft.edits["vihf"] = fresh
    accepted(dmp, draft)


def test_it_all_survives_a_restart(make_dmp: Callable[..., Dmp]) -> None:
    first = make_dmp()
    draft = accepted(first, first.draft())
    built = feed(first.draft())
    first.send(built)
    first.store.close()
    second = make_dmp()
    assert second.store.submissions()[0].unique_id == draft.set_id
    assert outcome(second.send(feed(draft))) == ("XDSDuplicateUniqueIdInRegistry",)
    assert "rejeu" in reasons(second.send(built))


def test_two_submissions_of_the_same_set_at_once_are_stored_once(dmp: Dmp) -> None:
    draft = dmp.draft()
    requests = [feed(draft) for _ in range(8)]
    answers: list[tuple[str, ...]] = []

    def send(index: int) -> None:
        answers.append(outcome(dmp.send(requests[index])))

    threads = [threading.Thread(target=send, args=(index,)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [("Success",)] + [("XDSDuplicateUniqueIdInRegistry",)] * 7
    assert len(dmp.store.receptions(draft.set_id)) == 8


@pytest.mark.parametrize(("kind", "code"), [("refuse", "XDSRepositoryBusy"), ("reject", "XDSRepositoryError")])
def test_an_injected_refusal_stores_nothing_and_passes(dmp: Dmp, kind: str, code: str) -> None:
    dmp.faults.set("dmp", kind, count=2)
    draft = dmp.draft()
    assert [outcome(dmp.send(feed(draft))) for _ in range(3)] == [(code,), (code,), ("Success",)]
    assert [item.outcome for item in dmp.store.receptions(draft.set_id)] == ["fault", "fault", "accepted"]
    assert dmp.faults.struck("dmp", kind) == 2


def test_an_answer_lost_after_the_data_leaves_it_stored(dmp: Dmp) -> None:
    dmp.faults.set("dmp", "drop_after_data")
    draft = dmp.draft()
    with pytest.raises(DropConnectionError):
        dmp.send(feed(draft))
    assert len(dmp.store.documents()) == 1
    assert outcome(dmp.send(feed(draft))) == ("XDSDuplicateUniqueIdInRegistry",)


def test_a_connection_lost_before_storing_leaves_nothing(dmp: Dmp) -> None:
    dmp.faults.set("dmp", "drop_before_store")
    draft = dmp.draft()
    with pytest.raises(DropConnectionError):
        dmp.send(feed(draft))
    assert dmp.store.documents() == []
    assert len(dmp.store.receptions(draft.set_id)) == 1
    accepted(dmp, draft)


def test_faults_on_data_spare_the_existence_test(dmp: Dmp) -> None:
    dmp.faults.set("dmp", "refuse")
    assert dmp.send(existence(dmp.draft())).status == 200
    assert dmp.faults.struck("dmp", "refuse") == 0


def test_a_control_character_can_be_quoted_in_a_refusal(dmp: Dmp) -> None:
    """XML has no way to carry NUL: the answer says it otherwise instead of failing."""
    edits = {"parts": lambda parts: parts[1][0].__setitem__("Content-Transfer-Encoding", "\x00\x08binary")}
    answer = dmp.send(feed(dmp.draft(edits=edits)))
    assert answer.status == 400
    assert "Content-Transfer-Encoding" in reasons(answer)


def test_unknown_paths_are_404(dmp: Dmp) -> None:
    built = feed(dmp.draft())
    for path in ("/", "/si-dmp-server/v2/services/other", "/si-dmp-server/v2/services/repository/x"):
        request = HttpRequest(path, built.content_type, built.body, dmp.pki.auth.certificate)
        assert dmp.service.answer(request).status == 404


def test_the_store_is_created_where_it_is_told(dmp: Dmp, tmp_path: Any) -> None:
    store = DmpStore(tmp_path / "deeper" / "dmp.sqlite", dmp.clock)
    store.close()
    assert (tmp_path / "deeper" / "dmp.sqlite").is_file()
