"""No identity and no clinical word in whatever a practice writes, in any encoding; where they may be, they are seen.

The practice hands in every fixture by its folder (one file is named after its patient) and by the library, meets
faults, refusals and receipts, and is looked at by every face (tests/security/life.py). Then everything below its folder
and everything that it said is searched (tests/security/disguises.py, needles.py).
"""

from __future__ import annotations

import base64
import gzip
import io
import os
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from urllib.parse import quote_from_bytes

import pytest

from tests.integration.practice import CASES, ROOT, open_practice
from tests.security import life
from tests.security.needles import Needle, Needles, of_cases

pytestmark = pytest.mark.timeout(1200)

ALLOWED = {
    "practice/outbox/*/new/*": "DESIGN §4 Folder: a file until it is taken over",
    "practice/outbox/*/rejected/*.json": "DESIGN §4 Folder: a refused file moves there as it was",
    "practice/outbox/*/accepted/*": "DESIGN §4 Folder: setting `keep`, off by default",
    "practice/outbox/*/a_imprimer/*": "DESIGN §4 Delivery: handed over by a person, on paper (docs/folder.md)",
    "practice/sandbox/*": "DESIGN §3: what the other side received, its mailboxes, DMP and INSi",
    "told/show-*": "DESIGN §4 At rest: `queue show` opens for the practice the words that a person noted",
}
"""Where the design lets traits be, and where it says so."""
NAMES = ("practice/outbox/*/A_FAIRE.html",)
"""Where the name of a dropped file may be read, and nothing else (DESIGN §4 Folder: it stays in this folder)."""
OURS = ("mappings/faces.toml", "docs/findings.md")
"""What the gateway says by itself; some of it a physiotherapist writes as well."""
REPORTS = "practice/outbox/*/rejected/*.report.*"


@dataclass(frozen=True)
class Lived:
    """The practice, everything that it wrote, and what to look for."""

    files: dict[str, Path]
    needles: Needles

    def strict(self) -> Iterator[tuple[str, Path]]:
        """The files in which nothing may be."""
        for name, path in self.files.items():
            if fnmatch(name, REPORTS) or not any(fnmatch(name, place) for place in ALLOWED):
                yield name, path


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory, certificates: Path) -> Lived:
    folder = tmp_path_factory.mktemp("vie")
    practice = open_practice(folder / "practice", certificates=certificates)
    needles = of_cases(CASES)
    try:
        before = _known(folder, needles)
        life.live(practice, folder / "told")
    finally:
        practice.box.close()
    files = {str(path.relative_to(folder)): path for path in sorted(folder.rglob("*")) if path.is_file()}
    return Lived(files, needles.without(before))


def _known(folder: Path, needles: Needles) -> set[Needle]:
    """What says nothing of anybody: it stands in our own words, or in a configuration without any patient."""
    ours = {one for page in OURS for one in needles.within((ROOT / page).read_bytes())}
    assert {one.kind for one in ours} <= {"clinical"}
    assert len(ours) < 10, ours
    found: set[Needle] = set()
    for path in folder.rglob("*"):
        if path.is_file() and "sandbox" not in path.parts:
            found |= needles.within(path.read_bytes())
    assert len(found) < 3, found
    return ours | found


def test_nothing_that_a_practice_writes_says_who_or_what(lived: Lived) -> None:
    named = lived.needles.within(life.NAMED.encode())
    assert len(named) > 3
    found = {}
    for path, file in lived.strict():
        seen = lived.needles.within(file.read_bytes())
        if any(fnmatch(path, place) for place in NAMES):
            seen -= named
        if seen:
            found[path] = sorted(map(str, seen))
    assert found == {}


def test_the_name_of_a_file_is_in_its_folder_and_nowhere_else(lived: Lived) -> None:
    named = lived.needles.within(life.NAMED.encode())
    telling = {path for path in lived.files if lived.needles.within(path.encode()) & named}
    assert {path.split("/")[1] for path in telling} == {"outbox"}
    assert {path.split("/")[3] for path in telling} >= {"status", "accepted"}


def test_everything_was_there_to_be_searched(lived: Lived) -> None:
    """The places that the issue names were written, and something was in them."""
    strict = dict(lived.strict())
    for place in (
        "practice/gateway.sqlite",
        "practice/checkpoints/*",
        "practice/traces/*",
        "practice/outbox/*/status/*.json",
        "practice/outbox/*/rejected/*.report.txt",
        "practice/outbox/*/A_FAIRE.html",
        "told/debug.log",
        "told/console.txt",
        "told/health_metrics.txt",
        "told/page-*.html",
        "told/journal.jsonl",
        "told/audit-fhir/*",
        "told/backup/*",
    ):
        assert [path for path in strict if fnmatch(path, place) and strict[path].stat().st_size], place
    said = strict["told/debug.log"].read_text(encoding="utf-8")
    for event in ("delivery_taken", "delivery_failed", "delivery_refused", "delivery_doubt", "file_rejected"):
        assert event in said, event


@pytest.mark.parametrize("place", ALLOWED)
def test_where_traits_may_be_they_are_seen(lived: Lived, place: str) -> None:
    """The search can fail: it finds the traits in each place where the design lets them be."""
    there = [path for name, path in lived.files.items() if fnmatch(name, place) and not fnmatch(name, REPORTS)]
    there.sort(key=lambda path: path.suffix != ".eml")  # of the other side the mails first: keys have no names
    found: set[str] = set()
    for path in there:
        found |= {needle.kind for needle in lived.needles.within(path.read_bytes())}
        if found & {"name", "number"}:
            return
    pytest.fail(f"{place}: {found}")


def _zipped(text: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x", text)
    return stream.getvalue()


DISGUISES: dict[str, Callable[[str], bytes]] = {
    "utf-8": lambda text: text.encode(),
    "latin-1": lambda text: text.encode("latin-1"),
    "utf-16-le": lambda text: text.encode("utf-16-le"),
    "utf-16-be": lambda text: text.encode("utf-16-be"),
    "base64": lambda text: base64.b64encode(text.encode()),
    "base64 + 1": lambda text: base64.b64encode(b"\n" + text.encode()),
    "base64 + 2": lambda text: base64.b64encode(b": " + text.encode()),
    "base64 in base64": lambda text: base64.b64encode(base64.b64encode(text.encode())),
    "hexadecimal": lambda text: text.encode().hex().encode(),
    "percent": lambda text: quote_from_bytes(text.encode()).encode(),
    "backslash u": lambda text: "".join(f"\\u{ord(sign):04x}" for sign in text).encode(),
    "xml": lambda text: "".join(f"&#{ord(sign)};" for sign in text).encode(),
    "upper": lambda text: text.upper().encode(),
    "lower": lambda text: text.lower().encode(),
    "gzip": lambda text: gzip.compress(text.encode()),
    "zip": _zipped,
}


@pytest.mark.parametrize("disguise", DISGUISES)
@pytest.mark.parametrize("text", ["Nuñes-Épreuve", "LE GOFF-ESSAI", "201032227890155", "14/03/2001", "06 00 00 00 01"])
def test_no_disguise_hides_a_trait(disguise: str, text: str) -> None:
    needles, hidden = of_cases(CASES), DISGUISES[disguise](text)
    whole = disguise in {"gzip", "zip"}
    for data in (hidden, hidden if whole else b'{"a":"' + hidden + b'"}'):
        assert needles.within(data), data
    if not whole and not disguise.startswith("latin"):
        noise = os.urandom(2000) + b"\0\1"
        assert needles.within(noise + b" " + hidden + b" " + noise), "among binary data"
    assert not needles.within(os.urandom(200_000)), "and nothing where nothing is"


def test_a_short_name_counts_as_it_stands_and_not_by_chance() -> None:
    needles = of_cases(CASES)
    assert needles.within(b"\0\1 Louis \0\2")
    assert needles.within(b'{"a":"MSAyIDMgTG91aXMgNCA1IDYgNyA4IDkgMTA="}'), "in a text, in disguise too"
    assert not needles.within(b"\0\1 MSAyIDMgTG91aXMgNCA1IDYgNyA4IDkgMTA= \0\2"), (
        "base64 of five letters among sealed bytes"
    )
