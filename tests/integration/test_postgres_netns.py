"""Several machines, as network namespaces with a TCP stack a cable each: cut one, nothing is lost or doubled."""

from __future__ import annotations

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trustme

from gateway.settings import Settings
from tests.integration import netns, pg_machines, pg_victim
from tests.integration.netns import Machine
from tests.integration.pg_fleet import DOCUMENTS, Start, check, ended, is_stopped, sink, start, wait_until
from tests.integration.pg_machines import QUICK, Site, events
from tests.integration.pg_victim import Sink

__all__ = ["sink", "start"]
pytestmark = [pytest.mark.needs("postgres", "ip", "netns"), pytest.mark.timeout(180)]
LONG = "KINE_NETWORK_LONG" in os.environ
"""Also with the time-outs of an installed gateway, as they are."""
TIMEOUTS = [pytest.param(QUICK, 0.5, 10.0, id="quick"), *([pytest.param("", 10.0, 40.0, id="asis")] if LONG else [])]
FEW = 6


@pytest.fixture(scope="module")
def site(needs: Callable[..., None], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    needs("postgres", "ip", "netns")
    with pg_machines.site(tmp_path_factory.mktemp("site"), 3) as made:
        yield made


@dataclass
class Fleet:
    """One store, seen from where it stands (`chosen`) and from each machine."""

    site: Site
    chosen: Settings
    start: Start

    @property
    def machines(self) -> list[Machine]:
        return self.site.network.machines

    def on(self, machine: Machine, target: Callable[..., None], *arguments: Any, options: str = QUICK) -> Any:
        """A process on a machine; its settings come first."""
        url = self.site.url(self.chosen.store.url) + options
        return self.start(netns.inside, machine, target, pg_machines.seen_from(self.chosen, machine, url), *arguments)

    def held(self, machine: Machine, event: str) -> Any:
        return pg_machines.held(self.site.server, self.chosen.store.url, machine, event)

    def events(self, event: str) -> int:
        return events(self.site.server, self.chosen.store.url, event)

    def nobody_writes(self) -> Any:
        return pg_machines.nobody_writes(self.site.server, self.chosen.store.url)

    def fill(self, number: int) -> None:
        pg_victim.submit(self.chosen, "doc", number)


@pytest.fixture
def fleet(site: Site, tmp_path: Path, start: Start) -> Iterator[Fleet]:
    url = site.server.fresh()
    made = Fleet(site, pg_victim.settings(tmp_path, url), start)
    pg_victim.open_store(made.chosen).close()  # founded
    yield made
    site.server.clean(url)


def test_machines_share_the_queue(fleet: Fleet, sink: Sink) -> None:
    """One submits, two send, all three by TCP and TLS from addresses of their own."""
    first, second, third = fleet.machines
    with fleet.nobody_writes() as waiting:
        submitter = fleet.on(third, pg_victim.submit, "doc", DOCUMENTS)
        wait_until(lambda: waiting() == {(third.address, True)})
    ended(submitter)
    with fleet.nobody_writes() as waiting:
        workers = [fleet.on(one, pg_victim.work, one.address, sink, 60.0, 0.0) for one in (first, second)]
        wait_until(lambda: waiting() == {(first.address, True), (second.address, True)})
    for worker in workers:
        ended(worker)
    claimed = [record for record in check(fleet.chosen, sink) if record["event"] == "claimed"]
    assert len(claimed) == DOCUMENTS
    assert {record["worker"] for record in claimed} == {first.address, second.address}


def test_a_server_that_is_not_the_one_expected_is_refused(fleet: Fleet, sink: Sink, tmp_path: Path) -> None:
    """The second machine checks the server's certificate, and the server checks its password."""
    first, _, _ = fleet.machines
    trustme.CA().cert_pem.write_to_path(tmp_path / "other.pem")
    near = fleet.chosen.store.url
    for name, url in (
        ("authority", fleet.site.url(near, tmp_path / "other.pem")),
        ("name", fleet.site.url(near).replace(pg_machines.NAME, "other.example")),
        ("password", fleet.site.url(near).replace(pg_machines.PASSWORD, "faux")),
        ("cleartext", fleet.site.url(near) + "&sslmode=disable"),
    ):
        chosen = pg_machines.seen_from(fleet.chosen, first, url)
        ended(fleet.start(netns.inside, first, pg_machines.try_to_open, chosen, name, sink))
        assert [code for code, _ in sink.complaints(name)] == ["STO-013"], name


def test_a_machine_cut_off_is_taken_over_and_gets_on_by_itself(fleet: Fleet, sink: Sink) -> None:
    """Its cable goes while it holds leases: one document has arrived there and is not recorded, others never left."""
    first, second, _ = fleet.machines
    fleet.fill(DOCUMENTS)
    lost = fleet.on(first, pg_machines.work_and_stop, "lost", sink, 1.5, 2)
    wait_until(lambda: is_stopped(lost))
    first.cut()
    os.kill(lost.pid, signal.SIGCONT)
    ended(fleet.on(second, pg_victim.work, "other", sink, 30.0, 0.0))
    assert len(sink.received()) == DOCUMENTS, "the other sent what the lost one held"
    assert lost.is_alive()
    first.mend()
    ended(lost)
    records = check(fleet.chosen, sink)
    assert {record["worker"] for record in records if record["event"] == "recovered"} == {"lost"}
    late = [record for record in records if record["event"] == "late_result"]
    assert {record["worker"] for record in late} == {"lost"}, "what it had to say is journalled"


@pytest.mark.parametrize("event", ["accepted", "claimed", "transmit", "taken"])
def test_a_commit_whose_answer_is_lost_is_told_so_and_done_once(fleet: Fleet, sink: Sink, event: str) -> None:
    """The server commits; its answer vanishes on the way. The machine learns that it does not know, and asks again."""
    first, second, _ = fleet.machines
    if event != "accepted":
        fleet.fill(FEW)
    with fleet.held(first, event) as held:
        if event == "accepted":
            unsure = fleet.on(first, pg_victim.submit, "doc", FEW, sink)
        else:
            unsure = fleet.on(first, pg_victim.work, "doc", sink, 1.0, 0.0)
        wait_until(lambda: held.reached)
        before = fleet.events(event)
        first.deafen()
        held.let_go()
        wait_until(lambda: fleet.events(event) > before)  # it is committed
        took = wait_until(lambda: bool(sink.complaints("doc")))
        first.hear()
    print(f"{event}: told after {took:.1f} s")
    assert sink.complaints("doc")[0][0] == "STO-011"
    ended(unsure)
    ended(fleet.on(second, pg_victim.work, "rest", sink, 30.0, 0.0))
    records = check(fleet.chosen, sink, FEW)
    count = Counter(record["event"] for record in records)
    assert count["accepted"] == FEW
    assert count["taken"] == FEW
    assert count["late_result"] == (event == "taken"), "its second word about what it had recorded changes nothing"


@pytest.mark.parametrize(("options", "patience", "bound"), TIMEOUTS)
def test_a_server_whose_host_vanished_holds_nobody_for_long(
    fleet: Fleet, sink: Sink, options: str, patience: float, bound: float
) -> None:
    first, _, _ = fleet.machines
    asking = fleet.on(first, pg_machines.ask_on_and_on, "asking", sink, patience, options=options)
    wait_until(lambda: bool(sink.received()))
    first.cut()
    wait_until(lambda: len(sink.complaints("asking")) >= 2, 2 * bound)
    first.mend()
    wait_until(lambda: sink.received()["answered"] == 2, bound)
    sink.path.with_name("over").touch()
    ended(asking)
    told = sink.complaints("asking")
    print(f"told after {told[0][1]:.1f} s, then after {told[1][1]:.1f} s")
    assert {code for code, _ in told} == {"STO-010"}
    assert max(seconds for _, seconds in told) < bound


class TestInRealTime:
    """What takes as long as it takes."""

    __test__ = LONG

    @pytest.mark.parametrize(
        ("vanish", "bound"), [(pg_machines.vanish_waiting, 20.0), (pg_machines.vanish_reading, 28.0)]
    )
    def test_one_that_vanished_inside_a_transaction_holds_the_others_up_for_seconds(
        self, fleet: Fleet, sink: Sink, vanish: Callable[..., None], bound: float
    ) -> None:
        """It held a shard of the journal. The server ends its transaction; nobody has to be told to wait."""
        first, second, _ = fleet.machines
        with pg_machines.shut(fleet.site.server) as held:
            fleet.on(first, vanish)
            wait_until(lambda: held.reached)
            first.cut()
            held.let_go()
            started = time.monotonic()
            ended(fleet.on(second, pg_victim.submit, "doc", 1, sink))
            took = time.monotonic() - started
        first.mend()
        print(f"held up for {took:.1f} s")
        assert 5 < took < bound
        assert sink.complaints("doc") == []


def test_connections_ask_the_system_to_notice_a_lost_peer(fleet: Fleet, sink: Sink) -> None:
    """What the defaults are, at both ends, where it counts: in the kernel and in the server's session."""
    ended(fleet.on(fleet.machines[0], pg_machines.tell_timeouts, sink, options=""))
    told = json.loads(sink.path.with_name("timeouts").read_text())
    client, server = told["client"], told["server"]
    assert client == {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 20_000}
    assert server == {
        "keepalives_idle": "10",
        "keepalives_interval": "5",
        "keepalives_count": "3",
        "user_timeout": "20000",
    }
