"""The six figures against a year counted by hand, to the unit; erasure, later documents and tampering beside it.

What is in the year (tests/unit/audit/year.py), and what of it counts in 2026:

| episode | patient | author | motive | sessions in 2026, by month | DMP updated | events | referral | open |
|---------|---------|--------|--------|----------------------------|-------------|--------|----------|------|
| 1       | p1      | Ann    | M54.5  | 6: Jan 6                   | yes (2)     |        |          |      |
| 2       | p2      | Ann    | S93.4  | 8: Mar 8                   | yes (3)     | 1 mild | yes      |      |
| 3       | p3      | Ben    | region | 5: May 5                   | refused     |        |          |      |
| 4       | p4      | Ben    | M54.5  | 2: Jan 2 (3 in 2025)       | yes (1)     |        |          |      |
| 5       | p5      | Ben    | M54.5  | 0                          | in doubt    |        |          | yes  |
| 6       | p6      | Ann    | M54.5  | 6: Jul 6, without dates    | no DMP      |        | yes      |      |
| 7       | p1      | Ann    | S93.4  | 9: Sep 9, not established  | yes (1)     | 2 grave|          |      |
| 8       | p8      | Ann    | M54.5  | 6: Jul 6 (corrected from 7)| yes (1)     |        |          |      |
| 9       | p9      | Clo    | withdrawn: counts nowhere                                                      |
| 10      | p10     | Clo    | on prescription: counts nowhere                                                |
| 11      | p11     | Ann    | cooperation protocol: in its own table                                         |
| 12      | p12     | Ann    | none   | 0 (a PDF as it is)         | yes (1)     | unknown|          |      |

Kines: Ann, Ben = 2. Patients: p1 p2 p3 p4 p5 p6 p8 p12 = 8. Episodes: 9. Sessions: 6+8+5+2+0+6+9+6+0 = 42, 42/8 = 5.25.
DMPs: p1 p2 p4 p8 p12 = 5, documents 2+3+1+1+1+1 = 9. Events: 1+2 = 3. Reoriented: p2 p6 = 2 of 8 = 25 %.
"""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from gateway.audit import declarations, ledger, page, protocols, tables
from gateway.audit.indicators import Basis, Coverage, Indicators, compute
from gateway.audit.period import parse
from gateway.errors import NotFoundError, StoreError
from gateway.store.facts import NewFacts
from gateway.store.linked import Seen, Withdrawal
from gateway.store.outbox import Outbox
from tests.unit.audit.year import ANKLE, BACK, SHOULDER, Year, put_the_year, summary
from tests.unit.store import kit

YEAR = parse("2026")


def opened(folder: Path) -> Iterator[Year]:
    store = kit.open_store(folder)
    made = Year(store)
    put_the_year(made)
    withdraw(store, made.documents["9a"])
    yield made
    store.close()


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Year]:
    """For tests that only read."""
    yield from opened(tmp_path_factory.mktemp("year"))


@pytest.fixture
def own_year(tmp_path: Path) -> Iterator[Year]:
    """For tests that change it."""
    yield from opened(tmp_path)


def withdraw(store: Outbox, document: str) -> None:
    looked = tuple(Seen.of(store.delivery(one).row) for one in store.document(document).delivery_ids)
    store.withdraw(Withdrawal((document,), "Dr Test", "error", "essai", looked, ()))


def basis(store: Outbox, account: str | None = None, at: str | None = None) -> Basis:
    return Basis.of(ledger.read(store, at), store.facts(), account)


def figures(store: Outbox, period: str = "2026", at: str | None = None, threshold: int = 0) -> Indicators:
    return compute(basis(store, at=at), parse(period), threshold)


def test_the_six_figures_of_the_year_to_the_unit(year: Year) -> None:
    found = figures(year.store)
    assert found.kines == 2
    assert (found.patients, found.episodes) == (8, 9)
    assert found.motives == {BACK: 5, ANKLE: 2, "": 1, f"region:{SHOULDER}": 1}
    assert (found.sessions_mean, found.sessions) == (Decimal("5.3"), 42)
    assert (found.dmps, found.dmp_documents) == (5, 9)
    assert (found.adverse, found.adverse_by_severity) == (3, {"legere": 1, "moderee": 0, "grave": 2})
    assert (found.reoriented, found.reoriented_share) == (2, Decimal("25.0"))
    assert (found.open_episodes, found.unestablished) == (1, 1)
    assert found.findings == ()


def test_months_and_lengths(year: Year) -> None:
    found = figures(year.store)
    counted = {f"2026-{month:02d}": 0 for month in range(1, 13)}
    assert found.sessions_by_month == {**counted, "2026-01": 8, "2026-03": 8, "2026-05": 5, "2026-07": 12, "2026-09": 9}
    lengths = {"0": 2, "2": 1, "5": 1, "6": 3, "8": 1, "9+": 1}
    assert {name: number for name, number in found.sessions_by_episode.items() if number} == lengths


def test_coverage_says_what_is_known(year: Year) -> None:
    # 17 standing documents are dated 2026 (withdrawn 9a, replaced 8a and 4a of 2025 left out); 13a does not say how the
    # patient came. DMP: 15 deliveries of direct access, one in doubt. 12 is a PDF; 5 has no report yet.
    assert figures(year.store).coverage == {
        "participating_kines": Coverage(16, 17),
        "patients": Coverage(7, 9),
        "sessions": Coverage(7, 9),
        "dmps_updated": Coverage(14, 15),
        "adverse_events": Coverage(8, 9),
        "reoriented_share": Coverage(8, 9),
    }


def test_parts_of_the_year(year: Year) -> None:
    # First quarter: episodes 1, 2 and 4 (5 began in December).
    quarter = figures(year.store, "2026-Q1")
    assert (quarter.kines, quarter.patients, quarter.sessions, quarter.dmps) == (2, 3, 16, 3)
    assert (quarter.open_episodes, quarter.adverse, quarter.reoriented) == (1, 1, 0)  # 2 is open until 1 April
    # December 2025: only the beginning of episode 4, whose report is of January.
    before = figures(year.store, "2025-12-01..2025-12-31")
    assert (before.kines, before.patients, before.sessions, before.dmps, before.open_episodes) == (1, 1, 3, 1, 1)
    # A month with sessions and no document still has its author.
    september = figures(year.store, "2026-09")
    assert (september.kines, september.patients, september.sessions, september.dmps) == (1, 1, 9, 0)
    nothing = figures(year.store, "2024")
    assert (nothing.patients, nothing.sessions) == (0, 0)
    assert (nothing.sessions_mean, nothing.reoriented_share) == (Decimal(0), Decimal(0))
    assert nothing.coverage["patients"].percent is None


def test_one_account_only(own_year: Year) -> None:
    own_year.put("x", "p1", summary("04-04", (YEAR.first,)), account="autre")
    assert compute(basis(own_year.store, "autre"), YEAR).patients == 1
    assert compute(basis(own_year.store, "cabinet"), YEAR).patients == 8
    assert figures(own_year.store).patients == 9  # pseudonyms of two accounts are not compared


def test_erasure_changes_nothing(own_year: Year) -> None:
    before = figures(own_year.store)
    mark = str(before.mark.size)
    own_year.store.act(open_doubt(own_year), "confirm_sent", by="Dr Test", reason="vu au DMP")
    settled = figures(own_year.store)
    assert settled.dmps == 6  # the doubt of episode 5 ended well
    own_year.erase_all()
    after = figures(own_year.store)
    assert after == replace(settled, mark=after.mark)
    assert after.mark.size > settled.mark.size
    assert figures(own_year.store, at=mark) == before


def open_doubt(year: Year) -> str:
    rows = [year.store.delivery(one).row for one in year.store.document(year.documents["5a"]).delivery_ids]
    return next(row.id for row in rows if row.destination == "dmp")


def test_the_same_checkpoint_gives_the_same_figures_later(own_year: Year) -> None:
    before = figures(own_year.store)
    report = json.dumps(tables.as_dict(before))
    own_year.put("new", "p20", summary("05-05", (YEAR.first,)))
    withdraw(own_year.store, own_year.documents["2a"])
    assert figures(own_year.store) != before
    for at in (str(before.mark.size), before.mark.notes[0], report):
        assert figures(own_year.store, at=at) == before
    with pytest.raises(NotFoundError) as unknown:
        figures(own_year.store, at="7")
    assert unknown.value.code == "IND-002"
    forged = before.mark.notes[0].replace("\n", "\n", 1)[:-8] + "AAAAAA=\n"
    with pytest.raises(NotFoundError):
        figures(own_year.store, at=forged)


def test_a_journal_that_does_not_lead_to_its_checkpoint_gives_no_figures(own_year: Year, tmp_path: Path) -> None:
    ledger.read(own_year.store)
    with sqlite3.connect(tmp_path / "store" / "gateway.db") as database:
        database.executescript("DROP TRIGGER IF EXISTS journal_no_update")
        for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            database.execute(f"DROP TRIGGER {name}")
        database.execute("UPDATE journal SET record = replace(record, '2026-02-02', '2026-02-03')")
    database.close()
    with pytest.raises(StoreError) as refused:
        figures(own_year.store)
    assert refused.value.code == "JRN-110"


def test_altered_or_missing_facts_are_told_and_not_counted(own_year: Year, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "store" / "gateway.db") as database:
        values = (own_year.documents["3b"],)
        database.execute("UPDATE episode_fact SET author = 'someone' WHERE document_id = ?", values)
        database.execute("DELETE FROM episode_fact WHERE document_id = ?", (own_year.documents["12a"],))
    database.close()
    found = figures(own_year.store)
    assert sorted(one.code for one in found.findings) == ["IND-003", "IND-004"]
    assert (found.patients, found.sessions) == (7, 37)
    assert found.coverage["participating_kines"] == Coverage(14, 17)


# --------------------------------------------------------------------------------------------- small counts


def test_small_counts_are_left_out_and_cannot_be_told(year: Year) -> None:
    found = figures(year.store, threshold=3)
    assert (found.patients, found.episodes, found.sessions) == (8, 9, 42)
    assert found.motives == {BACK: 5, ANKLE: None, "": None, f"region:{SHOULDER}": None}
    assert found.reoriented is None
    assert found.reoriented_share is None  # 25 % of 8 is 2
    assert found.dmps == 5
    assert found.open_episodes is None
    told = tables.as_dict(found)
    assert "reoriented_patients" in told["suppressed"]
    assert told["coverage"]["patients"] == {"percent": 77}
    all_of_it = figures(year.store, "2026-09", threshold=3)
    assert (all_of_it.patients, all_of_it.sessions, all_of_it.sessions_mean, all_of_it.dmps) == (None, None, None, None)


# --------------------------------------------------------------------------------------------- other shapes


def test_csv_holds_every_figure_with_definition_and_checkpoint(year: Year) -> None:
    found = figures(year.store)
    text = tables.as_csv(found)
    assert text.startswith("\ufeff")
    rows = list(csv.reader(io.StringIO(text[1:]), delimiter=";"))
    by_name = {(row[0], row[1]): row for row in rows}
    assert by_name["point_de_controle", "racine"][2] == found.mark.roots[0]
    assert by_name["sessions", ""][2] == "5,3"
    assert by_name["sessions", "total"][2] == "42"
    assert by_name["reoriented_share", ""][2] == "25,0"
    assert by_name["patients", "motif M54.5 Lombalgie basse"][2] == "5"
    assert {len(row) for row in rows} == {5}
    assert all(by_name[one, ""][4] for one in found.coverage)


def test_json_can_be_read_and_says_what_counts(year: Year) -> None:
    told = json.loads(json.dumps(tables.as_dict(figures(year.store))))
    figures_told = told["figures"]
    assert figures_told["sessions_per_patient"] == 5.3
    assert figures_told["reoriented_share"] == 25.0
    assert set(told["definitions"]) == set(told["coverage"])
    assert len(told["definitions"]) == 6
    assert told["checkpoint"]["notes"][0].startswith("kine-gateway.local/journal\n")
    assert told["suppressed"] == []


def test_the_command_that_repeats_it_is_told_whole(year: Year) -> None:
    found = replace(figures(year.store, threshold=3), account="cabinet")
    size = found.mark.size
    assert tables.checkpoint_note(found).endswith(f"--period 2026 --account cabinet --suppress-below 3 --at {size}")


def test_no_cell_is_a_formula() -> None:
    text = tables.written(("a",), [("=cmd",), ("-1",), ("+x",), ("@y",), ("ok",), (-3,)])
    assert [line[0] for line in csv.reader(io.StringIO(text[1:]))] == ["a", "'=cmd", "'-1", "'+x", "'@y", "ok", "-3"]


def test_the_page_has_the_figures_and_no_formula(year: Year) -> None:
    view = page.view(figures(year.store, threshold=3), kit.START)
    assert [row[2] for row in view["rows"]][1] == "8"
    assert view["plots"][2]["bars"][0] == {"label": "M54.5 Lombalgie basse", "value": 5, "text": "5"}
    assert {bar["text"] for bar in view["plots"][2]["bars"][1:]} == {"?"}
    assert view["notes"][0] == "La période n'est pas terminée."


# ---------------------------------------------------------------------------------- declarations, protocols


def test_reorientations_to_declare(year: Year) -> None:
    rows = declarations.reorientations(basis(year.store), YEAR)
    # Episode 2: eight sessions before 1 April. Episode 6: told by letter and report, once; two sessions were before the
    # report that tells of them, dated 20 July, so none is known by 5 July.
    assert [one.cells[0] for one in rows] == ["2026-04-01", "2026-07-06"]
    assert rows[0].cells[1:] == (
        "22",
        "Accès direct (expérimentation en CPTS)",
        "S93.4 Entorse et foulure de la cheville",
        "médecin traitant",
        "programmée",
        "8",
        "2026-04-01",
    )
    assert rows[1].cells[4:6] == ("service d'urgences", "en urgence")
    assert len(rows[0].cells) + 1 == len(declarations.columns("reorientations"))
    assert declarations.reorientations(basis(year.store), parse("2026-Q1")) == []


def test_an_outcome_of_reorientation_counts_where_nothing_says_more(own_year: Year) -> None:
    bare = summary("10-20", outcome="reorientation")
    own_year.put("o1", "p40", bare)
    own_year.put(
        "o2", "p2", replace(bare, day=parse("2026-04-20..2026-04-20").first), episode="p2-1"
    )  # is told already
    found = figures(own_year.store)
    assert (found.reoriented, found.patients) == (3, 9)
    assert found.reoriented_share == Decimal("33.3")
    assert len(declarations.reorientations(basis(own_year.store), YEAR)) == 3


def test_adverse_events_to_declare(year: Year) -> None:
    rows = declarations.adverse_events(basis(year.store), YEAR)
    assert [one.cells[0] for one in rows] == ["2026-03-10", "2026-09-10", "2026-09-10"]
    assert rows[0].cells[4:] == ("chute sans blessure", "légère", "oui", "3")  # sessions of 2, 5 and 8 March before
    assert rows[1].cells[2] == "Accès direct déclaré, conditions non établies"
    assert rows[1].cells[4:] == ("fracture", "grave", "oui", "3")
    assert len(rows[0].cells) + 1 == len(declarations.columns("adverse_events"))


def test_the_protocols_table_by_quarter(own_year: Year) -> None:
    kit_delegant = kit.mail("delegant", destination="professional")
    late = summary("08-20", (YEAR.first.replace(month=8),), mode="protocole", protocol="LOMB-1")
    request = replace(kit.request("del", kit_delegant), patient="p30", document_date=late.day, document_type="del")
    own_year.store.accept(replace(request, facts=NewFacts("p30", "10000000001", late)))
    rows = protocols.as_dict(protocols.table(basis(own_year.store), YEAR))
    assert [(row["protocol"], row["quarter"]) for row in rows] == [("LOMB-1", "2026-Q1"), ("LOMB-1", "2026-Q3")]
    assert rows[0] | {"patients": 1, "sessions": 2, "open": 0, "delegant_due": 0} == rows[0]
    assert rows[1] | {"patients": 1, "sessions": 1, "delegant_due": 1, "delegant_informed": 0} == rows[1]
    assert len(protocols.headings()) == len(rows[0])
    hidden = protocols.as_dict(protocols.table(basis(own_year.store), YEAR, 5))
    assert (hidden[0]["patients"], hidden[0]["sessions"]) == (None, None)
    found = basis(own_year.store)
    text = protocols.as_csv(protocols.table(found, YEAR), found.ledger.mark)
    assert text.count("\r\n") == 3
    assert text.count(found.ledger.mark.roots[0]) == 2
    told = protocols.told(protocols.table(found, YEAR), found, YEAR)
    assert set(told["definitions"]) == set(told["rows"][0])
    assert told["checkpoint"]["size"] == found.ledger.mark.size
