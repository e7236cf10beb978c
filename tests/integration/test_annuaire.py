"""The directory over TLS against the sandbox: the API, the daily file, their faults, and the command line."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.api import Gateway
from gateway.channels.annuaire.api import AnnuaireApi
from gateway.channels.annuaire.model import AnnuaireError, Query, Source, State, Verdict
from gateway.clock import SystemClock
from gateway.sandbox.annuaire import KEY, AnnuaireServer, Box, Post, Professional
from gateway.sandbox.annuaire.people import BREST, BY_CASE, CROWD, RENNES
from gateway.sandbox.pki import create_pki
from gateway.sandbox.service import Sandbox
from gateway.settings import AnnuaireApiSettings
from tests.integration.practice import Practice, case, open_practice

HELENE, BOX = "99700002019", "helene.modele@medecin.mssante.example"
NO_PAUSE: Callable[[float], None] = lambda _: None  # noqa: E731


@pytest.fixture(scope="module")
def practice(tmp_path_factory: pytest.TempPathFactory, certificates: Path) -> Iterator[Practice]:
    made = open_practice(tmp_path_factory.mktemp("annuaire"), certificates=certificates)
    yield made
    made.box.close()


@pytest.fixture
def gateway(practice: Practice) -> Iterator[Gateway]:
    practice.box.faults.clear()
    with Gateway.open(practice.config) as opened:
        yield opened
    for path in practice.folder.glob("annuaire*.db"):
        path.unlink()


Client = Callable[..., AnnuaireApi]


@pytest.fixture
def client(practice: Practice, tmp_path: Path) -> Iterator[Client]:
    """`client(key=..., url=...)`: a client of the sandbox's API, without pauses between attempts."""
    made: list[AnnuaireApi] = []

    def make(key: str = KEY, **more: Any) -> AnnuaireApi:
        path = tmp_path / "cle"
        path.write_text(key, encoding="ascii")
        box = practice.box
        values = {"url": address(box), "key_file": path, "ca_file": box.ca_path, "timeout": 2.0, **more}
        made.append(AnnuaireApi(AnnuaireApiSettings(**values), SystemClock(), sleep=NO_PAUSE))
        return made[-1]

    practice.box.faults.clear()
    yield make
    practice.box.faults.clear()
    for one in made:
        one.close()


def address(box: Sandbox) -> str:
    return box.annuaire_url.replace("127.0.0.1", "localhost")


@pytest.mark.parametrize(
    ("name", "verdict", "code"),
    [
        ("one", Verdict.ONE, "ANN-200"),
        ("two_places", Verdict.ASK, "ANN-204"),
        ("practice", Verdict.ASK, "ANN-204"),
        ("practice_only", Verdict.ONE, "ANN-200"),
        ("ranked", Verdict.ASK, "ANN-204"),
        ("red_list", Verdict.NONE, "ANN-202"),
        ("retired", Verdict.NONE, "ANN-201"),
        ("left", Verdict.NONE, "ANN-202"),
        ("outside", Verdict.NONE, "ANN-203"),
        ("none", Verdict.NONE, "ANN-202"),
        ("ordinary", Verdict.NONE, "ANN-202"),
    ],
)
def test_every_case_by_the_api(gateway: Gateway, name: str, verdict: Verdict, code: str) -> None:
    choice = gateway.directory.choose(BY_CASE[name].rpps)
    assert (choice.verdict, choice.code, choice.source) == (verdict, code, Source.API)


def test_the_known_structure_decides_between_two_places(gateway: Gateway) -> None:
    for place, address in ((RENNES, "desire.double-test@medecin"), (BREST, "desire.double-test@cabinet")):
        choice = gateway.directory.choose(BY_CASE["two_places"].rpps, f"1{place.finess}")
        assert choice.box is not None
        assert choice.box.address.startswith(address)


def test_the_order_offered_is_rank_then_personal(gateway: Gateway) -> None:
    ranked = gateway.directory.choose(BY_CASE["ranked"].rpps)
    assert [box.address.partition("@")[0] for box in ranked.boxes] == ["celeste.rang-test1", "celeste.rang-test2"]
    assert [box.kind.value for box in gateway.directory.choose(BY_CASE["practice"].rpps).boxes] == ["PER", "CAB"]


def test_doctors_of_the_practice_s_own_cases_are_found(gateway: Gateway) -> None:
    found = gateway.directory.find(name="Hélène Modele", profession="médecin")
    assert [(p.rpps, p.boxes[0].address, p.profession_label) for p in found.people] == [(HELENE, BOX, "Médecin")]
    assert gateway.directory.find(name="modele", profession="kinésithérapeute").people == ()


def test_all_pages_are_followed(gateway: Gateway, practice: Practice) -> None:
    found = gateway.directory.find(name="nombreux", limit=500)
    assert (len(found.people), found.more) == (CROWD, False)
    assert len({person.rpps for person in found.people}) == CROWD
    town = gateway.directory.find(name="nombreux", town="Brest", limit=500)
    assert len(town.people) == CROWD / 3
    first = gateway.directory.find(name="nombreux", limit=10)
    assert (len(first.people), first.more) == (10, True)


def test_the_rate_of_the_key_is_never_exceeded(practice: Practice, client: Client) -> None:
    """The sandbox answers 429 to the eighteenth call within a second; none of ours must be one."""
    api = client()
    service = practice.box.annuaire
    calls, refused, start = service.calls, service.refused, time.monotonic()
    for _ in range(40):
        api.find(Query(rpps=BY_CASE["one"].rpps))
    took = time.monotonic() - start
    assert service.calls - calls >= 40
    assert service.refused == refused
    assert took >= 2.0


def test_two_clients_of_one_key_share_the_rate(practice: Practice, client: Client) -> None:
    refused = practice.box.annuaire.refused
    one, two = client(), client()
    for _ in range(15):
        one.find(Query(rpps=BY_CASE["one"].rpps))
        two.find(Query(rpps=BY_CASE["one"].rpps))
    assert practice.box.annuaire.refused == refused


@pytest.mark.parametrize(
    ("fault", "count", "code"),
    [
        ("busy", 3, "ANN-104"),
        ("refuse", 3, "ANN-104"),
        ("unavailable", 3, "ANN-104"),
        ("drop_after_data", 3, "ANN-104"),
        ("reject", 1, "ANN-103"),
    ],
)
def test_a_fault_of_the_service_has_its_code(
    practice: Practice, client: Client, fault: str, count: int, code: str
) -> None:
    api = client()
    practice.box.faults.set("annuaire", fault, count=count)
    with pytest.raises(AnnuaireError) as caught:
        api.find(Query(rpps=HELENE))
    assert caught.value.code == code
    assert caught.value.advice
    assert practice.box.faults.pending() == []
    assert api.find(Query(rpps=HELENE)).people


def test_two_faults_are_overcome_within_the_call(practice: Practice, client: Client) -> None:
    practice.box.faults.clear()
    practice.box.faults.set("annuaire", "busy")
    practice.box.faults.set("annuaire", "drop_after_data")
    api = client()
    assert api.find(Query(rpps=HELENE)).people[0].boxes[0].address == BOX


def test_a_slow_service_is_given_up(practice: Practice, client: Client) -> None:
    practice.box.faults.clear()
    practice.box.faults.set("annuaire", "delay", count=3, seconds=0.6)
    api = client(timeout=0.2)
    with pytest.raises(AnnuaireError) as caught:
        api.find(Query(rpps=HELENE))
    assert caught.value.code == "ANN-104"


def test_a_wrong_key_and_a_wrong_address_are_configuration(practice: Practice, client: Client) -> None:
    for more, code in (
        ({"key": "fausse"}, "ANN-102"),
        ({"url": address(practice.box) + "/absent"}, "ANN-103"),
    ):
        api = client(**more)
        with pytest.raises(AnnuaireError) as caught:
            api.find(Query(rpps=HELENE))
        assert caught.value.code == code


def test_a_server_that_no_authority_vouches_for_gets_no_key(practice: Practice, client: Client, tmp_path: Path) -> None:
    """Without ca_file the system's authorities decide, and they do not know the sandbox; nor is any name good."""
    before = practice.box.annuaire.calls
    pki = create_pki(tmp_path / "pki", SystemClock(), hosts=("autre.example",))
    other = AnnuaireServer("127.0.0.1", 0, practice.box.annuaire, practice.box.faults, pki)
    other.start()
    url = f"https://localhost:{other.server_address[1]}/fhir/v2"
    for more in ({"ca_file": None}, {"url": url, "ca_file": pki.ca_path}):
        with pytest.raises(AnnuaireError) as caught:
            client(**more).find(Query(rpps=HELENE))
        assert caught.value.code == "ANN-106"
    other.stop()
    assert practice.box.annuaire.calls == before


def test_a_page_elsewhere_is_never_fetched(practice: Practice, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """The key goes with the request: a link to another host, or out of the API's path, is refused."""
    api = client()
    base = api._base
    asked: list[str] = []
    links: list[str] = [
        "https://ailleurs.example/fhir/v2/_page?id=1",
        base.replace("https:", "http:") + "/_page?id=1",
        base.replace("/v2", "/v1") + "/_page?id=1",
        base + "/../../secret",
        base.replace("localhost", "moi@localhost") + "/_page?id=1",
        "//ailleurs.example/fhir/v2/_page",
        "https://localhost:99999/fhir/v2/_page",
    ]

    def answer(url: str, params: Any = None) -> Any:
        asked.append(url)
        return {"resourceType": "Bundle", "link": [{"relation": "next", "url": links[-1]}], "entry": []}

    monkeypatch.setattr(api._site, "get_json", answer)
    while links:
        with pytest.raises(AnnuaireError) as caught:
            api.find(Query(name="modele"))
        assert caught.value.code == "ANN-105"
        links.pop()
    assert set(asked) == {f"{base}/Practitioner"}


def test_recheck_follows_a_doctor_who_changed_boxes(gateway: Gateway, practice: Practice) -> None:
    old, new = "ancien.change-test@medecin.mssante.example", "nouveau.change-test@medecin.mssante.example"
    rpps = "99700099007"

    def now(*boxes: Box, posts: tuple[Post, ...] = ()) -> State:
        practice.box.annuaire.add(Professional(rpps, "CHANGE-TEST", "Alix", boxes=boxes, posts=posts))
        return gateway.directory.recheck(rpps, old).state

    assert now(Box(old)) is State.SAME
    assert now(Box(new)) is State.CHANGED
    again = gateway.directory.recheck(rpps, old)
    assert again.new is not None
    assert again.new.address == new
    assert now(Box(new), Box("autre.change-test@medecin.mssante.example")) is State.ASK
    assert now() is State.GONE
    practice.box.annuaire.remove(rpps)
    assert gateway.directory.recheck(rpps, old).state is State.GONE


# ------------------------------------------------------------------------------------------------ daily file


def test_the_daily_file_is_fetched_imported_and_searched(gateway: Gateway) -> None:
    steps: list[str] = []
    done = gateway.directory.refresh(progress=lambda step, *_: steps.append(step))
    assert done.about.boxes > CROWD
    assert done.about.left_out == 0
    assert list(dict.fromkeys(steps)) == ["download", "import", "index"]
    found = gateway.directory.find(town="saint malo", profession="masseur", source=Source.FILE)
    assert [p.family for p in found.people] == ["REEDUC-TEST"]
    status = gateway.directory.status()
    assert (status.age_days, status.findings) == (0, ())


@pytest.mark.parametrize("name", ["red_list", "retired", "left", "practice_only", "none", "ordinary"])
def test_what_the_file_must_not_hold_is_not_there(gateway: Gateway, name: str) -> None:
    gateway.directory.refresh()
    assert gateway.directory.find(rpps=BY_CASE[name].rpps, source=Source.FILE).people == ()


def test_both_sources_agree_on_whom_to_write_to(gateway: Gateway) -> None:
    gateway.directory.refresh()
    for name in ("one", "two_places", "ranked", "outside"):
        rpps = BY_CASE[name].rpps
        by_api = gateway.directory.choose(rpps)
        by_list = gateway.directory.conclude(gateway.directory.find(rpps=rpps, source=Source.FILE), rpps)
        assert (by_api.verdict, by_api.code) == (by_list.verdict, by_list.code)
        assert {b.address for b in by_api.boxes} == {b.address for b in by_list.boxes}


def test_a_download_cut_short_leaves_the_list_in_place(gateway: Gateway, practice: Practice) -> None:
    before = gateway.directory.refresh().about
    for fault in ("drop_after_data", "busy", "unavailable"):
        practice.box.faults.set("annuaire", fault)
        with pytest.raises(AnnuaireError) as caught:
            gateway.directory.refresh()
        assert caught.value.code == "ANN-104"
    assert gateway.directory.status().list == before
    assert not list(practice.folder.glob(".annuaire*"))


def test_the_list_answers_while_the_api_is_down(gateway: Gateway, practice: Practice) -> None:
    gateway.directory.refresh()
    practice.box.faults.set("annuaire", "unavailable", count=3)
    found = gateway.directory.find(rpps=HELENE)
    assert (found.source, found.people[0].boxes[0].address) == (Source.FILE, BOX)
    assert found.notes
    practice.box.faults.clear()


# -------------------------------------------------------------------------------------------- submissions


def test_a_submission_hears_of_a_box_to_add_and_of_a_box_of_somebody_else(gateway: Gateway) -> None:
    bilan = case("01_entorse_cheville_bilan")
    [recipient] = bilan["recipients"]
    address = recipient.pop("mssante")

    def codes() -> set[str]:
        return {f.code for f in gateway.check(json.dumps(bilan).encode()).findings if f.code.startswith("DST-BOX")}

    assert codes() == set(), "no list is imported: nothing is said"
    gateway.directory.refresh()
    assert codes() == {"DST-BOX-FOUND"}
    recipient["mssante"] = address
    assert codes() == set()
    recipient["mssante"] = "celeste.unique-test@medecin.mssante.example"
    report = gateway.check(json.dumps(bilan).encode())
    assert codes() == {"DST-BOX-OTHER"}
    assert not report.ok
    del recipient["mssante"]
    recipient["rpps"] = BY_CASE["two_places"].rpps
    assert codes() == {"DST-BOX-CHOICE"}
