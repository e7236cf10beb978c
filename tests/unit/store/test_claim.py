from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.clock import FrozenClock
from gateway.errors import LeaseLostError
from gateway.package.types import MailContext, context_from_json
from gateway.store.base import URGENT, Claim, Progress, Result
from gateway.store.outbox import Outbox
from gateway.store.states import Event, Receipt, Transport
from tests.unit.store import kit

SENT = Result(
    Event.TAKEN, Transport.SENT, "accepted", "MSS-250", text="250 ok", reference="Q1", receipt=Receipt.AWAITED
)


def failed(seconds: float = 30.0) -> Result:
    return Result(Event.FAILED, Transport.RETRY, "transient", "MSS-451", due_in=seconds, progress=Progress(1, seconds))


def one(store: Outbox, name: str = "a") -> Claim:
    store.accept(kit.request(name, kit.mail()))
    [claim] = store.claim(kit.wanted())
    return claim


def state(store: Outbox, claim: Claim) -> Transport:
    return store.delivery(claim.delivery_id).row.state


def test_a_claim_carries_the_frozen_package(store: Outbox) -> None:
    claim = one(store)
    assert [(part.name, part.data) for part in claim.parts] == [("message", kit.mail().parts[0].data)]
    assert isinstance(context_from_json(claim.context), MailContext)
    assert state(store, claim) is Transport.SENDING
    assert (claim.attempt, claim.fence) == (1, 1)


def test_nobody_claims_what_is_claimed(store: Outbox) -> None:
    one(store)
    assert store.claim(kit.wanted(worker="w2")) == []


def test_the_whole_road(store: Outbox) -> None:
    claim = one(store)
    store.mark_transmitting(claim)
    assert state(store, claim) is Transport.TRANSMITTING
    assert store.record(claim, SENT)
    detail = store.delivery(claim.delivery_id)
    assert (detail.row.state, detail.row.receipt, detail.row.reference) == (Transport.SENT, Receipt.AWAITED, "Q1")
    [attempt] = detail.attempts
    assert attempt.verdict == "accepted"
    assert attempt.transmitting_at is not None
    events = [record.split('"event":"')[1].split('"')[0] for record in detail.records]
    assert events == ["accepted", "claimed", "transmit", "taken"]


def test_limit_lane_and_priority(store: Outbox, clock: FrozenClock) -> None:
    low = store.accept(kit.request("a", kit.mail(), kit.dmp()))
    clock.advance(1)
    urgent = store.accept(kit.request("b", kit.mail(priority=URGENT)))
    [claim] = store.claim(kit.wanted(1, channel="mssante"))
    assert claim.delivery_id == urgent.delivery_ids[0]
    assert store.claim(kit.wanted(account="autre")) == []
    rest = store.claim(kit.wanted(channel="dmp", account="cabinet"))
    assert [found.delivery_id for found in rest] == [low.delivery_ids[1]]


def test_what_is_due_later_waits(store: Outbox, clock: FrozenClock) -> None:
    claim = one(store)
    store.record(claim, failed(30))
    assert store.next_due(["cabinet"]) == clock.now() + timedelta(seconds=30)
    clock.advance(29)
    assert store.claim(kit.wanted()) == []
    clock.advance(1)
    [again] = store.claim(kit.wanted())
    assert (again.attempt, again.fence, again.progress) == (2, 2, Progress(1, 30.0))
    assert again.parts == claim.parts  # byte for byte


def test_before_leaves_out_what_became_due_meanwhile(store: Outbox, clock: FrozenClock) -> None:
    start = clock.now()
    claim = one(store)
    store.record(claim, failed(1))
    clock.advance(5)
    assert store.claim(kit.wanted(before=start)) == []
    assert len(store.claim(kit.wanted())) == 1


def test_a_lease_that_ran_out_sends_nothing(store: Outbox, clock: FrozenClock) -> None:
    claim = one(store)
    clock.advance(60)
    with pytest.raises(LeaseLostError, match="LEA-001"):
        store.mark_transmitting(claim)
    assert state(store, claim) is Transport.SENDING


def test_a_renewed_lease_goes_on(store: Outbox, clock: FrozenClock) -> None:
    claim = one(store)
    clock.advance(50)
    claim = store.renew(claim, 60)
    clock.advance(50)
    assert store.recover() == []
    store.mark_transmitting(claim)


def test_the_machine_that_sleeps_between_commit_and_send_is_stopped(
    store: Outbox, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = one(store)
    times = iter([0.0, 61.0])
    monkeypatch.setattr(clock, "elapsed", lambda: next(times))
    with pytest.raises(LeaseLostError, match="LEA-001"):
        store.mark_transmitting(claim)
    assert state(store, claim) is Transport.TRANSMITTING
    assert store.record(claim, Result(Event.GIVEN_BACK, Transport.RETRY, "given_back", "ENG-LEASE", due_in=0.01))


def test_an_older_fence_writes_nothing(store: Outbox, clock: FrozenClock) -> None:
    old = one(store)
    clock.advance(61)
    assert store.recover() == [old.delivery_id]
    assert state(store, old) is Transport.RETRY
    [new] = store.claim(kit.wanted(worker="w2"))
    for call in (lambda: store.renew(old, 60), lambda: store.mark_transmitting(replace(old, deadline=1e9))):
        with pytest.raises(LeaseLostError, match="LEA-002"):
            call()
    assert not store.record(old, SENT)
    assert state(store, old) is Transport.SENDING
    assert "late_result" in store.delivery(old.delivery_id).records[-1]
    store.mark_transmitting(new)
    assert store.record(new, SENT)


def test_recovery_tells_the_two_deaths_apart(store: Outbox, clock: FrozenClock) -> None:
    store.accept(kit.request("a", kit.mail(), kit.dmp()))
    first, second = store.claim(kit.wanted())
    store.mark_transmitting(second)
    assert store.recover() == []  # both leases still run
    clock.advance(61)
    assert set(store.recover()) == {first.delivery_id, second.delivery_id}
    assert state(store, first) is Transport.RETRY
    assert state(store, second) is Transport.IN_DOUBT
    assert store.delivery(second.delivery_id).row.reason == "ENG-WORKER-LOST"
    assert store.delivery(second.delivery_id).attempts[0].verdict == "lost"
    assert store.recover() == []


def test_with_the_owner_gone_leases_are_not_waited_for(store: Outbox) -> None:
    claim = one(store)
    assert store.recover(account="autre", owner_gone=True) == []
    assert store.recover(account="cabinet", owner_gone=True) == [claim.delivery_id]


def test_a_late_answer_of_the_lost_attempt_settles_its_doubt(store: Outbox, clock: FrozenClock) -> None:
    claim = one(store)
    store.mark_transmitting(claim)
    clock.advance(61)
    store.recover()
    assert state(store, claim) is Transport.IN_DOUBT
    assert store.record(claim, SENT)
    assert state(store, claim) is Transport.SENT


def test_asking_for_evidence(store: Outbox, clock: FrozenClock) -> None:
    claim = one(store)
    store.mark_transmitting(claim)
    doubt = Result(Event.DOUBT, Transport.IN_DOUBT, "in_doubt", "MSS-LOST", due_in=30)
    assert store.record(claim, doubt)
    assert store.claim(kit.wanted()) == []
    assert store.claim_doubtful(kit.wanted()) == []
    clock.advance(30)
    [asked] = store.claim_doubtful(kit.wanted())
    assert asked.kind == "resolve"
    assert store.claim_doubtful(kit.wanted(worker="w2")) == []
    assert state(store, asked) is Transport.IN_DOUBT
    assert not store.record(claim, SENT)  # the first attempt is fenced off now
    still = Result(Event.STILL_IN_DOUBT, Transport.IN_DOUBT, "in_doubt", "DMP-SILENT", due_in=60)
    assert store.record(asked, still)
    assert store.delivery(asked.delivery_id).row.reason == "MSS-LOST"
    clock.advance(60)
    [asked] = store.claim_doubtful(kit.wanted())
    assert store.record(asked, replace(failed(), reason="DMP-ABSENT"))
    assert state(store, asked) is Transport.RETRY


def test_a_worker_that_dies_while_asking_leaves_the_doubt(store: Outbox, clock: FrozenClock) -> None:
    claim = one(store)
    store.mark_transmitting(claim)
    store.record(claim, Result(Event.DOUBT, Transport.IN_DOUBT, "in_doubt", "MSS-LOST", due_in=0.01))
    clock.advance(1)
    assert len(store.claim_doubtful(kit.wanted())) == 1
    clock.advance(61)
    assert store.recover() == [claim.delivery_id]
    assert state(store, claim) is Transport.IN_DOUBT
    assert len(store.claim_doubtful(kit.wanted())) == 1


def test_configuration_pauses_the_lane_only(store: Outbox, clock: FrozenClock) -> None:
    claim = one(store)
    store.accept(kit.request("b", kit.mail(), kit.dmp()))
    result = Result(Event.MISCONFIGURED, Transport.RETRY, "configuration", "MSS-TLS", due_in=0.01, pause=True)
    assert store.record(claim, result)
    clock.advance(1)
    assert [(p.account, p.channel, p.reason) for p in store.pauses()] == [("cabinet", "mssante", "MSS-TLS")]
    assert [found.channel for found in store.claim(kit.wanted())] == ["dmp"]
    assert store.next_due(["cabinet"]) is None
    assert store.resume("cabinet", "mssante", by="Anne")
    assert not store.resume("cabinet", "mssante", by="Anne")
    assert len(store.claim(kit.wanted())) == 2


def test_a_whole_account_can_pause(store: Outbox) -> None:
    store.accept(kit.request())
    store.pause("cabinet", by="Anne", reason="congés")
    assert store.claim(kit.wanted()) == []
    assert store.pauses()[0].reason == "cong_s"
    store.resume("cabinet", by="Anne")
    assert len(store.claim(kit.wanted())) == 2


def test_a_session_outcome_waits_for_a_person(store: Outbox, clock: FrozenClock) -> None:
    claim = one(store)
    result = Result(Event.SESSION_NEEDED, Transport.WAITING_FOR_SESSION, "session", "PSC-401")
    assert store.record(claim, result)
    clock.advance(86400)
    assert store.claim(kit.wanted()) == []
    assert store.session_ready("cabinet", "mssante", by="Anne") == 1
    assert len(store.claim(kit.wanted())) == 1


def test_a_clock_that_went_back_freezes_nothing(store: Outbox, clock: FrozenClock) -> None:
    claim = one(store)
    store.record(claim, failed(21600))
    clock.at -= timedelta(days=400)
    assert store.claim(kit.wanted()) == []
    store.recover()
    assert len(store.claim(kit.wanted())) == 1
    assert store.recover() == []


def test_an_unreadable_payload_stops_itself_only(store: Outbox) -> None:
    spoilt = store.accept(kit.request("a", kit.mail())).delivery_ids[0]
    good = store.accept(kit.request("b", kit.mail())).delivery_ids[0]
    kit.sql(store, "UPDATE delivery SET manifest = ? WHERE id = ?", (bytes(80), spoilt))
    assert [claim.delivery_id for claim in store.claim(kit.wanted())] == [good]
    row = store.delivery(spoilt).row
    assert (row.state, row.reason) == (Transport.DEAD, "SEA-006")


def test_a_result_that_makes_no_sense_changes_nothing(store: Outbox) -> None:
    claim = one(store)
    store.record(claim, SENT)
    assert not store.record(claim, failed())
    assert state(store, claim) is Transport.SENT
