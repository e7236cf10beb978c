"""The crash campaign (`make crash`, `python -m tests.crash.campaign --help`): kill -9 at every step and at random.

A sidecar, workers and a submitting program run the product; a witness in a process of its own is the other side.
Whatever is killed is started again, as a service manager does, until every document went through; then all is drained,
and the store, its journal and the witness are compared. SIGKILL is not a power cut: see docs/reliability.md.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from tests.crash import crew, errands, judge, papers, steps
from tests.crash.fleet import Fleet
from tests.crash.papers import FOLDERS

BACKLOG = 16
"""Documents that may wait at each of the two doors."""


@dataclass(frozen=True)
class Plan:
    """How much is done. `at_each`: kills at each step; `pauses`: processes stopped past their lease."""

    store: str
    documents: int
    kills: int
    at_each: int
    pauses: int
    server_kills: int = 0
    seed: int = 0
    minutes: float = 60.0
    steps: tuple[str, ...] = ()
    faults_every: float = 5.0
    patience: float = 12.0
    """Seconds that a mined process has to reach its step; then it is killed where it stands, and another tries."""


@dataclass
class Result:
    """What is printed."""

    plan: dict[str, Any]
    seconds: float = 0.0
    kills: int = 0
    kills_at_random_instants: int = 0
    kills_by_step: dict[str, int] = field(default_factory=dict)
    kills_by_process: dict[str, int] = field(default_factory=dict)
    server_backends_killed: int = 0
    server_restarts: int = 0
    turned_away: int = 0
    ended_by_a_fault: list[str] = field(default_factory=list)
    pauses: dict[str, Any] = field(default_factory=dict)
    verdict: dict[str, Any] = field(default_factory=dict)
    steps_not_reached: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether the promise held."""
        return not self.verdict["faults"] and not self.ended_by_a_fault and not self.steps_not_reached


class Campaign:
    """One store, one witness, and the processes that die."""

    def __init__(self, plan: Plan, folder: Path, url: str, server: Any = None) -> None:
        self.plan, self.folder, self.server = plan, folder, server
        self.chance = random.Random(plan.seed)
        self.url = url
        self.dropped, self.planned = 0, plan.documents
        self.result = Result(asdict(plan) | {"steps": len(plan.steps)})
        self._collected = self._odd = 0.0
        self.odd_files = 0

    def run(self) -> Result:
        """Everything, from the first document to the comparison."""
        started = time.monotonic()
        with _witness(self.folder, self.plan.faults_every) as config:
            configs = papers.configurations(config, self.url)
            fleet = Fleet(self.folder, configs, self.plan, self.chance, alone=self.server is None)
            try:
                self._strike(fleet, started)
                self._drain(fleet)
            finally:
                fleet.end()
        self._conclude(fleet, configs["all"])
        self.result.seconds = round(time.monotonic() - started, 1)
        return self.result

    def _strike(self, fleet: Fleet, started: float) -> None:
        """Kill, and start again, while documents come in."""
        limit, said, fed, share = started + 60 * self.plan.minutes, started, 0.0, 0.0
        while time.monotonic() < limit:
            if time.monotonic() - fed > 0.2:
                fed = time.monotonic()
                share = self._feed(fleet, more=not fleet.satisfied)
            pace = max(share, (time.monotonic() - started) / (limit - started))
            fleet.turn(pace)
            self._hit_the_server(pace)
            if share >= 1 and fleet.satisfied:
                return
            if time.monotonic() - said > 20:
                said = time.monotonic()
                lacking = fleet.lacking
                named = f": {', '.join(lacking)}" if 0 < len(lacking) < 10 else ""
                _say(f"{share:.0%} of the documents, {fleet.kills} kills, {len(lacking)} steps to go{named}")
            time.sleep(0.02)
        _say("time is up: what is in goes through undisturbed")
        self.planned = self.dropped

    def _feed(self, fleet: Fleet, *, more: bool = False) -> float:
        """Drop files as long as few wait; collect the status files of what is sent. Returns the share that is in.

        `more`: go on past what was planned, since some steps are still to be come to.
        """
        waiting = len(self._waiting())
        behind = self.dropped // 2 - len(crew.answered(self.folder))
        while waiting < BACKLOG and behind < BACKLOG and (more or self.dropped < self.planned):
            if papers.account_of(self.dropped) in FOLDERS:
                self._drop(self.dropped)
                waiting += 1
            self.dropped += 1
        fleet.until = self.dropped
        if self.plan.steps and not fleet.calmed and time.monotonic() - self._odd > 10:
            self._odd, self.odd_files = time.monotonic(), self.odd_files + 1
            errands.drop_odd_files(self.folder, self.odd_files)
        self._collect()
        return (self.dropped - waiting - behind) / self.plan.documents

    def _waiting(self) -> list[Path]:
        return [path for one in FOLDERS for path in (self.folder / "outbox" / one / "new").glob("d*.json")]

    def _drop(self, number: int) -> None:
        new = self.folder / "outbox" / papers.account_of(number) / "new"
        new.mkdir(parents=True, exist_ok=True)
        part = new / f"{papers.key_of(number)}.part"
        part.write_bytes(papers.paper(number))
        part.rename(part.with_suffix(".json"))

    def _collect(self) -> None:
        """What billing software does: take away the status files of documents that are sent everywhere."""
        if time.monotonic() - self._collected < 3:
            return
        self._collected = time.monotonic()
        for path in self.folder.glob("outbox/*/status/d*.json"):
            with contextlib.suppress(OSError, ValueError):
                states = {one["transport"] for one in json.loads(path.read_bytes())["deliveries"]}
                if states <= {"sent"}:
                    target = path.parents[1] / "collected" / path.name
                    target.parent.mkdir(exist_ok=True)
                    path.rename(target)

    def _hit_the_server(self, share: float) -> None:
        """PostgreSQL only: kill a server process, or the whole server, a few times along the way."""
        done = self.result.server_backends_killed + self.result.server_restarts
        if self.server is None or done >= self.plan.server_kills or share * (self.plan.server_kills + 1) < done + 1:
            return
        if done % 2:
            self.server.restart()
            self.result.server_restarts += 1
        else:
            self.result.server_backends_killed += self.server.kill_backend()

    def _drain(self, fleet: Fleet) -> None:
        """Undisturbed processes until nothing moves any more; every file is in, every submission is answered."""
        from gateway.api import Gateway

        fleet.calm(max(self.dropped, self.planned))
        limit, quiet, before = time.monotonic() + 600, 0, None
        with Gateway.open(fleet.configs["all"]) as gateway:
            errands.settle(gateway)
            while quiet < 5:
                if time.monotonic() > limit:
                    _say("it did not come to rest")
                    return
                fleet.turn(1.0)
                self._feed(fleet)
                now = Counter((one.account, one.channel, one.state, one.number) for one in gateway.store.counts())
                done = self._all_in() and not any(state not in {"in_doubt", "sent"} for _, _, state, _ in now)
                done = done and not any(channel == "dmp" and state == "in_doubt" for _, channel, state, _ in now)
                quiet = quiet + 1 if done and now == before else 0
                before = now
                time.sleep(0.7)

    def _all_in(self) -> bool:
        library = sum(papers.account_of(n) in papers.LIBRARY for n in range(self.dropped))
        whole = self.dropped >= self.planned
        return whole and not self._waiting() and len(crew.answered(self.folder)) >= library

    def _conclude(self, fleet: Fleet, config: Path) -> None:
        from gateway.api import Gateway

        result = self.result
        with Gateway.open(config) as gateway:
            result.verdict = judge.judge(gateway, self.folder, self.dropped).as_dict()
            result.pauses = fleet.pauses.told(gateway)
        result.kills = fleet.kills
        result.kills_at_random_instants = fleet.killed["random"]
        result.kills_by_step = dict(sorted((fleet.killed - Counter({"random": fleet.killed["random"]})).items()))
        result.kills_by_process = dict(fleet.by_process)
        result.turned_away, result.ended_by_a_fault = fleet.turned_away, fleet.faults
        result.steps_not_reached = sorted(fleet.lacking)


@contextmanager
def _witness(folder: Path, every: float) -> Iterator[Path]:
    """The other side, in a process of its own that nobody kills."""
    command = [sys.executable, "-m", "tests.crash.witness", str(folder), str(every)]
    with (
        (folder / "witness.log").open("wb") as log,
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, start_new_session=True
        ) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield Path(json.loads(process.stdout.readline())["config"])
        finally:
            process.stdin.close()
            assert process.wait(60) == 0, "the witness ended badly"


def _say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def campaign(plan: Plan, folder: Path) -> Result:
    """Run one campaign in an empty folder."""
    if plan.store == "sqlite":
        return Campaign(plan, folder, f"sqlite:///{folder / 'gateway.sqlite'}").run()
    from tests.crash.pg_server import running

    with running() as server:
        return Campaign(plan, folder, server.url(), server).run()


def main(arguments: list[str] | None = None) -> int:
    """Run on one store or both, print the results, and say by the exit code whether the promise held."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash.campaign", description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--store", choices=("sqlite", "postgres", "both"), default="both")
    parser.add_argument("--documents", type=int, default=5000, help="each to three destinations")
    parser.add_argument("--kills", type=int, default=500, help="at least so many, of all kinds")
    parser.add_argument("--steps", nargs="*", default=["*"], help="only these (claiming.*, smtp.*)")
    parser.add_argument("--at-each", type=int, default=2, help="kills at each named step")
    parser.add_argument("--pauses", type=int, default=40, help="processes stopped past their lease")
    parser.add_argument("--server-kills", type=int, default=20, help="of PostgreSQL: processes and restarts")
    parser.add_argument("--minutes", type=float, default=40.0, help="after that nobody is killed any more")
    parser.add_argument("--seed", type=int, default=0, help="of what is drawn; 0: another each time")
    parser.add_argument("--dir", type=Path, help="where the folders are made (a tmpfs is quicker)")
    parser.add_argument("--out", type=Path, help="file for the results, as JSON")
    parser.add_argument("--json", action="store_true", help="print JSON")
    given = parser.parse_args(arguments)
    seed, ok = given.seed or random.SystemRandom().randrange(1, 10**6), True
    results = []
    for store in ("sqlite", "postgres") if given.store == "both" else (given.store,):
        plan = Plan(
            store,
            given.documents,
            given.kills,
            given.at_each,
            given.pauses,
            given.server_kills if store == "postgres" else 0,
            seed,
            given.minutes,
            tuple(step for step in steps.wanted() if any(fnmatch(step, one) for one in given.steps)),
        )
        folder = Path(tempfile.mkdtemp(prefix="kine-crash-", dir=given.dir))
        folder.chmod(0o755)  # the mail server reads its boxes below it as another user
        result = campaign(plan, folder)
        if result.ok:
            shutil.rmtree(folder, ignore_errors=True)
        else:
            _say(f"left for you to look at: {folder}")
        ok = ok and result.ok
        results.append(asdict(result) | {"ok": result.ok})
        if given.out:
            given.out.write_text(json.dumps(results, indent=1), encoding="utf-8")
        print(json.dumps(results[-1], indent=1) if given.json else table(results[-1]), flush=True)
    return 0 if ok else 1


def table(result: dict[str, Any]) -> str:
    """A result for people."""
    flat = {**result, **result["verdict"], **{f"pauses, {k}": v for k, v in result["pauses"].items()}}
    left_out = {"verdict", "pauses", "plan", "kills_by_step"}
    lines = [f"{result['plan']['store']} (seed {result['plan']['seed']})"]
    lines += [f"  {name.replace('_', ' '):<44} {value}" for name, value in flat.items() if name not in left_out]
    lines += ["  kills by step"] + [f"    {step:<44} {number}" for step, number in result["kills_by_step"].items()]
    return "\n".join(lines)


if __name__ == "__main__":
    os.environ.setdefault("PYTHONHASHSEED", "0")
    sys.exit(main())
