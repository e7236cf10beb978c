"""Fixtures of the whole suite: the reference material, the outside checkers, and visible skips.

A test that wants a server or a tool says so with `@pytest.mark.needs("postfix", "dovecot")` or by calling the
`needs` fixture. Where one is missing the test is skipped, and counted at the end; with KINE_REQUIRE_SERVERS=1
it fails instead (that is what .ci/run sets), unless no package could bring what is missing (GRANTED).
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import hypothesis
import pytest

from tests.integration import database, netns

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("KINE_SHARED", ROOT.parent / "shared")).resolve()
NODE_DIR = ROOT / "build" / "node"
JAVA_DIR = Path("/usr/share/java")
PREFLIGHT_JARS = ("preflight", "pdfbox2", "fontbox2", "xmpbox", "commons-logging", "javax.activation", "jaxb-api")
SKIPPED = pytest.StashKey[Counter[str]]()


def _command(name: str) -> Callable[[], bool]:
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
    return lambda: shutil.which(name, path=path) is not None


def _root_and(name: str) -> Callable[[], bool]:
    # Postfix and Dovecot refuse to start their master process without root.
    return lambda: hasattr(os, "geteuid") and os.geteuid() == 0 and _command(name)()


def _can_mount() -> bool:
    command = ["unshare", "-m", "mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", "/mnt"]
    return _root_and("unshare")() and subprocess.run(command, capture_output=True, check=False).returncode == 0


TOOLS: dict[str, Callable[[], bool]] = {
    "shared": (SHARED / "DESIGN.md").is_file,
    "postfix": _root_and("postfix"),
    "dovecot": _root_and("dovecot"),
    "xmlsec1": _command("xmlsec1"),
    "openssl": _command("openssl"),
    "systemd-analyze": _command("systemd-analyze"),
    "java": _command("java"),
    "javac": _command("javac"),
    "node": _command("node"),
    "pdftoppm": _command("pdftoppm"),
    "chromium": _command("chromium"),
    "opensaml-schemas": Path("/usr/share/xml/opensaml/saml-schema-assertion-2.0.xsd").is_file,
    "npm-packages": (NODE_DIR / ".installed").is_file,
    "postgres": database.available,
    "ip": _command("ip"),
    "netns": netns.allowed,
    "tmpfs": _can_mount,
    "preflight": lambda: all((JAVA_DIR / f"{jar}.jar").is_file() for jar in PREFLIGHT_JARS),
}
"""What a test may ask for, and how to see whether it is there."""
GRANTED = {"netns": "network namespaces, which this system or user does not allow"}
"""What no package brings: without it a test is skipped, and counted, even where skipping is forbidden."""


def _require(config: pytest.Config, names: tuple[str, ...]) -> None:
    missing = [name for name in names if not TOOLS[name]()]
    if not missing:
        return
    wanted = ", ".join(GRANTED.get(name, name) for name in missing)
    message = f"needs {wanted} (make servers, make test; the reference material stands in ../shared)"
    if os.environ.get("KINE_REQUIRE_SERVERS") == "1" and not GRANTED.keys() >= set(missing):
        pytest.fail(f"{message}; skipping is forbidden here", pytrace=False)
    config.stash[SKIPPED].update(missing)
    pytest.skip(message)


# No deadline for one example: how long it takes says more about the machine than about the code.
hypothesis.settings.register_profile("suite", deadline=None)
hypothesis.settings.register_profile("repeatable", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))


def pytest_configure(config: pytest.Config) -> None:
    config.stash[SKIPPED] = Counter()
    config.addinivalue_line("markers", "needs(*names): servers and tools, see TOOLS in tests/conftest.py")
    config.addinivalue_line("markers", "engine(*names): stores that a test is about, see tests/unit/store/engines.py")


# What a fixture stands on: a test that asks for it needs that too.
STANDS_ON = {"real_mail": ("postfix", "dovecot")}
NEEDED = "needed"
"""Name of the property by which a report says what its test needed: reports alone come back from xdist's workers."""


def pytest_runtest_setup(item: pytest.Item) -> None:
    names = {name for marker in item.iter_markers("needs") for name in marker.args}
    names.update(*(STANDS_ON.get(fixture, ()) for fixture in getattr(item, "fixturenames", ())))
    item.user_properties.append((NEEDED, sorted(names)))
    for marker in item.iter_markers("needs"):
        _require(item.config, marker.args)


def _told(terminalreporter: pytest.TerminalReporter, *outcomes: str) -> Counter[str]:
    """How many tests with one of these outcomes needed each tool."""
    reports = [report for outcome in outcomes for report in terminalreporter.stats.get(outcome, ())]
    return Counter(
        name
        for report in reports
        for key, names in getattr(report, "user_properties", ())
        if key == NEEDED
        for name in names
    )


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    ran = _told(terminalreporter, "passed", "failed", "error")
    if ran:
        listed = ", ".join(f"{name} {number}" for name, number in sorted(ran.items()))
        terminalreporter.write_line(f"Tests that ran against real servers and tools: {listed}.")
    missing = {name: number for name, number in _told(terminalreporter, "skipped").items() if not TOOLS[name]()}
    counted = config.stash[SKIPPED] | Counter(missing)  # the larger of the two: a fixture refuses once for many tests
    if counted:
        listed = ", ".join(f"{name} ({number})" for name, number in sorted(counted.items()))
        terminalreporter.write_line(f"Skipped for want of a server or tool: {listed}", yellow=True, bold=True)
    else:
        terminalreporter.write_line("No test was skipped for want of a server or tool.")


@pytest.fixture(scope="session")
def needs(request: pytest.FixtureRequest) -> Callable[..., None]:
    """`needs("postfix")`: skip, visibly and counted, or fail where skipping is forbidden."""

    def ask(*names: str) -> None:
        _require(request.config, names)

    return ask


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return ROOT


@pytest.fixture(scope="session")
def shared(needs: Callable[..., None]) -> Path:
    """The reference material (spec, kit, tools, cases): ../shared, or $KINE_SHARED."""
    needs("shared")
    return SHARED


@pytest.fixture(scope="session")
def kitcheck(shared: Path) -> Callable[[bytes], list[Any]]:
    """`kitcheck(cda) -> errors`, by the official schemas and schematrons, compiled once per session."""
    module = _load(shared / "tools" / "kitcheck.py", "kitcheck")
    kit = module.Kit(shared / "kit")
    kit.warm()

    def check(document: bytes) -> list[Any]:
        return [found for found in kit.check(document) if found.role not in {"warning", "info", "hint"}]

    return check


def _load(path: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up there
    written, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        spec.loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = written
    return module


@pytest.fixture(scope="session")
def fhircheck(
    shared: Path, needs: Callable[..., None], tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., list[dict[str, Any]]]:
    """`fhircheck(bundle, *options) -> errors`, by R4 and the FR Core profiles; one Node run for each bundle."""
    needs("node", "npm-packages")
    folder = tmp_path_factory.mktemp("fhircheck")

    def check(bundle: bytes, *options: str) -> list[dict[str, Any]]:
        path = folder / "bundle.json"
        path.write_bytes(bundle)
        command = ["node", str(shared / "tools" / "fhircheck.mjs"), str(path), "--json", *options]
        run = subprocess.run(command, cwd=NODE_DIR, capture_output=True, text=True, timeout=100, check=False)
        assert run.returncode in {0, 1}, f"the checker did not run: {run.stderr}"
        return [issue for issue in json.loads(run.stdout)["issues"] if issue["severity"] in {"error", "fatal"}]

    return check


@pytest.fixture(scope="session")
def preflight(
    needs: Callable[..., None], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[bytes], list[str]]]:
    """`preflight(pdf) -> breaches of PDF/A-1b`, by Apache PDFBox Preflight."""
    needs("javac", "preflight")
    folder = tmp_path_factory.mktemp("preflight")
    jars = os.pathsep.join(str(JAVA_DIR / f"{jar}.jar") for jar in PREFLIGHT_JARS)
    source = ROOT / "tests" / "tools" / "Preflight.java"
    subprocess.run(["javac", "-cp", jars, "-d", str(folder), str(source)], check=True, timeout=60)

    def check(pdf: bytes) -> list[str]:
        path = folder / "document.pdf"
        path.write_bytes(pdf)
        command = ["java", "-cp", f"{jars}{os.pathsep}{folder}", "Preflight", str(path)]
        run = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
        assert run.returncode == 0, f"the checker did not run: {run.stderr}"
        return run.stdout.splitlines()

    return check


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificates of a sandbox for every author of the fixtures, made once."""
    from tests.integration.practice import open_practice

    folder = tmp_path_factory.mktemp("certificates")
    open_practice(folder).box.close()
    return folder / "sandbox" / "pki"
