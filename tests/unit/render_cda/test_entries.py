"""Entries: everything that the record says stands in them, under templates that the schematrons accept."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from lxml import etree

from gateway.document.model import (
    ActEntry,
    ClinicalDocument,
    Concept,
    Entry,
    MeasureEntry,
    Section,
)
from gateway.render.cda import render
from tests.unit.render_cda import samples
from tests.unit.render_cda.samples import LEFT, local, measure, said, section

NS = {"c": "urn:hl7-org:v3", "x": "http://www.w3.org/2001/XMLSchema-instance"}
TYPE = f"{{{NS['x']}}}type"


def one(key: str, *entries: Entry, said_at: str = "a") -> etree._Element:
    """The <section> of a document that holds these entries alone."""
    document = ClinicalDocument(samples.HEADER, (section(key, said(said_at, "Dit"), entries=entries),))
    found = etree.fromstring(render(document, samples.TERMS)).find(".//c:section", NS)
    assert found is not None
    return found


def values(root: etree._Element, path: str) -> list[str]:
    found = root.xpath(path, namespaces=NS)
    assert isinstance(found, list)
    return [str(item) for item in found]


def value_of(observation: etree._Element) -> dict[str, str]:
    value = observation.find("c:value", NS)
    assert value is not None
    return {str(k).replace(f"{{{NS['x']}}}", ""): str(v) for k, v in value.attrib.items()} | (
        {"text": value.text} if value.text else {}
    )


def details(observation: etree._Element) -> dict[str, str]:
    """The nested facts of an entry: local code -> value."""
    found = {}
    for item in observation.findall("c:entryRelationship[@typeCode='COMP']/c:observation", NS):
        code, value = item.find("c:code", NS), item.find("c:value", NS)
        assert code is not None
        assert value is not None
        found[str(code.get("code"))] = value.text or value.get("value") or value.get("displayName") or ""
        if value.get(TYPE) == "CD" and not value.get("code"):
            found[str(code.get("code"))] = "".join(value.itertext())
    return found


def first(root: etree._Element, path: str) -> etree._Element:
    found = root.xpath(path, namespaces=NS)
    assert isinstance(found, list)
    assert found, path
    assert isinstance(found[0], etree._Element)
    return found[0]


MEASURES = (
    ("quantity", measure("a", "rom", "result", "40", "deg"), {"type": "PQ", "value": "40", "unit": "deg"}),
    ("digits kept", measure("a", "girth", "result", "51.0", "cm"), {"type": "PQ", "value": "51.0", "unit": "cm"}),
    ("negative", measure("a", "rom", "result", "-5", "deg"), {"type": "PQ", "value": "-5", "unit": "deg"}),
    ("score", measure("a", "cait", "survey", "14", "{score}"), {"type": "PQ", "value": "14", "unit": "{score}"}),
    ("pain", measure("a", "pain_nrs", "pain", "6", "{score}"), {"type": "INT", "value": "6"}),
    ("pain, zeros", measure("a", "pain_nrs", "pain", "6.00", "{score}"), {"type": "INT", "value": "6"}),
    ("pain, half", measure("a", "pain_nrs", "pain", "2.5", "{score}"), {"type": "REAL", "value": "2.5"}),
    ("pain, mm", measure("a", "pain_vas", "pain", "62", "mm"), {"type": "PQ", "value": "62", "unit": "mm"}),
    ("no unit", measure("a", "count", "result", "3", None), {"type": "INT", "value": "3"}),
    ("coded unit", measure("a", "risk", "survey", "2", "code"), {"type": "INT", "value": "2"}),
    ("exponent", measure("a", "x", "result", "1E+2", "m"), {"type": "PQ", "value": "100", "unit": "m"}),
    ("nothing", measure("a", "x", "result", None, None), {"type": "PQ", "nullFlavor": "NI"}),
)


@pytest.mark.parametrize(("name", "entry", "expected"), MEASURES, ids=[row[0] for row in MEASURES])
def test_values(name: str, entry: MeasureEntry, expected: dict[str, str]) -> None:
    key = {"pain": "pain", "survey": "physical_function", "result": "results"}[entry.category]
    assert value_of(first(one(key, entry), ".//c:observation")) == expected


def test_a_local_code_travels_with_its_system_and_text() -> None:
    code = first(one("results", measure("a", "schober", "result", "5", "cm")), ".//c:observation/c:code")
    assert dict(code.attrib) == {"code": "schober", "displayName": "SCHOBER", "codeSystem": samples.LOCAL}
    assert "".join(code.itertext()) == "SCHOBER"


def test_a_measure_without_any_code_is_its_text() -> None:
    entry = measure("a", "unlisted", "result", "5", "cm", concept=Concept("Mesure maison"))
    code = first(one("results", entry), ".//c:observation/c:code")
    assert dict(code.attrib) == {"nullFlavor": "UNK"}
    assert "".join(code.itertext()) == "Mesure maison"


def test_two_pain_scales_stay_apart_under_the_one_code_of_the_template() -> None:
    entries = (
        measure("a", "pain_nrs", "pain", "6", "{score}", concept=samples.PAIN),
        measure("b", "pain_vas", "pain", "62", "mm", concept=samples.VAS),
    )
    root = one("pain", *entries)
    assert values(root, ".//c:entry/c:observation/c:code/@code") == ["38208-5", "38208-5"]
    assert values(root, ".//c:entry[1]//c:code/c:translation/@code") == ["pain_nrs"]
    assert values(root, ".//c:entry[2]//c:code/c:translation/@code") == ["38214-3", "pain_vas"]


def test_site_and_side_where_the_template_allows_them() -> None:
    entry = measure("a", "rom", "result", "40", "deg", side=LEFT, site=samples.SHOULDER)
    observation = first(one("results", entry), ".//c:entry/c:observation")
    assert values(observation, "c:targetSiteCode/@code") == ["16982005"]
    assert values(observation, "c:targetSiteCode/c:qualifier/c:value/@code") == [LEFT.code]
    assert details(observation) == {}


def test_site_and_side_where_it_does_not() -> None:
    entry = measure("a", "cait", "survey", "14", "{score}", side=LEFT, site=Concept("cheville"))
    observation = first(one("physical_function", entry), ".//c:observation")
    assert observation.find("c:targetSiteCode", NS) is None
    assert details(observation) == {"site": "cheville", "side": "côté gauche"}


def test_context_aid_raw_and_moment_are_kept() -> None:
    entry = measure(
        "a", "mrc", "result", "3.7", "{score}", context="assis", aid="canne", raw="4-", side=LEFT, reference="initial"
    )
    observation = first(one("results", entry), ".//c:entry/c:observation")
    assert details(observation) == {
        "side": "côté gauche",
        "context": "assis",
        "aid": "canne",
        "raw": "4-",
        "reference": "Mesure initiale",
    }


def test_initial_and_current_measures_are_apart_with_their_own_time() -> None:
    root = one(
        "physical_function",
        measure("a", "odi", "survey", "50", "%", effective=samples.BEFORE, reference="initial"),
        measure("b", "odi", "survey", "34", "%"),
    )
    times = values(root, ".//c:component/c:observation/c:effectiveTime/@value")
    assert times == ["20251006093000+0200", "20260105143000+0100"]
    assert values(root, ".//c:organizer/c:effectiveTime/@value") == times  # one panel for each moment


def test_vital_signs_are_gathered_and_what_may_not_be_one_stands_beside() -> None:
    ill_unit = measure("b", "weight", "vital", "150", "[lb_av]", concept=samples.WEIGHT)
    uncoded = measure("c", "other", "vital", "91", "%")
    root = one("vital_signs", measure("a", "weight", "vital", "68", "kg", concept=samples.WEIGHT), ill_unit, uncoded)
    assert values(root, "c:entry/c:organizer/c:code/@code") == ["85353-1"]
    assert values(root, "c:entry/c:organizer/c:component/c:observation/c:code/@code") == ["29463-7"]
    assert values(root, "c:entry/c:observation/c:value/@value") == ["150", "91"]
    assert values(root, "c:entry/c:observation[1]/c:code/@code") == ["29463-7", "other"]


def test_coded_results_get_the_act_they_come_from_unless_one_is_there() -> None:
    entry = measure("a", "rom", "result", "40", "deg")
    root = one("results", entry)
    assert values(root, "c:entry/c:procedure/c:code/@code") == ["MED-513"]
    assert values(root, "c:entry/c:procedure/c:text/c:reference/@value") == ["#section.1"]
    assert values(root, "c:text/@ID") == ["section.1"]
    act = ActEntry("a", local("own", "Autre"), "EVN", date(2026, 1, 5))
    assert values(one("results", entry, act), "c:entry/c:procedure/c:code/@code") == ["own"]


PROMISES = ("past_illness", "problems", "pain", "vital_signs", "results", "surgeries", "acts", "sessions", "evolution")


@pytest.mark.parametrize("key", PROMISES)
def test_a_section_without_its_entries_claims_no_coded_template(key: str) -> None:
    declared = values(one(key), "c:templateId/@root")
    assert declared != list(samples.TERMS.section(key).cda_templates)


def test_results_without_a_measure_do_not_claim_the_template_that_forbids_entries() -> None:
    act = ActEntry("a", local("own", "Autre"), "EVN", date(2026, 1, 5))
    assert values(one("results", act), "c:templateId/@root") == []
    assert len(values(one("results"), "c:templateId/@root")) == 2


def test_a_problem_keeps_status_onset_side_and_note() -> None:
    whole = samples.full()
    root = etree.fromstring(render(whole, samples.TERMS))
    acts = root.findall(".//c:entry/c:act", NS)
    closed, sided, active = acts
    assert values(closed, "c:effectiveTime/c:high/@nullFlavor") == ["UNK"]
    assert values(closed, ".//c:act/c:text/text()") == ["Rien\ndepuis"]
    assert values(closed, ".//c:observation/c:value/@nullFlavor") == ["UNK"]
    assert "".join(first(closed, ".//c:value/c:originalText").itertext()) == "Entorse de cheville 2019"
    assert values(sided, ".//c:qualifier/c:value/@code") == [LEFT.code]
    assert values(active, "c:statusCode/@code") == ["active"]
    assert active.find("c:effectiveTime/c:high", NS) is None
    assert values(active, ".//c:observation/c:value/@code") == ["M54.5"]


def test_goals_say_their_dates_and_whether_they_were_reached() -> None:
    root = etree.fromstring(render(samples.full(), samples.TERMS))
    goals = root.findall(".//c:observation[@moodCode='GOL']", NS)
    assert [first(goal, "c:value").text for goal in goals] == ["Marcher 500 m", "Reprise du sport", "Monter l'escalier"]
    assert [details(goal) for goal in goals] == [{}, {"goal_reached": "false"}, {"goal_reached": "true"}]
    assert [first(goal, "c:statusCode").get("code") for goal in goals] == ["active", "active", "completed"]
    assert values(goals[0], "c:effectiveTime/*/@value") == ["20260105", "20260301"]
    assert values(goals[1], "c:effectiveTime/*/@value") == ["20260105"]


def test_acts_sessions_and_referral() -> None:
    root = etree.fromstring(render(samples.full(), samples.TERMS))
    planned = first(root, ".//c:procedure[@moodCode='INT']")
    assert values(planned, "c:statusCode/@code | c:effectiveTime/*/@value") == ["active", "20260105", "20260301"]
    session = first(root, ".//c:encounter[@moodCode='EVN']")
    assert details(session) == {"session_number": "1"}
    referral = first(root, ".//c:encounter[@moodCode='ARQ']")
    assert details(referral) == {"referral_to": "cardiologue"}
    assert values(referral, "c:priorityCode/@code") == ["24h"]
    assert first(referral, "c:code/c:originalText").text == "Douleur thoracique\nà l'effort"


def test_an_act_of_an_unknown_date() -> None:
    root = one("surgeries", ActEntry("a", Concept("Ménisque"), "EVN", None))
    assert values(root, ".//c:procedure/c:effectiveTime/c:low/@nullFlavor") == ["UNK"]


def test_statement_and_adverse_event() -> None:
    root = etree.fromstring(render(samples.full(), samples.TERMS))
    coded = first(root, ".//c:observation[c:text/c:reference/@value='#s1']")
    assert value_of(coded)["code"] == "poursuite"
    worded = first(root, ".//c:observation[c:text/c:reference/@value='#s2']")
    assert value_of(worded) == {"type": "ST", "text": "aucun & rien < tout"}
    event = first(root, ".//c:observation[c:text/c:reference/@value='#e1']")
    assert values(event, "c:id/@extension") == ["AE-06-1"]
    assert value_of(event)["text"] == "Chute sans blessure"
    assert values(event, ".//c:observation/c:value/@code") == ["legere"]
    assert values(event, ".//c:act/c:text/text()") == ["Glissade\nau domicile"]


def test_function_items_are_survey_observations() -> None:
    root = etree.fromstring(render(samples.full(), samples.TERMS))
    item = first(root, ".//c:observation[c:code/@code='d450']")
    assert value_of(item)["code"] == "d450"
    assert item.find("c:methodCode", NS) is None


def test_every_entry_points_to_words_of_its_section() -> None:
    root = etree.fromstring(render(samples.full(), samples.TERMS))
    for held in root.findall(".//c:section", NS):
        anchors = set(values(held, "c:text/@ID | c:text//@ID"))
        used = {value.removeprefix("#") for value in values(held, "c:entry//c:reference/@value")}
        assert used <= anchors


def test_ids_are_all_different_and_the_same_next_time() -> None:
    root = etree.fromstring(render(samples.full(), samples.TERMS))
    ids = values(root, "//c:structuredBody//c:id/@root")
    assert len(ids) == len(set(ids)) > 60
    other = ClinicalDocument(replace(samples.HEADER, id="2.25.1"), samples.full().sections)
    others = values(etree.fromstring(render(other, samples.TERMS)), "//c:structuredBody//c:id/@root")
    assert not set(ids) & set(others)


def test_a_subsection_holds_its_own_entries() -> None:
    inner = section("pain", said("n", "EN 3"), entries=(measure("n", "pain_nrs", "pain", "3", "{score}"),))
    outer: Section = section("functional_status", said("o", "Voir"), subs=(inner,))
    root = etree.fromstring(render(ClinicalDocument(samples.HEADER, (outer,)), samples.TERMS))
    assert values(root, "//c:section/c:component/c:section/c:entry/c:observation/c:value/@value") == ["3"]
