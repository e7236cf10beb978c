"""ITI-57: status and visibility of documents change by the rights of who asks, and every version stays readable."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from . import builders as b
from .conftest import Dmp, outcome, reasons
from .operations import STATUS, fed, leaf_of, send, status_change, strange, visibility_change
from .queries import APPROVED, build, find, get, objects
from .test_stored_query import masked

POLICY = ("LocalPolicyRestrictionError",)


def entry_uuid(dmp: Dmp, unique_id: str) -> str:
    return dmp.store.by_unique_id(unique_id)[0].entry_uuid


def change(dmp: Dmp, unique_id: str, old: str, new: str, mode: str = "DIRECTE") -> tuple[str, ...]:
    built = status_change(dmp.draft(mode=mode), entry_uuid(dmp, unique_id), old=old, new=new)
    return outcome(send(dmp, built, mode))


def show(dmp: Dmp, unique_id: str, *masks: str, version: int = 1) -> tuple[str, ...]:
    built = visibility_change(dmp.draft(mode="DIRECTE"), leaf_of(dmp, unique_id), masks, version)
    return outcome(send(dmp, built))


# --------------------------------------------------------------------------------------------------- status


def test_archive_restore_delete(dmp: Dmp) -> None:
    draft, _ = fed(dmp, mode="DIRECTE")
    first = entry_uuid(dmp, draft.document_id)
    for old, new in (("Approved", "Archived"), ("Archived", "Approved"), ("Approved", "Deleted")):
        assert change(dmp, draft.document_id, old, new) == ("Success",)
        [stored] = dmp.store.by_unique_id(draft.document_id)
        assert (stored.status, stored.entry_uuid, stored.version) == (new, first, 1)
    answer = send(dmp, build(dmp.draft(mode="DIRECTE"), get(draft.document_id, kind="LeafClass")))
    assert objects(answer)[0].get("status") == STATUS["Deleted"]


@pytest.mark.parametrize("status", ["Archived", "Deprecated", "Deleted"])
def test_find_documents_follows_the_status(dmp: Dmp, status: str) -> None:
    draft, _ = fed(dmp, mode="DIRECTE")
    assert change(dmp, draft.document_id, "Approved", status) == ("Success",)
    stored = entry_uuid(dmp, draft.document_id)
    for asked, there in ((APPROVED, False), (STATUS[status], True)):
        found = objects(send(dmp, build(dmp.draft(mode="DIRECTE"), find(dmp.draft(), status=asked))))
        assert (stored in {one.get("id") for one in found}) is there


@pytest.mark.parametrize(("old", "new"), [("Deleted", "Approved"), ("Deleted", "Archived"), ("Archived", "Deprecated")])
def test_a_status_that_cannot_follow(dmp: Dmp, old: str, new: str) -> None:
    draft, _ = fed(dmp, mode="DIRECTE")
    assert change(dmp, draft.document_id, "Approved", old) == ("Success",)
    assert change(dmp, draft.document_id, old, new) == ("XDSMetadataUpdateError",)


def test_a_replaced_document_is_deleted_but_never_approved_again(dmp: Dmp) -> None:
    draft, _ = fed(dmp, mode="DIRECTE")
    replaces = (entry_uuid(dmp, draft.document_id), draft.document_id)
    fed(dmp, mode="DIRECTE", replaces=replaces, version=2, cda_set_id=draft.cda_set_id)
    assert change(dmp, draft.document_id, "Deprecated", "Approved") == ("XDSMetadataUpdateError",)
    assert change(dmp, draft.document_id, "Deprecated", "Deleted") == ("Success",)


def test_several_documents_in_one_request_all_or_none(dmp: Dmp) -> None:
    drafts = [fed(dmp, mode="DIRECTE")[0] for _ in range(2)]
    targets = [entry_uuid(dmp, draft.document_id) for draft in drafts]
    unknown = f"urn:uuid:{uuid4()}"
    built = status_change(dmp.draft(mode="DIRECTE"), *targets, unknown)
    assert outcome(send(dmp, built)) == ("UnresolvedReferenceException",)
    assert {one.status for one in dmp.store.documents()} == {"Approved"}
    assert outcome(send(dmp, status_change(dmp.draft(mode="DIRECTE"), *targets))) == ("Success",)
    assert {one.status for one in dmp.store.documents()} == {"Archived"}


def test_an_archived_document_is_not_replaced(dmp: Dmp) -> None:
    draft, _ = fed(dmp, mode="DIRECTE")
    change(dmp, draft.document_id, "Approved", "Archived")
    new = dmp.draft(
        mode="DIRECTE",
        replaces=(entry_uuid(dmp, draft.document_id), draft.document_id),
        version=2,
        cda_set_id=draft.cda_set_id,
    )
    assert outcome(send(dmp, b.feed(new))) == ("XDSRegistryDeprecatedDocumentError",)


# --------------------------------------------------------------------------------------------------- visibility


def test_a_new_visibility_is_a_new_version(dmp: Dmp) -> None:
    draft, built = fed(dmp, mode="DIRECTE")
    [first] = dmp.store.by_unique_id(draft.document_id)
    assert show(dmp, draft.document_id, "MASQUE_PS") == ("Success",)
    [second] = dmp.store.by_unique_id(draft.document_id)
    assert (second.version, second.logical_id, second.status) == (2, first.logical_id, "Approved")
    assert second.entry_uuid != first.entry_uuid
    assert second.confidentiality == ("N", "MASQUE_PS")
    assert second.content == built.document
    assert [(one.version, one.status, one.latest) for one in dmp.view.versions(draft.document_id)] == [
        (1, "Deprecated", False),
        (2, "Approved", True),
    ]
    leaf = leaf_of(dmp, draft.document_id)
    assert (leaf.get("id"), leaf.get("lid")) == (second.entry_uuid, first.logical_id)
    assert leaf.find(f"{{{b.RIM}}}VersionInfo").get("versionName") == "2"  # type: ignore[union-attr]
    assert show(dmp, draft.document_id, version=2) == ("Success",)
    assert dmp.store.by_unique_id(draft.document_id)[0].confidentiality == ("N",)


def test_only_the_last_version_is_found_and_replaced(dmp: Dmp) -> None:
    draft, _ = fed(dmp, mode="DIRECTE")
    old = entry_uuid(dmp, draft.document_id)
    assert show(dmp, draft.document_id, "INVISIBLE_PATIENT") == ("Success",)
    [found] = objects(send(dmp, build(dmp.draft(mode="DIRECTE"), get(draft.document_id))))
    assert found.get("id") == entry_uuid(dmp, draft.document_id) != old
    more: dict[str, Any] = {"mode": "DIRECTE", "version": 2, "cda_set_id": draft.cda_set_id}
    late = dmp.draft(replaces=(old, draft.document_id), **more)
    assert outcome(send(dmp, b.feed(late))) == ("XDSRegistryDeprecatedDocumentError",)
    fed(dmp, replaces=(str(found.get("id")), draft.document_id), **more)
    assert change(dmp, draft.document_id, "Deprecated", "Approved") == ("XDSMetadataUpdateError",)


def test_an_archived_document_stays_so_when_its_visibility_changes(dmp: Dmp) -> None:
    draft, _ = fed(dmp, mode="DIRECTE")
    change(dmp, draft.document_id, "Approved", "Archived")
    assert show(dmp, draft.document_id, "MASQUE_PS") == ("Success",)
    [stored] = dmp.store.by_unique_id(draft.document_id)
    assert (stored.status, stored.version) == ("Archived", 2)


def test_both_masks_do_not_add_up(dmp: Dmp) -> None:
    draft, _ = fed(dmp, mode="DIRECTE")
    assert show(dmp, draft.document_id, "MASQUE_PS", "INVISIBLE_PATIENT") == POLICY


# --------------------------------------------------------------------------------------------------- rights


def given_away(dmp: Dmp) -> None:
    """From now on everything was fed by somebody else of another structure."""
    dmp.store._database.rows("UPDATE submission SET author_id = '899700002019', structure = ?", b.OTHER_STRUCTURE)


@pytest.mark.parametrize("status", ["Archived", "Deleted", "Deprecated"])
def test_somebody_elses_document_keeps_its_status(dmp: Dmp, status: str) -> None:
    draft, _ = fed(dmp, mode="DIRECTE")
    given_away(dmp)
    assert change(dmp, draft.document_id, "Approved", status) == POLICY


@pytest.mark.parametrize(
    ("masks", "expected"), [(("MASQUE_PS",), ("Success",)), (("INVISIBLE_PATIENT",), POLICY), ((), ("Success",))]
)
def test_somebody_elses_document_may_be_masked_and_no_more(
    dmp: Dmp, masks: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    draft, _ = fed(dmp, mode="DIRECTE")
    given_away(dmp)
    assert show(dmp, draft.document_id, *masks) == expected


def test_somebody_elses_masked_document_is_not_unmasked(dmp: Dmp) -> None:
    draft, _ = fed(dmp, mode="DIRECTE", edits={"metadata": masked})
    leaf = leaf_of(dmp, draft.document_id)
    given_away(dmp)
    assert outcome(send(dmp, visibility_change(dmp.draft(mode="DIRECTE"), leaf, []))) == POLICY


@pytest.mark.parametrize(("status", "expected"), [("Deleted", ("Success",)), ("Archived", POLICY)])
def test_a_structure_deletes_its_own_documents_and_no_more(dmp: Dmp, status: str, expected: tuple[str, ...]) -> None:
    draft, _ = fed(dmp)
    assert change(dmp, draft.document_id, "Approved", status, "INDIRECTE") == expected


def test_a_structure_does_not_delete_anothers(dmp: Dmp) -> None:
    draft, _ = fed(dmp)
    given_away(dmp)
    assert change(dmp, draft.document_id, "Approved", "Deleted", "INDIRECTE") == POLICY


def test_a_structure_changes_no_visibility(dmp: Dmp) -> None:
    draft, _ = fed(dmp)
    built = visibility_change(dmp.draft(), leaf_of(dmp, draft.document_id), ["MASQUE_PS"])
    assert outcome(send(dmp, built, "INDIRECTE")) == POLICY


def test_the_author_of_the_set_is_the_one_who_asks(dmp: Dmp) -> None:
    draft, _ = fed(dmp)
    foreign = dmp.draft(sign=dmp.pki.other_sign, edits={"vihf": strange})
    built = status_change(foreign, entry_uuid(dmp, draft.document_id), new="Deleted")
    assert outcome(dmp.send(built, dmp.pki.other_auth))[-1] == "wsse:FailedCheck"


# --------------------------------------------------------------------------------------------------- memory


def test_an_update_is_a_set_of_its_own_and_is_counted(dmp: Dmp) -> None:
    draft, _ = fed(dmp, mode="DIRECTE")
    asking = dmp.draft(mode="DIRECTE")
    target = entry_uuid(dmp, draft.document_id)
    built = status_change(asking, target)
    assert outcome(send(dmp, built)) == ("Success",)
    assert [(one.kind, one.documents) for one in dmp.view.submissions()] == [("feed", 1), ("update", 0)]
    assert [one.outcome for one in dmp.view.receptions(asking.set_id)] == ["accepted"]
    assert dmp.view.count("TD3.3", about=draft.document_id, outcome="accepted") == 1
    assert [link.type.rpartition(":")[2] for link in dmp.view.associations(target)] == [
        "HasMember",
        "UpdateAvailabilityStatus",
    ]
    again = status_change(dmp.draft(mode="DIRECTE", set_id=asking.set_id), target, old="Archived", new="Approved")
    assert outcome(send(dmp, again)) == ("XDSDuplicateUniqueIdInRegistry",)


@pytest.mark.parametrize(("kind", "code"), [("refuse", "XDSRegistryBusy"), ("reject", "XDSRegistryError")])
def test_an_injected_refusal_changes_nothing(dmp: Dmp, kind: str, code: str) -> None:
    draft, _ = fed(dmp, mode="DIRECTE")
    dmp.faults.set("dmp", kind)
    assert change(dmp, draft.document_id, "Approved", "Deleted") == (code,)
    assert dmp.store.documents()[0].status == "Approved"
    assert change(dmp, draft.document_id, "Approved", "Deleted") == ("Success",)


def test_it_all_survives_a_restart(make_dmp: Callable[..., Dmp]) -> None:
    first = make_dmp()
    draft, built = fed(first, mode="DIRECTE")
    assert show(first, draft.document_id, "MASQUE_PS") == ("Success",)
    first.store.close()
    second = make_dmp()
    [stored] = second.store.by_unique_id(draft.document_id)
    assert (stored.version, stored.confidentiality, stored.content) == (2, ("N", "MASQUE_PS"), built.document)
    answer = send(second, visibility_change(second.draft(mode="DIRECTE"), leaf_of(second, draft.document_id), [], 1))
    assert outcome(answer) == ("XDSMetadataVersionError",), reasons(answer)
