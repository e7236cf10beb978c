"""The long form: `python -m tests.fuzz.run` executes every target many times, and prints what came of it.

    python -m tests.fuzz.run --executions 1000000            shared out over the targets
    python -m tests.fuzz.run --target cda --executions 50000
    python -m tests.fuzz.run --engine bytes                  without atheris (any system, any Python)

With atheris (Linux; `make fuzz` installs it) libFuzzer follows the coverage of the `gateway` package; what it finds
new is kept in build/fuzz/TARGET and takes part the next time. Without, mutations alone. One process a target: its
memory is bounded, and a crash of one says nothing of the others. An input that breaks a promise is written beside,
as build/fuzz/TARGET.crash; put it into tests/fuzz/corpus with the fix.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from random import Random
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "fuzz"
MEMORY = 3_000_000_000
"""Bytes of address space of one target's process."""


def main() -> int:
    """Run a campaign, or one target of it in this process."""
    options = _options()
    if options.child:
        return _child(options)
    from tests.fuzz.targets import targets

    chosen = [one for one in targets() if options.target in {None, one.name}]
    shares = sum(one.share for one in chosen)
    BUILD.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    with ThreadPoolExecutor(options.jobs) as pool:
        jobs = [(one.name, math.ceil(options.executions * one.share / shares)) for one in chosen]
        rows = list(pool.map(lambda job: _one(*job, options.engine, options.seed), jobs))
    print(_table(rows, time.monotonic() - started))
    (BUILD / "results.json").write_text(json.dumps(rows, indent=1) + "\n")
    return 1 if any(row["broken"] for row in rows) else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.run")
    parser.add_argument("--executions", type=int, default=1_000_000)
    parser.add_argument("--target")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--engine", choices=("atheris", "bytes"), default="atheris" if _has_atheris() else "bytes")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def _has_atheris() -> bool:
    return find_spec("atheris") is not None


def _one(name: str, executions: int, engine: str, seed: int) -> dict[str, Any]:
    """Run one target in a process of its own; its last line tells how it went."""
    command = [sys.executable, "-m", "tests.fuzz.run", "--child", "--target", name]
    command += ["--executions", str(executions), "--engine", engine, "--seed", str(seed)]
    started = time.monotonic()
    with tempfile.TemporaryFile() as out:
        code = subprocess.run(command, cwd=ROOT, stdout=out, stderr=subprocess.STDOUT, check=False).returncode
        out.seek(0)
        said = out.read().decode("utf-8", "replace")
    told = [line for line in said.splitlines() if line.startswith("RESULT ")]
    row = json.loads(told[-1][7:]) if told else {"executions": 0, "memory": 0, "slowest": 0.0, "refused": 0}
    broken = code != 0 or not told
    if broken:
        (BUILD / f"{name}.log").write_text(said)
    found = {"target": name, "engine": engine, **row, "seconds": round(time.monotonic() - started, 1), "broken": broken}
    print(f"{name}: {found['executions']} executions, {'BROKEN, see build/fuzz/' + name if broken else 'held'}")
    return found


def _table(rows: list[dict[str, Any]], seconds: float) -> str:
    lines = [
        "",
        "| Target | Executions | Engine | Slowest (ms CPU) | Memory (MB) | Result |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        result = "BROKEN" if row["broken"] else "held"
        cells = (row["target"], row["executions"], row["engine"], row["slowest"], row["memory"], result)
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    total, broken = sum(row["executions"] for row in rows), sum(row["broken"] for row in rows)
    lines.append(f"\n{total} executions of {len(rows)} targets in {seconds / 60:.1f} minutes: {broken} broken.")
    return "\n".join(lines)


# ------------------------------------------------------------------------------------------------ one target


class _Count:
    def __init__(self, name: str) -> None:
        self.name = name
        self.executions = 0
        self.slowest = 0.0

    def tell(self) -> None:
        """One line that the campaign reads."""
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        told = {"executions": self.executions, "memory": memory, "slowest": round(self.slowest * 1000)}
        print("RESULT " + json.dumps(told), flush=True)


def _child(options: argparse.Namespace) -> int:
    if options.engine == "atheris":
        return _libfuzzer(options)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    feed, count, target = _prepared(options.target)
    dice, seeds = Random(f"{options.seed} {options.target}"), target.seeds()
    from tests.fuzz.mutate import mutated

    grown = list(seeds)
    try:
        for data in seeds:
            feed(data)
        while count.executions < options.executions:
            data = mutated(dice.choice(grown), dice, target.words)
            feed(data)
            if dice.randrange(50) == 0:  # a walk away from the corpus, and back
                grown = [*grown[-200:], data] if len(grown) < 400 else list(seeds)
    finally:
        count.tell()
    return 0


def _prepared(name: str) -> tuple[Any, _Count, Any]:
    """The function that is executed: counted, timed, and what it breaks on written down."""
    from tests.fuzz.target import execute
    from tests.fuzz.targets import scratch, targets

    target = next(one for one in targets() if one.name == name)
    count, path = _Count(name), scratch()
    for data in target.seeds():
        with contextlib.suppress(*target.refuses):
            target.feed(data)  # tables and lazy imports are loaded before anything is guarded or timed

    def feed(data: bytes) -> None:
        count.executions += 1
        before = time.thread_time()
        try:
            execute(target, data, path)
        except BaseException:
            (BUILD / f"{name}.crash").write_bytes(data)
            raise
        count.slowest = max(count.slowest, time.thread_time() - before)

    return feed, count, target


def _libfuzzer(options: argparse.Namespace) -> int:
    import atheris

    with atheris.instrument_imports(include=["gateway"]):
        feed, count, target = _prepared(options.target)
    from tests.fuzz.mutate import mutated

    kept = BUILD / options.target
    kept.mkdir(parents=True, exist_ok=True)
    for place, data in enumerate(target.seeds()):
        (kept / f"seed-{place}").write_bytes(data)
    ends = options.executions

    def once(data: bytes) -> None:
        if count.executions >= ends:
            count.tell()
            sys.stdout.flush()
            os._exit(0)  # libFuzzer itself would leave with a report of its own
        try:
            feed(data)
        except BaseException:
            count.tell()
            raise

    def mutate(data: bytes, most: int, seed: int) -> bytes:
        dice = Random(seed)
        if dice.randrange(2):
            return bytes(atheris.Mutate(data, most))
        return mutated(data, dice, target.words)[:most]

    arguments = [sys.argv[0], f"-seed={options.seed % 2**31 or 1}", "-max_len=60000", "-timeout=120"]
    arguments += ["-rss_limit_mb=3000", f"-artifact_prefix={BUILD}/{options.target}-", "-verbosity=0", str(kept)]
    atheris.Setup(arguments, once, custom_mutator=mutate)
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
