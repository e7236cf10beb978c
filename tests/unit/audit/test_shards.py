"""A journal of several shards: exported, verified, proven and anchored like one, and altered in each of the ways."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.audit import lookup
from gateway.audit.export import SHARDED, export
from gateway.audit.prove import disclose, prove_delivery, verify_proof
from gateway.audit.report import Report
from gateway.audit.verify import read_key, verify_export, verify_store
from gateway.errors import InputError
from gateway.store import journal
from gateway.store.base import Result
from gateway.store.outbox import Outbox
from gateway.store.states import Event, Transport
from tests.unit.store import kit
from tests.unit.store.engines import engine, postgres, pytest_generate_tests, schemas

__all__ = ["engine", "postgres", "pytest_generate_tests", "schemas"]
pytestmark = [pytest.mark.engine("postgres"), pytest.mark.needs("postgres")]
Lines = list[str]
SENT = Result(Event.TAKEN, Transport.SENT, "accepted", "MSS-250", text="250 reçu")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Outbox]:
    opened = kit.open_store(tmp_path)
    for number, name in enumerate("abcdef"):
        opened.accept(kit.request(name, account=("cabinet", "autre")[number % 2]))
    for account in ("cabinet", "autre"):
        opened.record_many([(claim, SENT) for claim in opened.claim(kit.wanted(account=account))])
    opened.checkpoint()
    yield opened
    opened.close()


@pytest.fixture
def kept(store: Outbox, tmp_path: Path) -> Path:
    """The checkpoints that an auditor took away, with the journal that grew since."""
    folder = tmp_path / "auditor"
    folder.mkdir()
    for path in (tmp_path / "checkpoints").glob("checkpoint-*"):
        (folder / path.name).write_bytes(path.read_bytes())
    store.accept(kit.request("later"))
    store.accept(kit.request("later", account="autre"))
    store.checkpoint()
    return folder


def key_of(tmp_path: Path) -> Path:
    return tmp_path / "checkpoints" / "journal.pub"


def codes(report: Report) -> set[str]:
    return {finding.code for finding in report.findings}


def busy(store: Outbox) -> list[int]:
    """The shards of the two accounts; the founding record stands in the first shard."""
    return sorted({journal.shard_of(account, store.shards) for account in ("cabinet", "autre")})


def test_the_accounts_of_this_test_use_two_shards(store: Outbox) -> None:
    assert store.shards == 4
    assert len(busy(store)) == 2
    heads = store.snapshot().heads
    assert all(heads[shard].size > 10 for shard in busy(store))


def test_an_export_verifies_with_the_key_alone(store: Outbox, tmp_path: Path, kept: Path) -> None:
    lines = list(export(store))
    header = json.loads(lines[0])
    assert (header["format"], len(header["shards"])) == (SHARDED, 4)
    assert header["size"] == sum(one["size"] for one in header["shards"]) == store.snapshot().size
    path = tmp_path / "export.jsonl"
    path.write_text("".join(lines))
    report = verify_export(path, public_key=key_of(tmp_path), checkpoint=kept)
    assert report.ok, report.summary
    assert report.size == header["size"] > report.held > 0
    assert [shard.size for shard in report.shards] == [one["size"] for one in header["shards"]]
    assert [shard["root"] for shard in report.as_dict()["shards"]] == [one["root"] for one in header["shards"]]
    for shard in busy(store):
        assert f"de la chaîne {shard}" in report.summary
    assert verify_store(store, public_key=key_of(tmp_path), checkpoint=kept).ok


def test_one_kept_checkpoint_speaks_of_its_shard_alone(store: Outbox, tmp_path: Path, kept: Path) -> None:
    number = busy(store)[-1]
    one = max(kept.glob(f"checkpoint-shard{number:02d}-*" if number else "checkpoint-0*"))
    report = verify_store(store, checkpoint=one)
    assert report.ok
    assert {shard.number for shard in report.shards if shard.held} == {number}
    others = [text for text in report.not_excluded if "donner un point de contrôle antérieur" in text]
    assert len(others) == sum(1 for shard in report.shards if shard.size and shard.number != number)


def test_a_folder_without_checkpoints_is_refused(store: Outbox, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="JRN-107"):
        verify_store(store, checkpoint=tmp_path / "keys")


def records(lines: Lines, shard: int) -> list[int]:
    return [place for place, line in enumerate(lines) if line.startswith('{"hash"') and f'"shard":{shard},' in line]


def changed(lines: Lines, shard: int) -> Lines:
    place = records(lines, shard)[3]
    return [*lines[:place], lines[place].replace('"v":1', '"v":2'), *lines[place + 1 :]]


def removed(lines: Lines, shard: int) -> Lines:
    place = records(lines, shard)[3]
    return [*lines[:place], *lines[place + 1 :]]


def cut(lines: Lines, shard: int) -> Lines:
    last = records(lines, shard)[-1]
    return [*lines[:last], *lines[last + 1 :]]


def moved(lines: Lines, shard: int) -> Lines:
    """A record passed off as another shard's."""
    place, other = records(lines, shard)[3], (shard + 1) % 4
    return [*lines[:place], lines[place].replace(f'"shard":{shard},', f'"shard":{other},'), *lines[place + 1 :]]


def without_shard(lines: Lines, shard: int) -> Lines:
    """A whole shard left out, and the header made to fit."""
    header = json.loads(lines[0])
    header["shards"][shard] = {"root": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "size": 0}
    gone = set(records(lines, shard))
    return [json.dumps(header) + "\n", *(line for place, line in enumerate(lines) if place and place not in gone)]


@pytest.mark.parametrize(
    ("alter", "expected"),
    [
        (changed, {"JRN-101"}),
        (removed, {"JRN-101", "JRN-102", "JRN-108"}),
        (cut, {"JRN-105", "JRN-108"}),
        (moved, {"JRN-101", "JRN-102", "JRN-108"}),
        (without_shard, {"JRN-105", "JRN-106"}),
    ],
)
def test_an_altered_export_is_found_out(
    store: Outbox, tmp_path: Path, alter: Callable[[Lines, int], Lines], expected: set[str]
) -> None:
    lines, path = list(export(store)), tmp_path / "export.jsonl"
    for shard in busy(store):
        path.write_text("".join(alter(lines, shard)))
        report = verify_export(path, public_key=key_of(tmp_path))
        assert expected <= codes(report), report.summary


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("UPDATE delivery SET state = 'dead' WHERE place = (SELECT min(place) FROM delivery)", {"JRN-106"}),
        ("UPDATE journal SET record = replace(record, 'MSS-250', 'MSS-251') WHERE shard = ?", {"JRN-101", "JRN-108"}),
        ("UPDATE journal SET delivery = NULL WHERE seq = 2 AND shard = ?", {"JRN-108"}),
        ("DELETE FROM journal WHERE seq > 12 AND shard = ?", {"JRN-105", "JRN-108"}),
        ("UPDATE journal_head SET hash = decode(repeat('00', 32), 'hex') WHERE shard = ?", {"JRN-108"}),
    ],
)
def test_an_altered_store_is_found_out(store: Outbox, statement: str, expected: set[str]) -> None:
    """By who owns the server and can switch the triggers off."""
    shard = busy(store)[-1]
    kit.sql(store, statement, (shard,) if "?" in statement else (), triggers=False)
    report = verify_store(store)
    assert not report.ok
    assert expected <= codes(report), report.summary


def test_proofs_hold_for_a_delivery_of_each_shard(store: Outbox, tmp_path: Path) -> None:
    for row in store.deliveries():
        proof = prove_delivery(store, row.id)
        assert verify_proof(proof, read_key(key_of(tmp_path))) == []
        origin = proof["checkpoint"].split("\n")[0]
        shard = journal.shard_of(row.account, store.shards)
        assert origin == "kine-gateway.local/journal" + (f"/{shard}" if shard else "")
        # The same records under the checkpoint of another shard prove nothing.
        other = next(one for one in store.deliveries() if journal.shard_of(one.account, store.shards) != shard)
        swapped = {**proof, "checkpoint": prove_delivery(store, other.id)["checkpoint"]}
        assert {finding.code for finding in verify_proof(swapped, read_key(key_of(tmp_path)))} == {"JRN-104"}


def test_a_patient_is_disclosed_within_his_shard(store: Outbox, tmp_path: Path) -> None:
    documents = store.documents("autre", kit.request("b").patient)
    proof = disclose(store, documents, "person", "00" * 16)
    assert verify_proof(proof, read_key(key_of(tmp_path))) == []
    assert {json.loads(item["record"])["shard"] for item in proof["records"]} == {journal.shard_of("autre", 4)}


def test_what_was_sent_is_found_in_every_shard(store: Outbox, tmp_path: Path) -> None:
    path = tmp_path / "export.jsonl"
    path.write_text("".join(export(store)))
    for name in "ab":
        pieces = lookup.pieces(kit.request(name).renderings[0].data)
        [found] = lookup.in_store(store, pieces)
        assert found.as_dict() == lookup.in_export(path, pieces)[0].as_dict()
        assert {trace.state for trace in found.deliveries} == {"sent"}


def test_each_shard_is_stamped(store: Outbox) -> None:
    notes = store.unanchored()
    assert len(notes) == 4
    for note in notes:
        store.anchor(note.name, b"token")
    assert store.unanchored() == ()
    store.accept(kit.request("more", account="autre"))
    store.checkpoint()
    assert len(store.unanchored()) == 1


def test_what_moved_is_told_by_shard(store: Outbox) -> None:
    sizes, documents = store.touched(())
    assert len(documents) == 6
    assert store.touched(sizes) == (sizes, ())
    new = store.accept(kit.request("more", account="autre"))
    later, documents = store.touched(sizes)
    assert documents == (new.document_id,)
    assert sum(later) == sum(sizes) + 3


def test_a_restored_shard_alone_is_noticed(store: Outbox, tmp_path: Path) -> None:
    """One shard put back to an earlier state than its checkpoint says."""
    shard, waiting = busy(store)[-1], store.accept(kit.request("unsent")).delivery_ids
    kit.sql(store, "DELETE FROM journal WHERE shard = ?", (shard,), triggers=False)
    empty = "UPDATE journal_head SET size = 0, frontier = '', hash = decode(repeat('00', 32), 'hex') WHERE shard = ?"
    kit.sql(store, empty, (shard,), triggers=False)
    again = kit.open_store(tmp_path, seed="again")
    assert [pause.reason for pause in again.pauses()] == ["ENG-RESTORED"]
    record = json.loads(next(again.snapshot().records_of(shard)).record)
    assert record["event"] == "store_restored"
    assert {again.delivery(one).row.state for one in waiting} == {Transport.IN_DOUBT}
    again.close()
