"""A day of all of France at 1:100, in minutes: documents along its curve, several workers, one sink that counts.

    python -m tests.bench.day --documents 10000 --seconds 600 --workers 4

Ten thousand documents to three destinations each, on a PostgreSQL made for it (fsync on). Every worker is a process
with the whole engine: lanes, leases, marks, retries, evidence; what comes in is bytes rendered before. The other side
refuses some for now, and some of its answers are lost, so that there are retries and doubts to settle. Time is not
squeezed inside the gateway: a retry waits as long as it is set to, only the day is shorter.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import random
import socket
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gateway.audit.verify import verify_store
from gateway.channels.outcome import BeforeCommit, Outcome, Verdict
from gateway.clock import SystemClock, SystemRandomness
from gateway.engine.worker import Worker
from gateway.package.types import Package
from gateway.settings import Settings
from gateway.store.base import AcceptRequest, Blob, Filter
from gateway.store.outbox import Outbox
from gateway.store.received import MailKeys
from tests.bench import scale
from tests.crash.sink import Sink
from tests.integration import database
from tests.unit.store import kit

CURVE = (1, 1, 1, 1, 1, 2, 5, 20, 60, 80, 85, 90, 65, 50, 75, 85, 90, 100, 95, 60, 25, 10, 5, 2)
"""Documents of each hour, in parts: a practice's day, with its rush before the evening. An assumption of ours."""
SHARDS = 4
ACCOUNTS = 8
REFUSED_FOR_NOW = 0.02
ANSWER_LOST = 0.002
OPEN = ("prepared", "sending", "transmitting", "retry", "in_doubt")
UNDER_WAY = ("sending", "transmitting")


@dataclass(frozen=True)
class Hour:
    """How it stood at the end of an hour of the day."""

    hour: int
    accepted: int
    delivered: int
    depth: int
    oldest_seconds: float


def settings(folder: Path, url: str) -> Settings:
    """Accounts that share the day, each with a mailbox and a DMP that can be asked."""
    base = kit.settings(folder, store={"url": url})
    tls = {"ca_file": "ca.pem"}
    dmp = {"url": "https://dmp.test", "tls": tls, "sign_cert_file": "c", "sign_key_file": "k"}
    one = base.account[0].model_dump() | {"dmp": dmp}
    return kit.settings(
        folder,
        store={"url": url},
        account=[one | {"id": f"cabinet-{number}"} for number in range(ACCOUNTS)],
        retry={"delays": (1.0, 2.0, 4.0), "lease": 30.0, "breaker_failures": 1_000_000},
        sidecar={"scan_every": 0.5, "workers": 8},
        journal={**base.journal.model_dump(), "shards": SHARDS},
    )


def request(number: int) -> AcceptRequest:
    """One document: its parts are named, so that the sink can count them."""
    cda = Blob("cda", "application/xml", os.urandom(scale.PAYLOAD))
    mails = [
        kit.mail(
            role,
            destination=role,
            parts=(Blob("message", "text/plain", f"{number}-{role}".encode()), cda),
            keys=MailKeys(f"<{number}-{role}@kine.example>", f"{number}-{role}", f"{role}@example.mssante.fr"),
        )
        for role in ("medecin_traitant", "patient")
    ]
    dmp = kit.dmp(parts=(Blob("message", "text/plain", f"{number}-dmp".encode()), cda))
    return kit.request(str(number), *mails, dmp, account=f"cabinet-{number % ACCOUNTS}", renderings=(cda,))


class Wire:
    """A channel to the sink, with the faults of the world."""

    def __init__(self, port: int, chance: random.Random) -> None:
        self._port, self._chance = port, chance

    async def send(self, package: Package, before_commit: BeforeCommit) -> Outcome:
        """One line, one answer; now and then refused before it, or the answer lost after it."""
        if self._chance.random() < REFUSED_FOR_NOW:
            return Outcome(Verdict.TRANSIENT, "SNK-451")
        answer = await self._say(b"SEND", package, before_commit)
        if self._chance.random() < ANSWER_LOST or not answer:
            return Outcome(Verdict.IN_DOUBT, "SNK-LOST")
        return Outcome(Verdict.ACCEPTED, "SNK-250")

    async def resolve(self, package: Package) -> Outcome:
        """Was it received?"""
        answer = await self._say(b"ASK", package, None)
        return Outcome(Verdict.ACCEPTED, "SNK-YES") if answer == b"YES\n" else Outcome(Verdict.TRANSIENT, "SNK-NO")

    async def _say(self, word: bytes, package: Package, before_commit: BeforeCommit | None) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            if before_commit is not None:
                await before_commit()
            writer.write(word + b" " + package.parts[0].data + b"\n")
            await writer.drain()
            return await reader.readline()
        finally:
            writer.close()

    async def aclose(self) -> None:
        """Nothing to close."""


def work(chosen: Settings, number: int, port: int, stop: Any, out: Any) -> None:
    """A worker process, until told to stop."""
    store = scale.opened(chosen)
    wire = Wire(port, random.Random(number))
    out.put(0.0)  # ready
    worker = Worker(
        store, lambda *_: wire, clock=SystemClock(), randomness=SystemRandomness(), settings=chosen, subscribers=()
    )
    cpu = time.process_time()
    asyncio.run(_run(worker, stop))
    out.put(time.process_time() - cpu)
    store.close()


async def _run(worker: Worker, stop: Any) -> None:
    ending = asyncio.Event()
    running = asyncio.create_task(worker.run(ending))
    await asyncio.to_thread(stop.wait)
    ending.set()
    await running


def due_by(share: float, documents: int) -> int:
    """How many documents have come when so much of the day has passed."""
    whole = share * 24
    full = sum(CURVE[: int(whole)])
    part = CURVE[int(whole)] * (whole % 1) if whole < 24 else 0
    return round(documents * (full + part) / sum(CURVE))


def submit(store: Outbox, documents: int, seconds: float) -> list[Hour]:
    """Let the day's documents come in, and note how it stands at the end of each hour."""
    began, taken = time.monotonic(), 0
    hours: list[Hour] = []
    while taken < documents or len(hours) < 24:
        share = min(1.0, (time.monotonic() - began) / seconds)
        batch = [request(number) for number in range(taken, min(due_by(share, documents), taken + 32))]
        if batch:
            store.accept_many(batch)
            taken += len(batch)
        else:
            time.sleep(0.02)
        if share * 24 >= len(hours) + 1:
            hours.append(standing(store, len(hours), taken))
            print(json.dumps(asdict(hours[-1])), file=sys.stderr, flush=True)
    return hours


def standing(store: Outbox, hour: int, accepted: int) -> Hour:
    """What waits, and since when."""
    counts = [count for count in store.counts() if count.state in OPEN]
    depth = sum(count.number for count in counts)
    oldest = max(((store.now() - count.oldest).total_seconds() for count in counts), default=0.0)
    return Hour(hour, accepted, accepted * scale.PER_DOCUMENT - depth, depth, round(oldest, 2))


def drained(store: Outbox, patience: float) -> float:
    """Wait until nothing is under way or due; how many seconds that took. A doubt that nobody can settle stays."""
    began, accounts = time.monotonic(), [f"cabinet-{number}" for number in range(ACCOUNTS)]
    while store.next_due(accounts) is not None or any(count.state in UNDER_WAY for count in store.counts()):
        if time.monotonic() - began > patience:
            break
        time.sleep(0.2)
    return round(time.monotonic() - began, 1)


def simulate(server: database.Server, documents: int, seconds: float, workers: int) -> dict[str, Any]:
    """The whole day. The figures, `lost` and `doubled` counted by the sink."""
    context = multiprocessing.get_context("spawn")
    stop, out = context.Event(), context.Queue()
    with Sink() as sink, tempfile.TemporaryDirectory() as folder:
        chosen = settings(Path(folder), server.fresh())
        store = scale.opened(chosen)
        crew = [context.Process(target=work, args=(chosen, n, sink.port, stop, out)) for n in range(workers)]
        for one in crew:
            one.start()
        for _ in crew:
            out.get(timeout=120)
        cpu, served = time.process_time(), scale.server_cpu(server)
        hours = submit(store, documents, seconds)
        left = drained(store, 180)
        stop.set()
        spent = sum(out.get(timeout=60) for _ in crew)
        for one in crew:
            one.join(60)
        figures = judged(store, sink, documents) | {
            "seconds": seconds,
            "workers": workers,
            "drained_after_seconds": left,
            "worker_cpu_ms_each": round(spent / documents / scale.PER_DOCUMENT * 1000, 2),
            "submitter_and_sink_cpu_ms_each": round(
                (time.process_time() - cpu) / documents / scale.PER_DOCUMENT * 1000, 2
            ),
            "server_cpu_ms_each": round((scale.server_cpu(server) - served) / documents / scale.PER_DOCUMENT * 1000, 2),
            "hours": [asdict(hour) for hour in hours],
        }
        store.close()
    return figures


def judged(store: Outbox, sink: Sink, documents: int) -> dict[str, Any]:
    """What the store says beside what the sink received."""
    rows = store.deliveries(Filter(limit=documents * scale.PER_DOCUMENT + 1))
    states = Counter(str(row.state) for row in rows)
    report, expected = verify_store(store), documents * scale.PER_DOCUMENT
    return {
        "documents": documents,
        "deliveries": expected,
        "lost": expected - len(rows) + max(0, states["sent"] - len(sink.received)),
        "doubled": sum(times > 1 for times in sink.received.values()),
        "states": dict(states),
        "asked_for_evidence": sink.asked,
        "journal_records": report.size,
        "journal_verified": report.ok,
    }


def main() -> int:
    """Print the hours and the figures; 1 when something was lost or doubled."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=600.0, help="how long the day takes")
    parser.add_argument("--workers", type=int, default=4)
    given = parser.parse_args()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with database.running(port, segment=scale.WAL_SEGMENT, **scale.DURABLE) as server:
        figures = simulate(server, given.documents, given.seconds, given.workers)
    print(json.dumps(figures, indent=1))
    return 1 if figures["lost"] or figures["doubled"] or not figures["journal_verified"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
