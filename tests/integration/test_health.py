"""What a supervisor and Prometheus see of a practice that sends, and what they do not see."""

from __future__ import annotations

import asyncio
import http.client
import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.api import Gateway
from gateway.sidecar.daemon import Sidecar
from gateway.sidecar.health import Health
from gateway.sidecar.metrics import Metrics
from tests.integration.practice import CASES, ROOT, Practice, open_practice


@pytest.fixture
def practice(tmp_path: Path, certificates: Path) -> Iterator[Practice]:
    made = open_practice(tmp_path / "practice", certificates=certificates)
    text = made.config.read_text(encoding="utf-8")
    made.config.write_text(text + '\n[health]\nlisten = "127.0.0.1:0"\n', encoding="utf-8")
    yield made
    made.box.close()


def test_a_running_practice_is_alive_ready_and_measured(practice: Practice, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, tuple[int, str]] = {}
    case = next(CASES.glob("01_*.json")).read_bytes()

    async def watch(sidecar: Sidecar, ports: list[int], stop: asyncio.Event) -> None:
        while not (ports and sidecar.idle):  # noqa: ASYNC110 (the sidecar has no event for idleness)
            await asyncio.sleep(0.05)
        for path in ("/healthz", "/readyz", "/metrics", "/secret"):
            seen[path] = await asyncio.to_thread(_get, ports[0], path)
        stop.set()

    async def run() -> None:
        ports: list[int] = []
        start = asyncio.start_server

        async def started(*args: object, **kwargs: object) -> asyncio.Server:
            server = await start(*args, **kwargs)  # type: ignore[arg-type]
            ports.append(server.sockets[0].getsockname()[1])
            return server

        monkeypatch.setattr(asyncio, "start_server", started)
        stop, sidecar = asyncio.Event(), Sidecar(gateway)
        async with asyncio.TaskGroup() as group:
            group.create_task(sidecar.run(stop))
            group.create_task(watch(sidecar, ports, stop))

    with Gateway.open(practice.config) as gateway:
        gateway.submit(case)
        asyncio.run(run())
    assert seen["/healthz"][0] == 200
    assert (seen["/readyz"][0], json.loads(seen["/readyz"][1])["ready"]) == (200, True)
    assert seen["/secret"][0] == 404
    samples = {s.name: s for family in text_string_to_metric_families(seen["/metrics"][1]) for s in family.samples}
    assert samples["kine_store_up"].value == 1
    assert samples["kine_attempts_total"].value >= 1
    assert "kine_certificate_end_timestamp_seconds" in samples
    traits = re.findall(r'"(?:birth_family|matricule|family|value)": "([^"]{4,})"', case.decode())
    assert traits
    assert not [trait for trait in traits if trait in seen["/metrics"][1]]


def _get(port: int, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path)
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def test_not_ready_without_a_worker_or_a_store(practice: Practice, monkeypatch: pytest.MonkeyPatch) -> None:
    from gateway.errors import StoreError

    with Gateway.open(practice.config) as gateway:
        health = Health(gateway, Metrics(gateway))
        assert health.answer("/readyz")[0] == 503
        gateway.pause("*", "*", by="Anne", reason="panne")
        text = health.answer("/metrics")[2].decode()
        assert 'kine_paused{account="*",channel="*",reason="panne"} 1.0' in text

        def broken() -> None:
            raise StoreError("STO-006", "occupée")

        monkeypatch.setattr(gateway.store, "counts", broken)
        assert json.loads(health.answer("/readyz")[2])["reason"] == "STO-006"
        assert "kine_store_up 0.0" in health.answer("/metrics")[2].decode()


def test_the_shipped_alerts_and_dashboard_name_metrics_that_exist(practice: Practice) -> None:
    with Gateway.open(practice.config) as gateway:
        exposed = Metrics(gateway).text().decode()
    known = set(re.findall(r"^# TYPE (\w+) ", exposed, re.MULTILINE))
    known |= {f"{name}_{part}" for name in known for part in ("bucket", "total")}
    for file in ("prometheus/kine-gateway.rules.yml", "grafana/kine-gateway.json"):
        named = set(re.findall(r"\bkine_\w+", (ROOT / "config" / file).read_text(encoding="utf-8")))
        assert named - known == set(), file
    json.loads((ROOT / "config" / "grafana" / "kine-gateway.json").read_text(encoding="utf-8"))


def test_the_health_address_stays_on_this_machine(practice: Practice) -> None:
    from gateway.errors import ConfigError
    from gateway.settings import load

    text = practice.config.read_text(encoding="utf-8").replace("127.0.0.1:0", "0.0.0.0:9464")
    assert tomllib.loads(text)["health"]["listen"] == "0.0.0.0:9464"
    practice.config.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"127\.0\.0\.1"):
        load(practice.config)
