"""What a scrape says of the journal: when it was signed and time-stamped, and nothing before either."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from prometheus_client.parser import text_string_to_metric_families

from gateway.api import Gateway
from gateway.api.clocks import Measured
from gateway.clock import SystemClock
from gateway.sidecar.metrics import Metrics

SIGNED, STAMPED = "kine_checkpoint_timestamp_seconds", "kine_anchor_timestamp_seconds"


def scrape(folder: Path) -> dict[str, float]:
    parts: dict[str, Any] = {
        "settings": SimpleNamespace(journal=SimpleNamespace(checkpoint_dir=folder), account=()),
        "store": SimpleNamespace(counts=list),
        "clock": SystemClock(),
        "pauses": list,
        "clocks": SimpleNamespace(measured=lambda: [Measured("dmp.test", -2.5, 0.5, 3, 60.0)]),
        "subscribe": lambda _: None,
    }
    metrics = Metrics(cast("Gateway", SimpleNamespace(**parts)))
    found = text_string_to_metric_families(metrics.text().decode())
    return {sample.name: sample.value for family in found for sample in family.samples}


def keep(path: Path, at: float) -> None:
    path.write_text("")
    os.utime(path, (at, at))


def test_the_newest_checkpoint_and_the_newest_stamp_are_told(tmp_path: Path) -> None:
    before = scrape(tmp_path / "none")
    assert before["kine_store_up"] == 1
    assert not {SIGNED, STAMPED} & before.keys()
    keep(tmp_path / "checkpoint-000000000001-aaaaaaaa.txt", 1000)
    keep(tmp_path / "checkpoint-000000000001-aaaaaaaa.tsr", 1500)
    keep(tmp_path / "checkpoint-shard01-000000000007-bbbbbbbb.txt", 2000)
    keep(tmp_path / "journal.pub", 9000)
    found = scrape(tmp_path)
    assert (found[SIGNED], found[STAMPED]) == (2000, 1500)


def test_the_clock_against_a_server_is_told(tmp_path: Path) -> None:
    assert scrape(tmp_path)["kine_clock_offset_seconds"] == -2.5
