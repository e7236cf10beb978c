"""Several processes at once on one store: documents accepted, deliveries claimed and recorded, and what that costs.

A document here is 30 KB that three deliveries share, as bytes that were rendered before: the store seals, hashes and
journals them, nobody renders and nothing is sent. CPU is counted for the clients and for the server apart, since on a
small machine the two share its cores.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

from gateway import store as stores
from gateway.clock import SystemClock, SystemRandomness
from gateway.settings import Settings
from gateway.store.base import AcceptRequest, Blob, Result, Wanted
from gateway.store.outbox import Outbox
from gateway.store.states import Event, Receipt, Transport
from tests.integration import database
from tests.unit.store import kit

PAYLOAD = 30_000
"""Bytes of a document: a bilan as CDA."""
ACCOUNTS = 32
"""Enough that every shard has some."""
PER_DOCUMENT = 3
CHANNELS = ("mssante", "dmp")
SENT = Result(Event.TAKEN, Transport.SENT, "accepted", "MSS-250", text="250 ok", receipt=Receipt.AWAITED)
DURABLE = {
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "max_wal_size": "4GB",
    "shared_buffers": "256MB",
}
"""A server that loses nothing when the power goes, with the memory of a small one."""
WAL_SEGMENT = 16
"""Megabytes, as a server is installed."""


@dataclass(frozen=True)
class Rate:
    """What processes did together. `cpu_ms` are for one piece: of all clients, and of the server."""

    pieces: int
    processes: int
    per_commit: int
    seconds: float
    client_cpu_ms: float
    server_cpu_ms: float

    @property
    def per_second(self) -> float:
        """Pieces a second, by the clock on the wall."""
        return self.pieces / self.seconds

    def figures(self) -> dict[str, float]:
        """For a report. `cores` is how many were busy; `per_second_of_cpu` what one whole core would do alone."""
        cpu = self.client_cpu_ms + self.server_cpu_ms
        return {
            **{name: round(value, 3) for name, value in asdict(self).items()},
            "per_second": round(self.per_second),
            "cores": round(cpu * self.per_second / 1000, 2),
            "per_second_of_cpu": round(1000 / cpu),
        }


def settings(folder: Path, url: str | None = None, shards: int = 1) -> Settings:
    """A gateway with many accounts."""
    one = kit.settings(folder, **({} if url is None else {"store": {"url": url}}))
    accounts = tuple(one.account[0].model_copy(update={"id": f"cabinet-{n}"}) for n in range(ACCOUNTS))
    journal = one.journal.model_copy(update={"shards": shards, "every_records": 100_000})
    return one.model_copy(update={"account": accounts, "journal": journal})


def opened(chosen: Settings) -> Outbox:
    """A store of this process."""
    made = stores.open(chosen, SystemClock(), SystemRandomness())
    assert isinstance(made, Outbox)
    return made


def document(name: str, account: str) -> AcceptRequest:
    """One document with its three deliveries: two mailboxes and the DMP."""
    cda = Blob("cda", "application/xml", os.urandom(PAYLOAD))
    part = replace(cda, name="message")
    mails = [kit.mail(role, destination=role, parts=(part,)) for role in ("medecin_traitant", "patient")]
    return kit.request(name, *mails, kit.dmp(parts=(part,)), account=account, renderings=(cda,))


def accept(chosen: Settings, place: int, number: int, per_commit: int, start: Any, out: Any) -> None:
    """Accept documents of the accounts whose turn it is, so many in each transaction."""
    store = opened(chosen)
    mine = _accounts(chosen, place)
    documents = [document(f"{place}-{n}", mine[n // per_commit % len(mine)]) for n in range(number)]
    start.wait()
    began, cpu = perf_counter(), process_time()
    for first in range(0, number, per_commit):
        store.accept_many(documents[first : first + per_commit])
    out.put((number, began, perf_counter(), process_time() - cpu))
    store.close()


def _accounts(chosen: Settings, place: int) -> list[str]:
    """Every account, beginning at another one for each process."""
    names = [account.id for account in chosen.account]
    turn = place * len(names) // 4
    return names[turn:] + names[:turn]


def deliver(chosen: Settings, place: int, number: int, per_commit: int, start: Any, out: Any) -> None:
    """Claim and record, lane by lane, until a whole round finds nothing. `number` is not used: all there is."""
    store, done = opened(chosen), 0
    lanes = [(account, channel) for account in _accounts(chosen, place) for channel in CHANNELS]
    start.wait()
    began, cpu, idle = perf_counter(), process_time(), 0
    while idle < len(lanes):
        for account, channel in lanes:
            claims = store.claim(Wanted(f"worker-{place}", 60, per_commit, account, channel))
            idle = 0 if claims else idle + 1
            if claims:
                assert all(store.record_many([(claim, SENT) for claim in claims]))
            done += len(claims)
    out.put((done, began, perf_counter(), process_time() - cpu))
    store.close()


def together(
    work: Callable[..., None],
    chosen: Settings,
    processes: int,
    number: int,
    per_commit: int,
    server: database.Server | None = None,
) -> Rate:
    """Run so many processes of this kind at once and sum up; `number` pieces for each."""
    context = multiprocessing.get_context("spawn")
    start, out = context.Barrier(processes + 1), context.Queue()
    workers = [
        context.Process(target=work, args=(chosen, place, number, per_commit, start, out)) for place in range(processes)
    ]
    for worker in workers:
        worker.start()
    start.wait(120)
    before = 0.0 if server is None else server_cpu(server)
    told = [out.get(timeout=600) for _ in workers]
    spent = 0.0 if server is None else server_cpu(server) - before
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    pieces = sum(one[0] for one in told)
    seconds = max(one[2] for one in told) - min(one[1] for one in told)
    clients = sum(one[3] for one in told)
    return Rate(pieces, processes, per_commit, seconds, clients / pieces * 1000, spent / pieces * 1000)


def server_cpu(server: database.Server) -> float:
    """Seconds of CPU of a server and all its processes, those that ended included."""
    main = int((server.folder / "data" / "postmaster.pid").read_text().splitlines()[0])
    own, ended, _ = _times(Path(f"/proc/{main}/stat"))
    alive = 0.0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            spent, _, parent = _times(path)
        except (OSError, ProcessLookupError):
            continue  # it ended meanwhile
        alive += spent if parent == main else 0.0
    return own + ended + alive


def _times(path: Path) -> tuple[float, float, int]:
    """CPU seconds of a process, of its ended children, and its parent."""
    fields = path.read_text().rpartition(")")[2].split()
    tick = os.sysconf("SC_CLK_TCK")
    return (int(fields[11]) + int(fields[12])) / tick, (int(fields[13]) + int(fields[14])) / tick, int(fields[1])


def bare_fsync(folder: Path, size: int, rounds: int = 60) -> float:
    """Milliseconds that a disk takes to make so many bytes durable: one append and one fsync, median."""
    spent, data = [], os.urandom(size)
    with (folder / "bare").open("ab", buffering=0) as file:
        for _ in range(rounds):
            began = time.perf_counter()
            file.write(data)
            os.fsync(file.fileno())
            spent.append((time.perf_counter() - began) * 1000)
    (folder / "bare").unlink()
    return sorted(spent)[len(spent) // 2]
