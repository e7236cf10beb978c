"""The tables load strictly, and give each target only codes that were verified for it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gateway import resources, terminology
from gateway.errors import MappingError
from gateway.records.clinical import Measure, Side
from gateway.terminology import Code, Concept, loader, tables

LOINC = "2.16.840.1.113883.6.1"
TERMS = terminology.load()


def measured(code: str, **more: object) -> Concept:
    return TERMS.measure_concept(Measure.model_validate({"code": code, "value": 1, "unit": "x", **more}))


def test_the_code_depends_on_the_target() -> None:
    pain = measured("pain_nrs")
    assert pain.cda is not None
    assert (pain.cda.code, pain.fhir[0].code) == ("38208-5", "72514-3")
    oxygen = measured("spo2")
    assert oxygen.cda is not None
    assert (oxygen.cda.code, oxygen.fhir[0].code) == ("20564-1", "59408-5")


def test_a_measure_without_verified_code_keeps_local_code_and_text() -> None:
    cait = measured("cait")
    assert cait == Concept("CAIT", Code("cait", TERMS.local_system, "CAIT"))


def test_the_side_chooses_the_code_of_grip_strength() -> None:
    assert measured("grip_strength").cda is None
    assert measured("grip_strength", side=Side.RIGHT.value).fhir[0].code == "83174-3"
    assert measured("grip_strength", side=Side.LEFT.value).fhir[0].code == "83173-5"
    assert measured("grip_strength", side=Side.BOTH.value).fhir == ()


def test_joint_and_side_choose_the_code_of_a_range_of_motion() -> None:
    assert measured("rom_active_flexion", site="Genou", side="gauche").fhir[0].code == "41343-5"
    assert measured("rom_active_flexion", site="Epaule").fhir[0].code == "41389-8"
    assert measured("rom_active_flexion", site="genou").fhir == ()
    assert measured("rom_active_flexion", site="hanche", side="gauche").fhir == ()


def test_a_measure_out_of_the_catalogue_keeps_its_name() -> None:
    assert measured("test_maison") == Concept("test maison")


def test_sites_are_known_by_their_french_names() -> None:
    assert TERMS.site("Colonne lombaire").fhir == TERMS.site("rachis lombaire").fhir
    assert TERMS.site("EPAULE").fhir == TERMS.site("épaule").fhir != ()
    assert TERMS.site("région  entière de l’épaule").fhir == TERMS.site("épaule").fhir
    assert TERMS.site("releveurs du pied") == Concept("releveurs du pied")


def test_only_verified_icf_items_are_sent_as_codes() -> None:
    walking = TERMS.icf("d450.2", None)
    assert walking.text == "Marcher (d450.2)"
    assert walking.fhir == (Code("d450.2", "2.16.840.1.113883.6.254", "Marcher"),)
    assert TERMS.icf("b28015", "Douleur de la cheville") == Concept("Douleur de la cheville (b28015)")
    assert TERMS.icf("d9999", None) == Concept("d9999")


def test_words_of_open_lists_stay_as_written() -> None:
    assert TERMS.red_flag("appui_impossible_4_pas") == "appui impossible sur quatre pas"
    assert TERMS.red_flag("dyspnée_de_repos") == "dyspnée de repos"
    assert TERMS.red_flag("Fièvre depuis 3 jours") == "Fièvre depuis 3 jours"


def test_what_is_missing_is_named() -> None:
    for ask in (
        lambda: TERMS.value("J01", "G15_XX"),
        lambda: TERMS.section("nulle_part"),
        lambda: TERMS.document("recette"),
        lambda: TERMS.label("outcome", "miracle"),
    ):
        with pytest.raises(MappingError) as caught:
            ask()
        assert caught.value.code == "MAP-002"


@pytest.mark.parametrize(
    ("code", "system", "display", "expected"),
    [
        ("47420-5", LOINC, "CR de bilan fonctionnel", True),
        ("47420-5", LOINC, "Évaluation du statut fonctionnel", True),
        ("47420-5", LOINC, "Signes vitaux", False),
        ("G15_70", "1.2.250.1.213.1.1.4.5", "Médecin", False),
        ("M54.5", "2.16.840.1.113883.6.3", "Lombalgie commune", None),
        ("M54.5", "2.16.840.1.113883.6.3", "Entorse et foulure de la cheville", False),
        ("99999-9", LOINC, "Inconnu de tous", None),
    ],
)
def test_a_display_may_belong_contradict_or_be_unknown(
    code: str, system: str, display: str, expected: bool | None
) -> None:
    assert TERMS.display_matches(Code(code, system, display)) is expected


def test_systems_have_their_fhir_address() -> None:
    assert TERMS.system_uri(LOINC) == "http://loinc.org"
    assert TERMS.system_uri("1.2.3") == "urn:oid:1.2.3"


def _spoil(folder: Path, name: str, old: str, new: str) -> None:
    path = folder / name
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "mappings"
    shutil.copytree(resources.data_path("mappings"), folder)
    monkeypatch.setenv(resources.MAPPINGS_VARIABLE, str(folder))
    return folder


@pytest.mark.parametrize(
    ("name", "old", "new", "where"),
    [
        ("measures.csv", "code,label", "code,libelle", "ligne 1"),
        ("measures.csv", "\npain_vas,", "\npain_nrs,", "ligne 3"),
        ("measures.csv", ",0,10,low,", ",zéro,10,low,", "pain_nrs"),
        ("measures.csv", ",0,10,low,", ",0,10,best,", "pain_nrs"),
        ("sites.csv", ",genou,", ",cheville,", "cheville"),
        ("icf.csv", ",yes,", ",maybe,", "b525"),
        ("documents.toml", 'type = "47420-5"', 'type = "47420-6"', "assessment"),
        ("documents.toml", "[defaults]", "[defaults", "documents.toml"),
        ("sections.toml", '"reason", "complaint"', '"reason", "plainte"', "plainte"),
        ("answers.csv", "startback_risk,1", "startback_risque,1", "startback_risque"),
        ("units.csv", "mmHg,mmHg,", "mmHg,", "ligne 14"),
        ("systems.toml", 'key = "CIF"', 'key = "ICF"', "CIF"),
    ],
)
def test_a_spoiled_table_is_named_with_its_line(copy: Path, name: str, old: str, new: str, where: str) -> None:
    _spoil(copy, name, old, new)
    with pytest.raises(MappingError) as caught:
        terminology.load.__wrapped__()
    assert caught.value.code == "MAP-001"
    assert name in caught.value.message
    assert where in caught.value.message


def test_an_altered_file_is_seen(copy: Path) -> None:
    assert tables.altered_files() == []
    (copy / "units.csv").write_bytes((copy / "units.csv").read_bytes() + b"\n")
    (copy / "sites.csv").unlink()
    assert tables.altered_files() == ["sites.csv", "units.csv"]


def test_the_pack_that_ships_is_the_one_that_the_manifest_names(root: Path) -> None:
    run = subprocess.run(
        [sys.executable, str(root / "fixtures" / "mappings.py"), "--check"], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout


def test_every_file_has_source_and_licence() -> None:
    for entry in tables.toml("manifest.toml")["file"]:
        assert entry["source"]
        assert entry["licence"]
    assert tables.toml("manifest.toml")["version"] == "2026.11"


def test_a_type_closes_an_episode_only_when_the_site_wants_it(copy: Path) -> None:
    assert TERMS.document("treatment_summary", closes_episode=True).type.code == "11506-3"
    text = (copy / "documents.toml").read_text(encoding="utf-8")
    head, mark, tail = text.partition("closes_episode = true")
    (copy / "documents.toml").write_text(head + mark + tail.replace("active = false", "active = true", 1), "utf-8")
    closing = terminology.load.__wrapped__().document("treatment_summary", closes_episode=True)
    assert (closing.type.code, closing.class_code.code) == ("34133-9", "11")


def test_loading_is_done_once() -> None:
    assert terminology.load() is terminology.Terminology.load()
    assert loader.session_cap() == TERMS.session_cap == 8
