"""What all of France would need, reckoned from measured costs: a table in Markdown.

    python -m tests.bench.france build/bench/scale-postgres.json

The file is what `make bench ARGS="-k four_processes"` writes: CPU of clients and server for a document accepted and for
a delivery claimed and recorded. What is assumed stands in this file's constants and in the table.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

from tests.bench.day import CURVE

DOCUMENTS = 1_000_000
DESTINATIONS = 3
BYTES = 336_000
"""Sealed bytes of a real bilan: CDA, FHIR, PDF, archive, two mails, a DMP package (test_bench_store.py)."""
ENGINE_MS = 7.0
"""CPU of a delivery through the whole engine, both sides and the server, as `tests.bench.day` measures it."""
RENDER_MS = 60.0
"""CPU of one document from JSON to sealed packages, PDF included: of the order that docs/performance.md measures."""
PER_COMMIT = 32
RECORDS = 1 + 4 * DESTINATIONS
"""Journal records of a document: its acceptance, then accepted, claimed, transmit and taken for each delivery."""
RECEIPTS = 2
"""Mails that come back for each that leaves: a delivery notice and a reading notice."""
KEEP_DAYS = 90
FULL = 0.5
"""How busy a core should be at the peak."""


def rows(measured: dict[str, Any]) -> list[tuple[str, str]]:
    """What is needed, and how much."""
    peak = DOCUMENTS * max(CURVE) / sum(CURVE) / 3600
    accept = sum(measured["accept"][name] for name in ("client_cpu_ms", "server_cpu_ms"))
    store = sum(measured["claim_and_record"][name] for name in ("client_cpu_ms", "server_cpu_ms"))
    deliveries, mails = peak * DESTINATIONS, peak * 2
    cores = peak * (RENDER_MS + accept) / 1000 + deliveries * ENGINE_MS / 1000
    return [
        ("documents a day, deliveries a day", f"{DOCUMENTS:,}, {DOCUMENTS * DESTINATIONS:,}"),
        ("peak hour, by the curve of the simulation", f"{peak:.0f} documents/s, {deliveries:.0f} deliveries/s"),
        ("store at the peak: accept", f"{peak * accept / 1000:.2f} cores ({accept:.2f} ms a document)"),
        ("store at the peak: claim and record", f"{deliveries * store / 1000:.2f} cores ({store:.2f} ms a delivery)"),
        ("commits at the peak, one by one", f"{peak + deliveries * 3:.0f}/s"),
        ("commits at the peak, in batches of 32", f"{(peak + deliveries * 3) / PER_COMMIT:.0f}/s"),
        ("rendering and the whole engine at the peak", f"{cores:.1f} cores, {math.ceil(cores / FULL)} at half load"),
        ("journal records a day", f"{DOCUMENTS * RECORDS:,}"),
        ("sealed content a day", f"{DOCUMENTS * BYTES / 1e9:.0f} GB, written twice (WAL)"),
        (f"disk for {KEEP_DAYS} days of content", f"{DOCUMENTS * BYTES * KEEP_DAYS / 1e12:.0f} TB"),
        ("disk bandwidth at the peak", f"{peak * BYTES * 2 / 1e6:.0f} MB/s"),
        ("mails that come back, by IMAP, at the peak", f"{mails * RECEIPTS:.0f}/s"),
        ("RSA signatures at the peak (set and VIHF)", f"{peak * 2:.0f}/s, {peak * 2 * 0.4 / 1000:.2f} cores"),
        ("journal shards, workers", "4 and 4 are ample for the store; rendering decides how many machines"),
    ]


def main() -> None:
    """Print the table."""
    measured = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    print("| what | needed |\n| --- | --- |")
    for name, value in rows(measured):
        print(f"| {name} | {value} |")


if __name__ == "__main__":
    main()
