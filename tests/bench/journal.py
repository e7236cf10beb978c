"""The journal as somebody who trusts nobody verifies it (`python -m tests.bench.journal --help`).

Makes a journal, exports it, times its verification with the public key and an earlier checkpoint, then forges it
in every way that is named, and says which finding tells of it.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gateway.audit.export import export
from gateway.audit.verify import verify_export
from gateway.store.base import Result
from gateway.store.checkpoint import Signer
from gateway.store.outbox import Outbox
from gateway.store.states import Event, Transport
from tests.unit.audit import test_verify as forgery
from tests.unit.store import kit

FORGED = 20_000
"""Records of the journal that is forged: each forgery writes the whole export anew."""
Lines = list[bytes]


def grow(store: Outbox, records: int) -> None:
    """Add records until there are so many: a few deliveries that were sent, and questions about them."""
    for name in "abc":
        store.accept(kit.request(name))
    for claim in store.claim(kit.wanted()):
        store.mark_transmitting(claim)
        store.record(claim, Result(Event.TAKEN, Transport.SENT, "accepted", "MSS-250", text="250 reçu"))
    size = store.snapshot().size
    while size < records:
        with store.core.write() as work:
            for number in range(min(5000, records - size)):
                about = {"document": "0" * 36, "channel": "dmp", "attempt": number, "worker": "w" * 18, "fence": 1}
                work.note("resolving", verdict="in_doubt", reason="DMP-SILENT", **about)
        size = store.snapshot().size


def made(folder: Path, records: int) -> tuple[Path, Path, Path]:
    """An export of so many records, the public key, and a checkpoint that an auditor took away half-way."""
    store = kit.open_store(folder)
    grow(store, records // 2)
    store.checkpoint()
    early = folder / "taken-away.txt"
    early.write_text(max((folder / "checkpoints").glob("checkpoint-*")).read_text())
    grow(store, records)
    store.checkpoint()
    path = folder / "export.jsonl"
    with path.open("w", encoding="utf-8") as file:
        file.writelines(export(store))
    store.close()
    return path, folder / "checkpoints" / "journal.pub", early


def timed(folder: Path, records: int) -> dict[str, Any]:
    """How long the verification of so many records takes, in seconds of the clock and of the processor."""
    path, key, early = made(folder, records)
    clock, processor = time.perf_counter(), time.process_time()
    report = verify_export(path, public_key=key, checkpoint=early)
    taken = time.perf_counter() - clock, time.process_time() - processor
    return {
        "records": report.size,
        "ok": report.ok,
        "seconds": round(taken[0], 2),
        "processor_seconds": round(taken[1], 2),
        "megabytes": round(path.stat().st_size / 1e6, 1),
        "bound_by_the_earlier_checkpoint": report.held,
    }


def forgeries(folder: Path, signer: Signer) -> dict[str, Callable[[Lines], Lines]]:
    """Each forgery of an export. The last three are those of the holder of the signing key."""

    def in_place(change: Callable[[Lines], None]) -> Callable[[Lines], Lines]:
        def forged(lines: Lines) -> Lines:
            change(lines)
            return lines

        return forged

    def redone(share: float, edit: Callable[[bytes], bytes]) -> Callable[[Lines], Lines]:
        def forged(lines: Lines) -> Lines:
            keep = int(len(forgery.records(lines)) * share)
            return forgery.rewrite(lines, keep, edit, signer)

        return forged

    return {
        "a byte changed": in_place(forgery.change_a_byte),
        "a record removed": in_place(forgery.remove),
        "a record inserted": in_place(forgery.insert),
        "two records reordered": in_place(forgery.reorder),
        "a checkpoint forged": in_place(forgery.forge_checkpoint),
        "a state that is not the last record's": in_place(forgery.lie_about_a_state),
        "a delivery hidden": in_place(forgery.hide_a_delivery),
        "truncated by the key holder, before the earlier checkpoint": redone(0.3, lambda record: record),
        "rewritten by the key holder": redone(1.0, lambda record: record.replace(b'"ACC-001"', b'"ACC-009"')),
        "truncated by the key holder, after the earlier checkpoint": redone(0.8, lambda record: record),
    }


def found(folder: Path, records: int) -> dict[str, dict[str, list[str]]]:
    """For each forgery: what is found with the key alone, and with the earlier checkpoint too."""
    path, key, early = made(folder, records)
    settings = kit.settings(folder).journal
    signer = Signer.load(settings.key_file, settings.origin)
    lines, results = path.read_bytes().splitlines(), {}
    for name, forge in forgeries(folder, signer).items():
        path.write_bytes(b"\n".join(forge(list(lines))) + b"\n")
        results[name] = {
            "key": sorted(forgery.codes(verify_export(path, public_key=key))),
            "key and earlier checkpoint": sorted(forgery.codes(verify_export(path, public_key=key, checkpoint=early))),
        }
    return results


def main(arguments: list[str] | None = None) -> int:
    """Print the figures; 1 when an honest journal did not verify."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.journal", description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--forged", type=int, default=FORGED, help="records of the journal that is forged")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="kine-journal-") as one, tempfile.TemporaryDirectory() as other:
        speed = timed(Path(one), given.records)
        told = found(Path(other), given.forged)
    if given.json:
        print(json.dumps({"verified": speed, "forged": told}, indent=1))
    else:
        print("  ".join(f"{name} {value}" for name, value in speed.items()))
        for name, codes in told.items():
            print(f"{name:<60} {'  |  '.join(', '.join(one) or 'nothing' for one in codes.values())}")
    return 0 if speed["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
