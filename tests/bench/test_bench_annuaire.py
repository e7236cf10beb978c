"""The daily file at its real size: 540,000 lines in under 30 s, below 200 MB, and beside the bare libraries."""

from __future__ import annotations

import datetime as dt
import json
import random
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

LINES = 540_000
BUDGETS = {"seconds": 30.0, "peak_mb": 200.0, "ratio": 2.5, "find_ms": 300.0}
HEADER = (
    "Type de BAL|Adresse BAL|Type Identifiant PP|Identifiant PP|Identification nationale PP|"
    "Type identifiant structure|Identification Structure|Service de rattachement|Civilité d'exercice|"
    "Nom d'exercice|Prénom d'exercice|Catégorie profession|Libellé de catégorie profession|Code Profession|"
    "Libellé Profession|Code savoir-faire|Libellé savoir-faire|Dématérialisation|Raison Sociale structure BAL|"
    "Enseigne commerciale structure BAL|L2COMPLEMENTLOCALISATION structure BAL|"
    "L3COMPLEMENTDISTRIBUTION structure BAL|L4NUMEROVOIE structure BAL|L4COMPLEMENTNUMEROVOIE structure BAL|"
    "NL4TYPEVOIE structure BAL|L4LIBELLEVOIE structure BAL|L5LIEUDITMENTION structure BAL|"
    "L6LIGNEACHEMINEMENT structure BAL|Code postal structure BAL|Département structure BAL|Pays structure BAL"
)
FAMILIES = [f"{a}{b}" for a in ("ESSAI-", "DÉMO", "MODÈLE ", "D'") for b in ("MARTIN", "ROUX", "ZOÉ", "PETIT", "ÇAVA")]
TOWNS = [f"{10000 + n:05d} VILLE-{n % 3000} SUR ESSAI" for n in range(9000)]

# Run in a process of its own, so that its memory is its own. Prints one JSON object.
OURS = """
import json, resource, sys, time
from pathlib import Path
from gateway.channels.annuaire import extraction
from gateway.channels.annuaire.listing import Listing
from gateway.channels.annuaire.model import Query
from gateway.clock import SystemClock
from gateway.settings import AnnuaireSettings
path, target = Path(sys.argv[1]), Path(sys.argv[2])
settings = AnnuaireSettings(file=target)
wall, cpu = time.perf_counter(), time.process_time()
done = extraction.import_file(settings, path, SystemClock())
report = {"seconds": time.perf_counter() - wall, "cpu": time.process_time() - cpu, "boxes": done.about.boxes}
report["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
listing, spent = Listing(target), {}
for name, query in {
    "rpps": Query(rpps="99000123456"), "name_town": Query(name="roux claire", town="ville 77"),
    "town": Query(town="ville 77", profession="10"), "anywhere": Query(name="oux"),
}.items():
    start = time.perf_counter()
    report[f"{name}_people"] = len(listing.find(query).people)
    spent[name] = (time.perf_counter() - start) * 1000
print(json.dumps({**report, "find_ms": spent, "file_mb": target.stat().st_size / 1e6}))
"""

# The least the libraries need to make a table of the same columns from the same file, with the same indexes.
BARE = """
import csv, io, json, resource, sqlite3, sys, time, zipfile
wall, cpu = time.perf_counter(), time.process_time()
base = sqlite3.connect(sys.argv[2], isolation_level=None)
for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -16000"):
    base.execute(f"PRAGMA {pragma}")
base.execute("CREATE TABLE box (" + ", ".join(f"c{n} TEXT" for n in range(16)) + ")")
base.execute("BEGIN")
with zipfile.ZipFile(sys.argv[1]) as archive, archive.open(archive.namelist()[0]) as stream:
    rows = csv.reader(io.TextIOWrapper(stream, encoding="utf-8", newline=""), delimiter="|", quoting=csv.QUOTE_NONE)
    next(rows)
    base.executemany(
        f"INSERT INTO box VALUES ({','.join('?' * 16)})",
        ((*r[:2], *r[3:5], *r[6:12], r[13], r[14], r[16], r[18], r[27], r[28]) for r in rows),
    )
base.execute("COMMIT")
for columns in ("c2", "c1", "c7, c14", "c14, c10"):
    base.execute(f"CREATE INDEX i{columns.replace(', ', '')} ON box ({columns})")
count = base.execute("SELECT count(*) FROM box").fetchone()[0]
base.close()
print(json.dumps({"seconds": time.perf_counter() - wall, "cpu": time.process_time() - cpu, "boxes": count}))
"""


def write_list(path: Path) -> Path:
    """A file of the real size, about 150 bytes of text a line, as compressible as the real one."""
    source = random.Random(4)
    name = f"Extraction_Correspondance_MSSante_{dt.datetime.now(dt.UTC):%Y%m%d}0013.txt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open(name, "w") as stream:
        stream.write(f"{HEADER}\n".encode())
        for number in range(LINES):
            stream.write(_line(number, source).encode())
    return path


def _line(number: int, source: random.Random) -> str:
    rpps, town, family = 99_000_000_000 + number, source.choice(TOWNS), source.choice(FAMILIES)
    person = f"8|{rpps}|8{rpps}|1|1{990000000 + number % 80000}||DR|{family}|Claire {number % 97}|C|Civil|10|Médecin"
    place = f"CABINET FICTIF {number % 80000}||||{number % 300}||RUE|DE L'ESSAI||{town}|{town[:5]}|10|France"
    return f"PER|p{number}.essai@medecin.mssante.example|{person}|SM54|Médecine générale|O|{place}\n"


def run(code: str, *paths: Path) -> dict[str, Any]:
    command = [sys.executable, "-c", code, *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.bench
@pytest.mark.timeout(600)
def test_the_daily_file_is_imported_in_time_and_in_little_memory(root: Path, tmp_path: Path) -> None:
    """Issue: 540,000 lines, under 30 s on two cores, below 200 MB."""
    path = write_list(tmp_path / "liste.zip")
    bare = run(BARE, path, tmp_path / "bare.db")
    ours = run(OURS, path, tmp_path / "annuaire.db")
    # On a machine that others use too, wall time says how many they are: the bare pass tells our share of it.
    share = max(1.0, bare["seconds"] / bare["cpu"])
    report = {
        "budgets": BUDGETS,
        "lines": LINES,
        "zip_mb": round(path.stat().st_size / 1e6, 1),
        "ours": ours,
        "bare_csv_and_executemany": bare,
        "ratio": round(ours["cpu"] / bare["cpu"], 2),
        "machine_shared_by": round(share, 2),
        "seconds_unshared": round(ours["seconds"] / share, 1),
    }
    target = root / "build" / "bench" / "annuaire.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(report, indent=1))
    assert ours["boxes"] == bare["boxes"] == LINES
    assert report["seconds_unshared"] < BUDGETS["seconds"]
    assert ours["peak_mb"] < BUDGETS["peak_mb"]
    assert report["ratio"] < BUDGETS["ratio"]
    assert (ours["rpps_people"], ours["anywhere_people"] > 0) == (1, True)
    assert max(ours["find_ms"].values()) < BUDGETS["find_ms"]
