"""INSi without network: what is asked, how answers are read, in which order searches go, what an answer means."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest
from lxml import etree

from gateway.channels.insi import agreement, answers, classify, messages, procedure
from gateway.channels.insi.agreement import Verification
from gateway.channels.insi.answers import Fault, Number, Reply, Traits
from gateway.channels.insi.classify import Failure
from gateway.channels.insi.messages import Search, Software
from gateway.channels.insi.procedure import Step
from gateway.channels.outcome import Verdict
from gateway.clock import SeededRandomness
from gateway.records.people import Ins

OID = "1.2.250.1.213.1.4.8"
NOW = datetime(2026, 11, 22, 10, 0, 0, 123456, tzinfo=UTC)
SOFTWARE = Software("IDAM01", "urn:lps:essai:1", "1", "poste-1", "10B0000000")
PERSON = Search("ECETINSI", ("PIERRE-ALAIN", "MURIEL"), "M", date(2009, 7, 14), "63220")

NS = {
    "s": "http://www.w3.org/2003/05/soap-envelope",
    "a": "http://www.w3.org/2005/08/addressing",
    "b": "urn:siram:bam:ctxbam",
    "l": "urn:siram:lps:ctxlps",
    "i": "http://www.cnamts.fr/INSiRecSans",
}


def ask(search: Search = PERSON) -> etree._Element:
    return etree.fromstring(messages.search_request(search, SOFTWARE, now=NOW, ids=SeededRandomness("insi")))


def said(root: etree._Element, path: str) -> list[str]:
    found = root.xpath(path, namespaces=NS)
    assert isinstance(found, list)
    return [str(one) for one in found]


# ------------------------------------------------------------------------------------------------------ requests


def test_a_request_has_both_contexts_in_the_order_of_their_schemas() -> None:
    root = ask()
    assert root.tag == f"{{{NS['s']}}}Envelope"
    assert said(root, "/s:Envelope/s:Header/b:ContexteBAM/@Version") == ["01_02"]
    assert said(root, "/s:Envelope/s:Header/l:ContexteLPS/@Version") == ["01_00"]
    order = [etree.QName(child).localname for child in root.findall("s:Header/b:ContexteBAM/*", NS)]
    assert order == ["Id", "Temps", "Emetteur", "COUVERTURE"]
    order = [etree.QName(child).localname for child in root.findall("s:Header/l:ContexteLPS/*", NS)]
    assert order == ["Id", "Temps", "Emetteur", "LPS"]
    assert said(root, "//b:Temps/text()") == said(root, "//l:Temps/text()") == ["2026-11-22T10:00:00.123Z"]
    assert said(root, "//l:LPS/l:IDAM/@R") == ["4"]
    assert said(root, "//l:LPS/*/text()") == ["IDAM01", "1", "poste-1", "urn:lps:essai:1"]
    assert said(root, "//a:Action/text()") == ["urn:ServiceIdentiteCertifiee:1.0.0:rechercherInsAvecTraitsIdentite"]
    assert len(set(said(root, "//b:Id/text() | //l:Id/text() | //a:MessageID/text()"))) == 3


def test_the_traits_are_in_the_order_of_the_schema() -> None:
    asked = ask().find("s:Body/i:RECSANSVITALE", NS)
    assert asked is not None
    assert [(etree.QName(one).localname, one.text) for one in asked] == [
        ("NomNaissance", "ECETINSI"),
        ("Prenom", "PIERRE-ALAIN"),
        ("Prenom", "MURIEL"),
        ("Sexe", "M"),
        ("DateNaissance", "2009-07-14"),
        ("LieuNaissance", "63220"),
    ]
    bare = ask(Search("A", ("B",), "F", date(1950, 1, 2)))
    assert bare.find("s:Body/i:RECSANSVITALE/i:LieuNaissance", NS) is None


def test_a_search_without_given_name_is_not_made() -> None:
    with pytest.raises(ValueError, match="given name"):
        ask(Search("A", (), "F", date(1950, 1, 2)))


def test_names_are_escaped() -> None:
    assert said(ask(Search("A&B<C", ("D",), "F", date(1950, 1, 2))), "//i:NomNaissance/text()") == ["A&B<C"]


# ------------------------------------------------------------------------------------------------------- answers


def envelope(body: str) -> bytes:
    return (
        '<?xml version="1.0" encoding="UTF-8"?><soap:Envelope xmlns:soap="http://www.w3.org/2003/05/soap-envelope">'
        f'<S:Body xmlns:S="http://www.w3.org/2003/05/soap-envelope">{body}</S:Body></soap:Envelope>'
    ).encode()


def number(digits: str, key: str, *, oid: str = OID, before: str = "", kind: str = "") -> str:
    kind = f"<TypeMatricule>{kind}</TypeMatricule>" if kind else ""
    identity = f"<NumIdentifiant>{digits}</NumIdentifiant><Cle>{key}</Cle>{kind}"
    return f"{before}<IdIndividu>{identity}</IdIndividu><OID>{oid}</OID>"


TIQ = (
    "<TIQ><NomNaissance>ECETINSI</NomNaissance><ListePrenom>PIERRE-ALAIN MURIEL FLORIANT</ListePrenom><Sexe>M</Sexe>"
    "<DateNaissance>2009-07-14</DateNaissance><LieuNaissance>63220</LieuNaissance></TIQ>"
)


def result(individual: str, code: str = "00") -> bytes:
    return envelope(
        '<RESULTAT xmlns="http://www.cnamts.fr/INSiResultat">'
        f"<CR><CodeCR>{code}</CodeCR><LibelleCR>x</LibelleCR></CR>{individual}</RESULTAT>"
    )


def one(active: str, *history: str, tiq: str = TIQ) -> bytes:
    past = "".join(f"<INSHISTO>{entry}</INSHISTO>" for entry in history)
    return result(f"<INDIVIDU><INSACTIF>{active}</INSACTIF>{past}{tiq}</INDIVIDU>")


def reply(data: bytes) -> Reply:
    found = answers.read(data)
    assert isinstance(found, Reply)
    return found


def test_one_person_with_a_history() -> None:
    """Facts of a public test set (spec dmp §5): two earlier matricules, dates before the number, no first name."""
    dates = "<DateDeb>2009-07-14</DateDeb><DateFin>2019-02-28</DateFin>"
    found = reply(
        one(
            number("1090763220834", "89"),
            number("2090763220834", "39", before=dates),
            number("2090663220123", "55", kind="NIR"),
        )
    )
    assert found.active == Number("109076322083489", OID)
    assert [n.matricule for n in found.history] == ["209076322083439", "209066322012355"]
    assert (found.history[0].begin, found.history[0].end) == (date(2009, 7, 14), date(2019, 2, 28))
    assert found.traits == Traits("ECETINSI", "PIERRE-ALAIN MURIEL FLORIANT", "M", date(2009, 7, 14), "63220")
    assert found.findings == ()


@pytest.mark.parametrize(("digits", "key"), [("180032B020401", "23"), ("2070585756270", "97"), ("1090763220888", "35")])
def test_keys_that_hold_say_nothing(digits: str, key: str) -> None:
    assert reply(one(number(digits, key))).findings == ()


@pytest.mark.parametrize(("digits", "right", "key"), [("1810363220751", "73", "60"), ("1810363220751", "73", "10")])
def test_a_key_that_does_not_hold_is_told_and_the_reply_kept(digits: str, right: str, key: str) -> None:
    assert key != right
    found = reply(one(number(digits, key)))
    assert found.active == Number(digits + key, OID)
    assert [(f.code, str(f.severity)) for f in found.findings] == [("TSI-012", "warning")]


def test_a_nia_stands_under_its_own_oid() -> None:
    found = reply(one(number("2950599335012", "11", oid="1.2.250.1.213.1.4.9", kind="NIA")))
    assert found.active is not None
    assert found.active.oid == "1.2.250.1.213.1.4.9"


@pytest.mark.parametrize(
    "active",
    [
        number("180032B02040123", "13"),  # the key inside the number
        number("109076322083", "89"),
        number("1090763220834", ""),
        number("1090763220834", "8A"),
        number("18003ZZ020401", "23"),
        number("1090763220834", "89", oid="1.2.250.1.213.1.4.2"),
        number("1090763220834", "89", oid=""),
        "",
    ],
)
def test_what_cannot_be_an_ins_is_never_made_one(active: str) -> None:
    found = reply(one(active))
    assert found.active is None
    assert [f.code for f in found.findings] == ["TSI-011"]


def test_a_damaged_earlier_number_is_left_aside() -> None:
    found = reply(one(number("1090763220834", "89"), number("209", "39"), number("2090663220123", "55")))
    assert [n.matricule for n in found.history] == ["209066322012355"]
    assert [f.code for f in found.findings] == ["TSI-010"]


@pytest.mark.parametrize("code", ["01", "02"])
def test_none_and_several(code: str) -> None:
    assert reply(result("", code)) == Reply(code)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not xml",
        b"<html><body>Service</body></html>",
        envelope(""),
        envelope("<autre/>"),
        result("", "03"),
        result("", ""),
        result("", "00"),
        result("<INDIVIDU/><INDIVIDU/>"),
        result(f"<INDIVIDU>{'<INSACTIF/>' * 2}</INDIVIDU>"),
        b'<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>',
        envelope("").replace(b"2003/05/soap-envelope", b"2001/06/soap-envelope"),
    ],
)
def test_any_other_answer_is_none(data: bytes) -> None:
    with pytest.raises(answers.UnreadableError):
        answers.read(data)


def test_a_reply_without_traits_says_nothing_of_a_person() -> None:
    found = reply(one(number("1090763220834", "89"), tiq=""))
    assert found.traits is None
    assert agreement.verify(Ins(matricule="109076322083489", oid=OID), PERSON, found) is Verification.UNKNOWN


# -------------------------------------------------------------------------------------------------------- faults


def fault(code: str, subcode: str, detail: str, severity: str, text: str = "Texte") -> bytes:
    return envelope(
        f"<S:Fault><S:Code><S:Value>S:{code}</S:Value><S:Subcode><S:Value>S:{subcode}</S:Value></S:Subcode></S:Code>"
        f'<S:Reason><S:Text xml:lang="en">Raison</S:Text></S:Reason><S:Detail>'
        f'<siram:Erreur severite="{severity}" code="{detail}" xmlns:siram="urn:siram">{text}</siram:Erreur>'
        "</S:Detail></S:Fault>"
    )


@pytest.mark.parametrize(
    ("subcode", "detail", "verdict", "reason"),
    [
        ("siram_40", "insi_102", Verdict.TRANSIENT, "TSI-UNAVAILABLE"),
        ("siram_40", "insi_101", Verdict.TRANSIENT, "TSI-UNAVAILABLE"),
        ("siram_100", "desir_550", Verdict.CONFIGURATION, "TSI-IDAM"),
        ("siram_100", "DESIR_550", Verdict.CONFIGURATION, "TSI-IDAM"),
        ("siram_100", "DESIR_560", Verdict.CONFIGURATION, "TSI-CERT-CN"),
        ("siram_100", "desir_999", Verdict.CONFIGURATION, "TSI-REFUSED"),
        ("siram_7", "insi_7", Verdict.PERMANENT, "TSI-FAULT"),
    ],
)
@pytest.mark.parametrize("severity", ["erreur", "fatal", "fatale", "avertissement", "", "pire"])
def test_faults_are_known_by_their_codes_whatever_their_severity(
    subcode: str, detail: str, verdict: Verdict, reason: str, severity: str
) -> None:
    found = answers.read(fault("Receiver", subcode, detail, severity))
    assert isinstance(found, Fault)
    failed = classify.from_fault(found)
    assert (failed.verdict, failed.reason) == (verdict, reason)
    assert failed.retryable is (verdict is Verdict.TRANSIENT)
    assert detail in failed.text
    assert severity in failed.text


def test_a_fault_that_repeats_the_traits_is_scrubbed() -> None:
    said_back = answers.read(fault("Sender", "x", "y", "erreur", "ECETINSI 2009-07-14 109076322083489 inconnu"))
    assert isinstance(said_back, Fault)
    text = classify.from_fault(said_back, "ECETINSI", "2009-07-14").text
    assert not any(word in text for word in ("ECETINSI", "2009", "1090763220834"))


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (500, Verdict.TRANSIENT),
        (503, Verdict.TRANSIENT),
        (429, Verdict.TRANSIENT),
        (403, Verdict.CONFIGURATION),
        (302, Verdict.CONFIGURATION),
        (400, Verdict.PERMANENT),
    ],
)
def test_a_status_alone(status: int, verdict: Verdict) -> None:
    assert classify.from_status(status).verdict is verdict


# ----------------------------------------------------------------------------------------------------- procedure

FOUND = Reply(
    "00", Number("109076322083489", OID), (), Traits("ECETINSI", "PIERRE-ALAIN MURIEL", "M", date(2009, 7, 14), "63220")
)
NOBODY, MANY, AWAY = Reply("01"), Reply("02"), Failure(Verdict.TRANSIENT, "TSI-TIMEOUT")
THREE = Search("NOM", ("UN", "DEUX", "TROIS"), "F", date(1990, 1, 1), "75056")


def scripted(*told: Reply | Failure) -> tuple[Callable[[Search], Reply | Failure], list[Search]]:
    asked: list[Search] = []

    def ask_service(search: Search) -> Reply | Failure:
        asked.append(search)
        return told[min(len(asked), len(told)) - 1]

    return ask_service, asked


def test_the_order_is_first_each_all_place() -> None:
    ask_service, asked = scripted(NOBODY)
    found = procedure.run(THREE, ask_service)
    assert [one_asked.step for one_asked in found.asked] == [Step.FIRST, Step.EACH, Step.EACH, Step.ALL, Step.PLACE]
    assert [search.given for search in asked] == [("UN",), ("DEUX",), ("TROIS",), THREE.given, THREE.given]
    assert [search.cog for search in asked] == [None] * 4 + ["75056"]
    assert found.answer == NOBODY


def test_it_stops_at_the_first_person_and_at_the_first_failure() -> None:
    for last in (FOUND, AWAY):
        ask_service, asked = scripted(MANY, NOBODY, last)
        assert procedure.run(THREE, ask_service).answer == last
        assert len(asked) == 3


def test_several_weighs_more_than_none() -> None:
    ask_service, _ = scripted(MANY, NOBODY)
    assert procedure.run(THREE, ask_service).answer == MANY


def test_one_name_without_place_is_one_call() -> None:
    ask_service, asked = scripted(NOBODY)
    procedure.run(Search("NOM", ("UN",), "F", date(1990, 1, 1)), ask_service)
    assert len(asked) == 1


# ----------------------------------------------------------------------------------------------------- agreement

INS = Ins(matricule="109076322083489", oid=OID)


@pytest.mark.parametrize(
    ("change", "differs"),
    [
        ({}, []),
        ({"given": ("PIERRE-ALAIN",)}, []),
        ({"given": ("PIERRE ALAIN", "MURIEL")}, []),
        ({"cog": None}, []),
        ({"family": "ECETINSI-ESSAI"}, ["birth_family"]),
        ({"given": ("PIERRE",)}, ["birth_given"]),
        ({"given": ("MURIEL",)}, ["birth_given"]),
        ({"given": ("PIERRE-ALAIN", "FLORIANT")}, ["birth_given"]),
        ({"given": ("PIERRE-ALAIN", "MURIEL", "X")}, ["birth_given"]),
        ({"sex": "F"}, ["sex"]),
        ({"born": date(2009, 7, 15)}, ["birth_date"]),
        ({"cog": "75056"}, ["birth_place_cog"]),
    ],
)
def test_each_strict_trait_counts(change: dict[str, object], differs: list[str]) -> None:
    from dataclasses import replace

    assert FOUND.traits is not None
    assert agreement.differing(replace(PERSON, **change), FOUND.traits) == differs  # type: ignore[arg-type]
    verdict = agreement.verify(INS, replace(PERSON, **change), FOUND)  # type: ignore[arg-type]
    assert verdict is (Verification.OTHER_TRAITS if differs else Verification.CONFIRMED)


@pytest.mark.parametrize(
    ("ins", "answer", "verdict"),
    [
        (INS, NOBODY, Verification.NONE),
        (INS, MANY, Verification.SEVERAL),
        (INS, AWAY, Verification.UNKNOWN),
        (INS, Reply("00", None, (), FOUND.traits), Verification.UNKNOWN),
        (Ins(matricule="209076322083439", oid=OID), FOUND, Verification.CHANGED),
        (Ins(matricule="109076322083489", oid="1.2.250.1.213.1.4.9"), FOUND, Verification.CHANGED),
    ],
)
def test_what_an_answer_says_of_an_ins(ins: Ins, answer: Reply | Failure, verdict: Verification) -> None:
    assert agreement.verify(ins, PERSON, answer) is verdict
