"""Small readers: HL7 types, times, MIME, XML, mailboxes, faults, stored mails."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.clock import FrozenClock, SeededRandomness
from gateway.rules import trust_space
from gateway.sandbox import Sandbox
from gateway.sandbox.dmp.mtom import MtomError, content_id, read_request
from gateway.sandbox.faults import AFTER_DATA, AT_GREETING, Channel, Fault, FaultKind, Faults, write_faults
from gateway.sandbox.hl7 import (
    check_utc,
    is_matricule,
    is_oid,
    is_ps_id,
    key_holds,
    parse_cx,
    parse_xcn,
    parse_xon,
    same_utc,
    to_utc,
)
from gateway.sandbox.mail_store import MailStore
from gateway.sandbox.mailboxes import Mailboxes
from gateway.sandbox.values import facts, in_set, professions, value_set
from gateway.sandbox.xml import C14N, XmlError, canonical_part, parse

from .builders import XCN

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "279035121518989^^^&1.2.250.1.213.1.4.10&ISO^NH",
        "279035121518989^^^&1.2.250.1.213.1.4.10&ISO^NH^^20260101",
        "IPP-0001^^^&1.2.3.4.567.8.9.10&ISO^PI",
    ],
)
def test_cx(text: str) -> None:
    assert parse_cx(text).id == text.partition("^")[0]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "279035121518989",
        "^^^&1.2&ISO^NH",
        "1^^^&1.2&ISO",
        "1^^^1.2^NH",
        "1^^^&1.2&DNS^NH",
        "1^^^&1.02&ISO^NH",
        "1^x^^&1.2&ISO^NH",
        "1^^^&1.2&ISO^nh",
        "1^^^&1.2&ISO^NH^^2026",
        "1^^^&1.2&ISO^NH^x^20260101",
        "1^^^&amp;1.2&amp;ISO^NH",
    ],
)
def test_what_is_no_cx(text: str) -> None:
    with pytest.raises(ValueError, match=r"CX|autorité"):
        parse_cx(text)


def test_xcn() -> None:
    person = parse_xcn(XCN)
    assert (person.id, person.family, person.given, person.id_type) == ("899700001011", "TESTOU", "Gwenaël", "IDNPS")


@pytest.mark.parametrize(
    "text",
    [
        "",
        XCN[: XCN.rindex("^")],
        XCN + "^",
        XCN.replace("^D^", "^Z^"),
        XCN.replace("IDNPS", "XX"),
        XCN.replace("&ISO", "&DNS"),
        XCN.replace("^Gwenaël^", "^Gwenaël^Marie"),
        "^" + XCN.partition("^")[2],
    ],
)
def test_what_is_no_xcn(text: str) -> None:
    with pytest.raises(ValueError, match=r"XCN|autorité"):
        parse_xcn(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "CABINET",
        "CABINET^^^^^&1.2&ISO^IDNST^^^",
        "^^^^^&1.2&ISO^IDNST^^^1",
        "C^^^^^1.2^IDNST^^^1",
        "C^x^^^^&1.2&ISO^IDNST^^^1",
    ],
)
def test_what_is_no_xon(text: str) -> None:
    with pytest.raises(ValueError, match=r"XON|autorité"):
        parse_xon(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("20261122003000+0100", "20261121233000"),
        ("20261121233000-0500", "20261122043000"),
        ("20261231235959-0001", "20270101000059"),
        ("202611220030+0100", "202611212330"),
        ("20261122", "20261122"),
        ("20261122103000", "20261122103000"),
        ("20261122103000.123+0000", "20261122103000"),
    ],
)
def test_cda_times_in_utc(text: str, expected: str) -> None:
    assert to_utc(text) == expected


@pytest.mark.parametrize("text", ["2026-11-22", "20261", "20261301000000", "20261122103000+1"])
def test_what_is_no_cda_time(text: str) -> None:
    with pytest.raises(ValueError, match=r"illisible|time data|unconverted"):
        to_utc(text)


def test_same_utc_works_at_the_precision_of_the_document() -> None:
    assert same_utc("20261121233000", "202611220030+0100")
    assert not same_utc("20261121233012", "202611220030+0100")
    assert not same_utc("", "20261122")
    assert not same_utc("20261122", "n'importe")


@pytest.mark.parametrize("text", ["20261122103000Z", "20261122103000+0000", "2026112210300", "20261399000000", ""])
def test_metadata_times_are_utc_without_offset(text: str) -> None:
    with pytest.raises(ValueError, match=r"UTC|time data|unconverted"):
        check_utc(text)


@pytest.mark.parametrize(
    ("matricule", "holds"),
    [
        ("207058575627097", True),
        ("109076322083489", True),
        ("180032B02040123", True),
        ("279035121518989", True),
        ("279035121518988", False),
    ],
)
def test_keys_of_published_matricules(matricule: str, holds: bool) -> None:
    assert is_matricule(matricule)
    assert key_holds(matricule) is holds


@pytest.mark.parametrize("text", ["", "27903512151898", "2790351215189890", "579035121518989", "2790C5121518989"])
def test_what_is_no_matricule(text: str) -> None:
    assert not is_matricule(text)


def test_oids_and_ps_ids() -> None:
    assert is_oid("2.25.329800735698586629295641978511506172918")
    assert not is_oid("1.02.3")
    assert not is_oid("1." + "1" * 70)
    assert not is_oid("urn:oid:1.2")
    assert is_ps_id("899700001011")
    assert not is_ps_id("99700001011")
    assert not is_ps_id("8123")


@given(st.text(max_size=60))
def test_readers_raise_value_error_only(text: str) -> None:
    for reader in (parse_cx, parse_xcn, parse_xon, check_utc, to_utc):
        try:
            reader(text)
        except ValueError:
            continue


def test_value_sets_hold_what_a_physiotherapist_needs() -> None:
    assert in_set("J07", "47420-5", "2.16.840.1.113883.6.1")
    assert in_set("J01", "G15_70", "1.2.250.1.213.1.1.4.5")
    assert professions()["70"] == "Masseur-Kinésithérapeute"
    assert "99" not in professions()
    assert all(value_set(name) for name in ("J01", "J02", "J04", "J07", "J08", "J47"))
    assert "34120-6" in facts()["types_refused_by_dmp"]


@pytest.mark.needs("shared")
def test_the_sandboxs_rows_are_the_published_ones() -> None:
    shared = Path(os.environ.get("KINE_SHARED", Path(__file__).resolve().parents[4] / "shared"))
    published: dict[str, dict[tuple[str, str], str]] = {}
    for line in (shared / "terminology" / "value-sets.tsv").read_text(encoding="utf-8").splitlines()[1:]:
        name, _, _, code, system, display = line.split("\t")
        published.setdefault(name.split("_")[1], {})[code, system] = display
    for name in ("J01", "J02", "J04", "J07", "J08", "J47"):
        assert value_set(name) == published[name]


@given(st.binary(max_size=200))
def test_no_body_crashes_the_mime_reader(body: bytes) -> None:
    kind = 'multipart/related; type="application/xop+xml"; boundary="b"; start-info="application/soap+xml"'
    with pytest.raises(MtomError):
        read_request(kind, b"--b\r\n" + body)


def test_parts_keep_their_bytes_exactly() -> None:
    content = b"\r\n--frontie\r\n\x00\xff--b\r\n"
    body = (
        b'--b\r\nContent-Type: application/xop+xml; type="application/soap+xml"\r\nContent-ID: <r>\r\n\r\n<a/>\r\n'
        b"--b\r\nContent-ID: <d>\r\n\r\n" + content.replace(b"--b\r\n", b"--c\r\n") + b"\r\n--b--\r\n"
    )
    kind = 'multipart/related; type="application/xop+xml"; boundary=b; start="<r>"; start-info="application/soap+xml"'
    found = read_request(kind, body)
    assert found.root == b"<a/>"
    assert found.attachments == {"d": content.replace(b"--b\r\n", b"--c\r\n")}


def test_content_ids_are_url_encoded() -> None:
    assert content_id("cid:doc1%40essai") == "doc1@essai"
    assert content_id("https://x/") == ""


@pytest.mark.parametrize("data", [b"", b"<a", b"<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><a>&x;</a>"])
def test_xml_that_is_not_read(data: bytes) -> None:
    with pytest.raises(XmlError):
        parse(data)


def test_a_subtree_in_a_default_namespace_has_no_empty_xmlns() -> None:
    """The lxml pitfall of spec dmp §2.4: bogus `xmlns=""` from depth two on."""
    root = parse(b'<a xmlns="urn:x"><b><c><d/></c></b></a>')
    assert canonical_part(root[0], C14N) == b'<b xmlns="urn:x"><c><d></d></c></b>'


def test_a_subtree_inherits_xml_attributes() -> None:
    root = parse(b'<a xml:lang="fr"><b/></a>')
    assert canonical_part(root[0], C14N) == b'<b xml:lang="fr"></b>'


def test_mailboxes() -> None:
    boxes = Mailboxes(("Medecin.example", "patient.mssante.fr"), {"medecin.example": ("Marie",)})
    assert boxes.refusal("marie@medecin.example") == ""
    assert boxes.refusal("paul@medecin.example").startswith("550 5.1.1")
    assert boxes.refusal("marie@ailleurs.example").startswith("550 5.1.2")
    assert boxes.refusal("marie").startswith("553 5.1.3")
    assert boxes.refusal("a b@medecin.example").startswith("553 5.1.3")
    assert boxes.refusal("180032b02040123@patient.mssante.fr") == ""


def test_faults_strike_in_order_and_count_down(tmp_path: Path) -> None:
    faults = Faults(tmp_path / "faults.json")
    faults.set("dmp", "refuse", count=2)
    faults.set("dmp", "busy")
    faults.set("mssante", "delay", count=-1, seconds=1.5)
    assert faults.take(Channel.DMP, AT_GREETING) is not None
    assert [faults.take(Channel.DMP, AFTER_DATA) is not None for _ in range(3)] == [True, True, False]
    assert all(faults.take(Channel.MSSANTE, AFTER_DATA) is not None for _ in range(5))
    assert faults.struck("mssante", "delay") == 5
    faults.clear("mssante")
    assert faults.pending() == []
    with pytest.raises(ValueError, match="fax"):
        faults.set("fax", "refuse")
    with pytest.raises(ValueError, match="explode"):
        faults.set("dmp", "explode")


def test_faults_come_from_another_process_through_the_control_file(tmp_path: Path) -> None:
    file = tmp_path / "faults.json"
    faults = Faults(file)
    write_faults(file, [Fault(Channel.DMP, FaultKind.REFUSE, 1)])
    assert faults.take(Channel.DMP, AFTER_DATA) is not None
    assert faults.take(Channel.DMP, AFTER_DATA) is None
    file.write_text("[{]")
    assert faults.take(Channel.DMP, AFTER_DATA) is None
    file.write_text(json.dumps([{"channel": "dmp", "kind": "delay", "seconds": 2}]))
    struck = faults.take(Channel.DMP, AFTER_DATA)
    assert struck is not None
    assert struck.seconds == 2.0


def test_an_old_control_file_says_nothing_at_start(tmp_path: Path) -> None:
    write_faults(tmp_path / "faults.json", [Fault(Channel.DMP, FaultKind.REFUSE)])
    assert Faults(tmp_path / "faults.json").take(Channel.DMP, AFTER_DATA) is None


def test_mails_keep_their_order_under_a_frozen_clock(tmp_path: Path) -> None:
    store = MailStore(tmp_path, FrozenClock(NOW), SeededRandomness("x"))
    for number in range(5):
        store.keep("a@b.example", ["c@d.example"], f"Message-ID: <{number}>\r\n\r\n".encode(), [])
    assert [mail.message_id for mail in store.messages("C@D.example")] == [f"<{n}>" for n in range(5)]


@pytest.mark.parametrize("address", ["..@..", "../../x@d.example", "a/b@d.example", "...@d.example", ".@.", "@", ""])
def test_no_address_leaves_the_folder(tmp_path: Path, address: str) -> None:
    store = MailStore(tmp_path / "mail", FrozenClock(NOW), SeededRandomness("x"))
    store.keep("a@b.example", [address], b"x", [])
    assert len(store.messages(address)) == 1
    assert {path.name for path in tmp_path.iterdir()} == {"mail"}
    assert store.mailboxes()


def test_the_trust_space_file_is_read_by_the_gateway(tmp_path: Path) -> None:
    box = Sandbox(
        tmp_path / "box", clock=FrozenClock(datetime.now(UTC)), trust_space=("A.example", "patient.mssante.fr")
    )
    box.write_trust_space(tmp_path / "trust.txt")
    box.close()
    listed = trust_space.load(tmp_path / "trust.txt")
    assert listed.domains == {"a.example", "patient.mssante.fr"}


def test_a_description_tells_all_that_a_client_needs(tmp_path: Path) -> None:
    with Sandbox(tmp_path / "box", clock=FrozenClock(datetime.now(UTC))) as box:
        pair = box.issue_client("a", kind="auth", structure_id="1")
        said = json.loads(json.dumps(box.describe()))
        assert said["smtp"]["port"] == box.smtp_port > 0
        assert said["dmp"]["url"] == f"https://127.0.0.1:{box.dmp_port}/si-dmp-server/v2/services"
        assert said["clients"] == [{"cert_file": str(pair.cert_path), "key_file": str(pair.key_path)}]
        assert Path(said["ca_file"]).is_file()
