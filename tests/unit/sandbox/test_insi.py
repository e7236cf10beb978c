"""The sandbox's INSi: sound requests answered in the real shapes, every defect of the table refused."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from lxml import etree

from gateway.clock import FrozenClock
from gateway.sandbox.faults import DropConnectionError, Faults
from gateway.sandbox.insi.people import Matricule, People, Person
from gateway.sandbox.insi.service import Answer, InsiOptions, InsiService
from gateway.sandbox.pki import create_pki, issue_client
from tests.unit.sandbox.insi_requests import CONTENT_TYPE, DEFECTS, SOUND

NOW = datetime(2026, 11, 22, 10, 5, tzinfo=UTC)
NS = {"s": "http://www.w3.org/2003/05/soap-envelope", "r": "http://www.cnamts.fr/INSiResultat", "m": "urn:siram"}


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, x509.Certificate]:
    """Client certificates by their common name."""
    folder = tmp_path_factory.mktemp("pki")
    clock = FrozenClock(NOW)
    create_pki(folder, clock)
    names = {"INSI-AUTO": "auth", "INSI-MANU": "auth", "insi-auto": "auth", "cabinet": "auth", "INSI-AUTO-SIGN": "sign"}
    return {
        name: issue_client(
            folder,
            name,
            clock=clock,
            kind=kind,  # type: ignore[arg-type]
            structure_id="499700001011000",
            common_name=name.removesuffix("-SIGN"),
        ).certificate()
        for name, kind in names.items()
    }


class Service:
    """The service with everything around it."""

    def __init__(self, folder: Path, certificates: dict[str, x509.Certificate]) -> None:
        self.people = People(folder / "people.json")
        self.faults = Faults(folder / "faults.json")
        self.clock = FrozenClock(NOW)
        self.insi = InsiService(self.people, self.faults, self.clock, InsiOptions())
        self._certificates = certificates

    def ask(
        self, text: str = SOUND, *, name: str = "INSI-AUTO", kind: str = CONTENT_TYPE, path: str = "/lps"
    ) -> Answer:
        return self.insi.answer(path, kind, text.encode(), self._certificates[name])


@pytest.fixture
def service(tmp_path: Path, certificates: dict[str, x509.Certificate]) -> Service:
    return Service(tmp_path, certificates)


def told(answer: Answer, path: str) -> list[str]:
    found = etree.fromstring(answer.body).xpath(path, namespaces=NS)
    assert isinstance(found, list)
    return [str(one) for one in found]


def test_the_sound_request_finds_its_person(service: Service) -> None:
    answer = service.ask()
    assert answer.status == 200
    assert told(answer, "//r:CR/*/text()") == ["00", "OK"]
    assert told(answer, "//r:INSACTIF//r:NumIdentifiant/text()") == ["1090763220111"]
    assert len(told(answer, "//r:INSHISTO//r:NumIdentifiant/text()")) == 2
    assert told(answer, "//r:TIQ/*/text()") == [
        "ESSAI-HISTO",
        "PIERRE-ALAIN MURIEL FLORIANT",
        "M",
        "2009-07-14",
        "63220",
    ]


@pytest.mark.parametrize("name", DEFECTS)
def test_each_defect_is_refused_with_its_reason(name: str, service: Service) -> None:
    defect = DEFECTS[name]
    answer = service.ask(defect.spoil(SOUND), kind=defect.content_type)
    assert answer.status in {400, 500}
    assert told(answer, "//s:Fault/s:Code/s:Value/text()") == [f"soap:{defect.code}"]
    assert defect.says in answer.body.decode()
    assert "INSACTIF" not in answer.body.decode()
    detail = told(answer, "//s:Detail/m:Erreur/@code")
    assert detail == (["desir_550"] if name == "unknown IDAM" else []), "only codes that are known are used"


def test_the_table_is_long_enough() -> None:
    assert len(DEFECTS) >= 25


def test_a_defect_must_change_the_request() -> None:
    unchanged = {name for name, defect in DEFECTS.items() if defect.spoil(SOUND) == SOUND}
    assert unchanged == {"media type of SOAP 1.1", "another action in the media type"}


@pytest.mark.parametrize("name", ["insi-auto", "cabinet", "INSI-AUTO-SIGN"])
def test_another_certificate_is_refused(name: str, service: Service) -> None:
    answer = service.ask(name=name)
    assert told(answer, "//m:Erreur/@code") == ["DESIR_560"]


def test_both_names_of_certificate_are_good(service: Service) -> None:
    assert service.ask(name="INSI-MANU").status == service.ask(name="INSI-AUTO").status == 200


def request(family: str, given: list[str], sex: str, born: str, place: str = "") -> str:
    text = SOUND.replace("ESSAI-HISTO", family).replace("2009-07-14", born).replace("<ins:Sexe>M", f"<ins:Sexe>{sex}")
    text = text.replace(
        "<ins:Prenom>PIERRE-ALAIN</ins:Prenom>", "".join(f"<ins:Prenom>{n}</ins:Prenom>" for n in given)
    )
    placed = f"<ins:LieuNaissance>{place}</ins:LieuNaissance>" if place else ""
    return text.replace("<ins:LieuNaissance>63220</ins:LieuNaissance>", placed)


@pytest.mark.parametrize(
    ("asked", "code", "number"),
    [
        (("ESSAI-COLONNA", ["ANGE"], "M", "1980-03-02"), "00", "180032A004012"),
        (("ESSAI-BASTIA", ["ANTHONY"], "M", "1980-03-02"), "00", "180032B033017"),
        (("ESSAI-ATTENTE", ["AMINATA"], "F", "1995-05-05"), "00", "2950599335012"),
        (("ESSAI-JUMEAU", ["LEONARD"], "M", "2014-02-01"), "02", None),
        (("ESSAI-JUMEAU", ["LEONARD", "LUC"], "M", "2014-02-01"), "00", "1140263220702"),
        (("ESSAI-HOMONYME", ["MARIE", "CLAUDE"], "F", "1955-11-30"), "02", None),
        (("ESSAI-HOMONYME", ["MARIE", "CLAUDE"], "F", "1955-11-30", "13055"), "00", "2551113055702"),
        (("ESSAI-INDIVIS", ["JEAN"], "M", "1970-01-15", "33063"), "02", None),
        (("ESSAI-AUTREPRENOM", ["OLA"], "F", "1936-06-21"), "01", None),
        (("D'ESSAI--DOUBLE", ["ZOE"], "F", "1994-06-01"), "00", "2940663220704"),
        (("ESSAI-HISTO", ["PIERRE-ALAIN"], "F", "2009-07-14"), "01", None),
        (("ESSAI-HISTO", ["PIERRE-ALAIN"], "M", "2009-07-15"), "01", None),
        (("PERSONNE", ["X"], "M", "2000-01-01"), "01", None),
    ],
)
def test_who_is_found(asked: tuple[str, list[str], str, str], code: str, number: str | None, service: Service) -> None:
    answer = service.ask(request(*asked))
    assert told(answer, "//r:CodeCR/text()") == [code]
    assert told(answer, "//r:INSACTIF//r:NumIdentifiant/text()") == ([number] if number else [])


def test_keys_of_the_data_hold_but_for_the_two_that_must_not(service: Service) -> None:
    def expected(number: str) -> str:
        return f"{97 - int(number.replace('2A', '19').replace('2B', '18')) % 97:02d}"

    wrong = {m.number for p in service.people.all() for m in (p.active, *p.history) if m.key != expected(m.number)}
    assert wrong == {"1810363220751", "1810363220752"}


def test_people_may_be_added_changed_and_removed(service: Service) -> None:
    person = Person(
        "NOUVEAU", "LEA", "F", "2001-01-01", "75056", Matricule("2010175056001", "38", "1.2.250.1.213.1.4.10")
    )
    asked = request("NOUVEAU", ["LEA"], "F", "2001-01-01")
    service.people.add([person])
    service.people.add([person])
    assert told(service.ask(asked), "//r:NumIdentifiant/text()") == ["2010175056001"]
    from dataclasses import replace

    service.people.change(
        replace(person, active=replace(person.active, number="2010175056999"), history=(person.active,))
    )
    assert told(service.ask(asked), "//r:NumIdentifiant/text()") == ["2010175056999", "2010175056001"]
    service.people.remove("NOUVEAU")
    assert told(service.ask(asked), "//r:CodeCR/text()") == ["01"]


def test_faults_strike_in_the_real_shapes(service: Service) -> None:
    service.faults.set("insi", "refuse")
    answer = service.ask()
    assert answer.status == 500
    assert told(answer, "//s:Subcode/s:Value/text()") == ["soap:siram_40"]
    assert told(answer, "//m:Erreur/@code") == ["insi_102"]
    assert told(answer, "//m:Erreur/@severite") == ["fatal"], "outside the schema, as seen"
    service.faults.set("insi", "drop_after_data")
    with pytest.raises(DropConnectionError):
        service.ask()
    assert service.ask().status == 200


def test_what_was_asked_is_remembered_without_its_traits(service: Service) -> None:
    service.ask()
    service.ask(name="cabinet")
    assert [(q.common_name, q.given_names, q.with_place, q.outcome) for q in service.insi.questions()] == [
        ("INSI-AUTO", 1, True, "00"),
        ("cabinet", 0, False, "DESIR_560"),
    ]
    assert "ESSAI" not in repr(service.insi.questions())


def test_no_other_path(service: Service) -> None:
    assert service.ask(path="/autre").status == 404
