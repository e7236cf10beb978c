"""The worker's side of the store: claim, transmit, renew, record, recover (DESIGN §4 rules 3 to 5)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

from gateway.errors import LeaseLostError, StoreError
from gateway.store import journal, masters, payload, standing, stops
from gateway.store.base import URGENT, Claim, Progress, Result, Wanted
from gateway.store.core import Core, Work, find_delivery, to_ms
from gateway.store.database import Row, Transaction
from gateway.store.states import GATEWAY, Event, Transport, allowed

if TYPE_CHECKING:
    from gateway.store.sealing import DocumentKey

CLOCK_STEP = timedelta(seconds=60)
"""A clock that went back by more than this froze the schedule: what it had planned becomes due."""

LOST = "ENG-WORKER-LOST"
"""Reason of a delivery whose worker died."""

Lane = tuple[str, str]


def claim(core: Core, wanted: Wanted, kind: Literal["send", "resolve"]) -> list[Claim]:
    """Take due deliveries. The claim is committed before their payload is even read."""
    started = core.clock.elapsed()
    taken: list[tuple[Row, dict[str, Any]]] = []
    for accounts in _shares(core, wanted, kind):
        with core.write(*accounts) as work:
            rows = list(_due(work, replace(wanted, limit=wanted.limit - len(taken)), kind, accounts))
            masters.check(core.vault, rows)
            taken += [(row, _take(work, row, wanted, kind)) for row in rows]
            _put(work, taken[-len(rows) :] if rows else [], wanted, kind)
        if len(taken) == wanted.limit:
            break
    bare = [(row, _claim(row, values, kind, wanted.worker, started + wanted.lease)) for row, values in taken]
    return _with_payloads(core, bare) if bare else []


def _with_payloads(core: Core, bare: list[tuple[Row, Claim]]) -> list[Claim]:
    """Read what all of them carry at once. One damaged payload must not stop the others; a person must see it."""
    claims, spoilt = [], []
    with core.db.read() as tx:
        opened = payload.open_packages(tx, [_sealed(core, row) for row, _ in bare])
    for (_, one), found in zip(bare, opened, strict=True):
        if isinstance(found, StoreError):
            spoilt.append((one, _unreadable(found)))
        else:
            claims.append(replace(one, parts=found[0], context=found[1] or b""))
    record(core, spoilt)
    return claims


def _sealed(core: Core, row: Row) -> payload.Sealed:
    key: DocumentKey | StoreError | None
    try:
        key = core.document_key(row)
    except StoreError as fault:
        key = fault
    return payload.Sealed(key, row["document_id"], row["id"], row["manifest"])


def _shares(core: Core, wanted: Wanted, kind: str) -> Iterable[tuple[str, ...]]:
    """The accounts to claim for, transaction by transaction: a batch holds one shard of the journal, not all."""
    if core.shards == 1 or wanted.account is not None:
        return [() if wanted.account is None else (wanted.account,)]
    with core.db.read() as tx:
        accounts = {account for account, _ in _lanes(tx, wanted, kind)}
    shares: dict[int, tuple[str, ...]] = {}
    for account in sorted(accounts):
        shard = journal.shard_of(account, core.shards)
        shares[shard] = (*shares.get(shard, ()), account)
    first = journal.shard_of(wanted.worker, core.shards)  # workers begin at different ones
    return [shares[shard] for shard in sorted(shares, key=lambda one: (one - first) % core.shards)]


def _due(work: Work, wanted: Wanted, kind: str, accounts: tuple[str, ...]) -> Iterable[Row]:
    left, now = wanted.limit, work.ms if wanted.before is None else to_ms(wanted.before)
    paused = {(row["account"], row["channel"]) for row in work.tx.all("pause_all")}
    for account, channel in _lanes(work.tx, wanted, kind):
        if left <= 0:
            return
        if (accounts and account not in accounts) or _covered(paused, account, channel):
            continue
        lane = {"account": account, "channel": channel, "now": now}
        if kind == "resolve":
            rows = work.tx.all("delivery_doubtful", limit=left, **lane)
        else:
            rows = _by_priority(work.tx, left, lane)
        yield from rows
        left -= len(rows)


def _covered(paused: set[Lane], account: str, channel: str) -> bool:
    return any((one, other) in paused for one in (account, journal.EVERY) for other in (channel, journal.EVERY))


def _by_priority(tx: Transaction, limit: int, lane: dict[str, Any]) -> list[Row]:
    rows: list[Row] = []
    for priority in range(URGENT, -1, -1):
        if len(rows) < limit:
            rows += tx.all("delivery_due", priority=priority, limit=limit - len(rows), **lane)
    return rows


def _lanes(tx: Transaction, wanted: Wanted, kind: str) -> list[Lane]:
    if wanted.account is not None and wanted.channel is not None:
        return [(wanted.account, wanted.channel)]
    name = "delivery_lanes_doubtful" if kind == "resolve" else "delivery_lanes"
    rows = tx.all(name, account=wanted.account, channel=wanted.channel)
    return [(row["account"], row["channel"]) for row in rows]


def _take(work: Work, row: Row, wanted: Wanted, kind: str) -> dict[str, Any]:
    values = {"attempt": row["attempts"] + 1, "fence": row["fence"] + 1}
    state = Transport.IN_DOUBT if kind == "resolve" else Transport.SENDING
    event = "resolving" if kind == "resolve" else Event.CLAIMED
    work.note_delivery(event, row, state=state, receipt=row["receipt"], worker=wanted.worker, **values)
    return values


def _put(work: Work, taken: list[tuple[Row, dict[str, Any]]], wanted: Wanted, kind: str) -> None:
    """The new holder of each delivery, and the attempt that begins."""
    state = Transport.IN_DOUBT if kind == "resolve" else Transport.SENDING
    common = {"worker": wanted.worker, "now": work.ms}
    claim = {"state": state, "until": work.ms + round(wanted.lease * 1000), **common}
    reasons = [row["reason"] if kind == "resolve" else None for row, _ in taken]
    work.tx.many(
        "delivery_claim",
        [
            {"id": row["id"], "reason": why, **values, **claim}
            for (row, values), why in zip(taken, reasons, strict=True)
        ],
    )
    work.tx.many(
        "attempt_insert",
        [{"delivery_id": row["id"], "number": values["attempt"], "kind": kind, **common} for row, values in taken],
    )


def _claim(row: Row, values: dict[str, Any], kind: Literal["send", "resolve"], worker: str, deadline: float) -> Claim:
    return Claim(
        delivery_id=row["id"],
        document_id=row["document_id"],
        account=row["account"],
        channel=row["channel"],
        destination=row["destination"],
        kind=kind,
        worker=worker,
        deadline=deadline,
        progress=Progress(row["failures"], row["burned_ms"] / 1000),
        parts=(),
        context=b"",
        **values,
    )


def _unreadable(error: StoreError) -> Result:
    return Result(Event.REFUSED, Transport.DEAD, "permanent", error.code)


def mark_transmitting(core: Core, claims: Sequence[Claim]) -> list[LeaseLostError | None]:
    """Content is about to leave: make that durable, in one transaction for all of these.

    In the place of each claim: None, or why nothing of it may leave (LEA-001 deadline passed, LEA-002 fenced off,
    LEA-003 its patient was stopped).
    """
    late = [_overdue(core, one) for one in claims]
    lost = _mark(core, [one for one, fault in zip(claims, late, strict=True) if fault is None])
    # The commit may have waited, or the machine slept, in between: the lease is looked at again.
    return [
        fault or lost.get((one.delivery_id, one.fence)) or _overdue(core, one)
        for one, fault in zip(claims, late, strict=True)
    ]


def _mark(core: Core, claims: Sequence[Claim]) -> dict[tuple[str, int], LeaseLostError]:
    if not claims:
        return {}
    with core.write(*{one.account for one in claims}) as work:
        rows = _rows(work, claims)
        barriers = standing.barriers(work.tx, {(row["account"], row["patient"]) for row in rows.values()}, ())
        lost = {
            (one.delivery_id, one.fence): fault
            for one in claims
            if (fault := _kept_back(rows.get(one.delivery_id), one, barriers)) is not None
        }
        leaving = [one for one in claims if (one.delivery_id, one.fence) not in lost]
        _leave(work, rows, leaving)
    return lost


def _kept_back(row: Row | None, claim: Claim, barriers: standing.Barriers) -> LeaseLostError | None:
    if row is None or row["fence"] != claim.fence or row["state"] != Transport.SENDING:
        return _fenced_off(claim)
    patient = (row["account"], row["patient"])
    barred = barriers.stop(patient) or stops.opposes(barriers.targets(patient), row)
    if barred and stops.carries_document(row):
        return LeaseLostError("LEA-003", f"Le patient de l'envoi {claim.delivery_id} vient d'être arrêté.")
    return None


def _leave(work: Work, rows: Mapping[str, Row], claims: Sequence[Claim]) -> None:
    marked = [{"id": one.delivery_id, "fence": one.fence, "now": work.ms} for one in claims]
    if len(work.tx.gather("delivery_transmit", marked)) != len(claims):
        raise RuntimeError("a delivery moved while its journal shard was held")
    work.tx.many(
        "attempt_transmit",
        [{"delivery_id": one.delivery_id, "number": one.attempt, "now": work.ms} for one in claims],
    )
    for one in claims:
        row = rows[one.delivery_id]
        work.note_delivery(Event.TRANSMIT, row, state=Transport.TRANSMITTING, receipt=row["receipt"], **_who(one))


def _rows(work: Work, claims: Iterable[Claim]) -> dict[str, Row]:
    """The deliveries of these claims as they stand, with what hangs on them."""
    ids = json.dumps([one.delivery_id for one in claims])
    return {row["id"]: row for row in work.tx.all("deliveries_of_ids", ids=ids)}


def _overdue(core: Core, claim: Claim) -> LeaseLostError | None:
    if core.clock.elapsed() < claim.deadline:
        return None
    return LeaseLostError("LEA-001", f"Le bail de l'envoi {claim.delivery_id} est échu.")


def _fenced_off(claim: Claim) -> LeaseLostError:
    return LeaseLostError("LEA-002", f"L'envoi {claim.delivery_id} est passé en d'autres mains.")


def renew(core: Core, claim: Claim, lease: float) -> Claim:
    """Keep a claim longer. An overdue lease that nobody took is renewed too: nothing happened to it."""
    started = core.clock.elapsed()
    with core.write(claim.account) as work:
        until = work.ms + round(lease * 1000)
        if not work.tx.run("delivery_renew", id=claim.delivery_id, fence=claim.fence, until=until):
            raise _fenced_off(claim)
    return replace(claim, deadline=started + lease)


def _record(work: Work, row: Row, claim: Claim, result: Result) -> bool:
    answer = _answer(result)
    work.tx.run("attempt_end", delivery_id=row["id"], number=claim.attempt, now=work.ms, **answer)
    if not _holds(row, claim, result):
        work.note_delivery("late_result", row, **_who(claim), **answer)
        return False
    work.move(row, result.event, result.state, due_in=result.due_in, **_columns(row, claim, result, answer))
    _pause(work, row, result, answer["reason"])
    return True


def record(core: Core, ended: Sequence[tuple[Claim, Result]]) -> list[bool]:
    """End attempts, in one transaction; a result that comes after the delivery moved on is journalled and changes
    nothing (False in its place).

    A delivery that was put in doubt because this very attempt seemed lost takes the late result: it is the evidence.
    What was simply taken by the other side, and nothing hangs on, goes in bulk: a few statements whatever the number.
    """
    if not ended:
        return []
    kept: dict[tuple[str, int], bool] = {}
    with core.write(*{claim.account for claim, _ in ended}) as work:
        rows = _rows(work, (claim for claim, _ in ended))
        plain = [
            (rows[claim.delivery_id], claim, result)
            for claim, result in ended
            if claim.delivery_id in rows and _is_plain(rows[claim.delivery_id], claim, result)
        ]
        _record_plain(work, plain)
        kept |= {(claim.delivery_id, claim.fence): True for _, claim, _ in plain}
        for claim, result in ended:
            if (claim.delivery_id, claim.fence) not in kept:
                row = find_delivery(work.tx, claim.delivery_id)
                kept[claim.delivery_id, claim.fence] = _record(work, row, claim, result)
    return [kept[claim.delivery_id, claim.fence] for claim, _ in ended]


def _is_plain(row: Row, claim: Claim, result: Result) -> bool:
    """Whether nothing follows from this result but the delivery's own new state."""
    taken = result.event is Event.TAKEN and result.state is Transport.SENT and not result.pause
    return taken and not row["followed"] and row["withdrawn_at"] is None and _holds(row, claim, result)


def _record_plain(work: Work, ended: list[tuple[Row, Claim, Result]]) -> None:
    attempts, moves = [], []
    for row, claim, result in ended:
        answer = _answer(result)
        attempts.append({"delivery_id": row["id"], "number": claim.attempt, "now": work.ms, **answer})
        columns = _columns(row, claim, result, answer)
        moves.append(work.moving(row, result.event, result.state, due_in=result.due_in, **columns))
    work.tx.many("attempt_end", attempts)
    work.tx.many("delivery_move", moves)


def _answer(result: Result) -> dict[str, Any]:
    return {
        "verdict": result.verdict,
        "reason": journal.code(result.reason),
        "text": journal.scrub(result.text),
        "reference": None if result.reference is None else journal.code(result.reference),
        "host": None if result.host is None else journal.code(result.host),
    }


def _who(claim: Claim) -> dict[str, Any]:
    return {"attempt": claim.attempt, "fence": claim.fence, "worker": claim.worker}


def _holds(row: Row, claim: Claim, result: Result) -> bool:
    """Whether the delivery is still this worker's, and may go where the result leads."""
    return bool(row["fence"] == claim.fence) and allowed(result.event, Transport(row["state"]), result.state)


def _columns(row: Row, claim: Claim, result: Result, answer: dict[str, Any]) -> dict[str, Any]:
    stays = result.event is Event.STILL_IN_DOUBT and not result.tells
    doubt = row["reason"] if stays else None  # why it is doubtful, not what was asked
    told = {name: value for name, value in answer.items() if name not in {"reason", "reference"}}
    return {
        "fields": {**_who(claim), **told},
        "reason": doubt or answer["reason"],
        "reference": answer["reference"] or row["reference"],
        "receipt": result.receipt if row["receipt"] == "none" else row["receipt"],
        "failures": result.progress.failures,
        "burned_ms": round(result.progress.burned * 1000),
    }


def _pause(work: Work, row: Row, result: Result, reason: str) -> None:
    if result.pause and work.tx.run(
        "pause_put", account=row["account"], channel=row["channel"], reason=reason, actor=GATEWAY, now=work.ms
    ):
        work.note("paused", account=row["account"], channel=row["channel"], reason=reason, by=GATEWAY)


def recover(
    core: Core, account: str | None, owner_gone: bool = False, settle: float = 0.0, went_back: bool = False
) -> list[str]:
    """Take back what dead workers held: `sending` goes to retry, `transmitting` to `in_doubt`."""
    with core.write() as work:
        _mend_clock(work, went_back)
        rows = work.tx.all("deliveries_leased", account=account, all=owner_gone, now=work.ms)
        for row in rows:
            _take_back(work, row, settle)
    return [row["id"] for row in rows]


def _take_back(work: Work, row: Row, settle: float) -> None:
    lost = {"verdict": "lost", "reason": LOST, "text": None, "reference": None, "host": None}
    work.tx.run("attempt_end", delivery_id=row["id"], number=row["attempts"], now=work.ms, **lost)
    fields = {"attempt": row["attempts"], "fence": row["fence"], "worker": row["lease_owner"]}
    state = Transport(row["state"])
    if state is Transport.IN_DOUBT:
        work.move(row, Event.STILL_IN_DOUBT, state, due_in=settle, fields=fields, reason=row["reason"])
    else:
        after = Transport.RETRY if state is Transport.SENDING else Transport.IN_DOUBT
        due_in = settle if after is Transport.IN_DOUBT else 0
        work.move(row, Event.RECOVERED, after, due_in=due_in, fields=fields, reason=LOST)


def _mend_clock(work: Work, sure: bool) -> None:
    """Free what waits for times that are far off, where the wall clock went back: the last record lies in the future,
    or (`sure`) who calls saw it, or cannot know what was written since.
    """
    limit = work.now + CLOCK_STEP
    last = [work.tx.one("journal_last", shard=shard) for shard in range(work.core.shards)]
    ahead = any(row is not None and journal.parse_time(row["record"]) > limit for row in last)
    if not ahead and not sure:
        return
    freed = work.tx.run("deliveries_ahead_of_time", now=work.ms, limit=to_ms(limit))
    if ahead or freed:
        work.note("clock_went_back", size=freed)
