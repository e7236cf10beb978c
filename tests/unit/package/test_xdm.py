from __future__ import annotations

import io
import re
import zipfile

import pytest
from lxml import etree

from gateway.package import xdm
from tests.unit.package.samples import CDA, NOW, account, document, ids


def archive(seed: str = "test") -> bytes:
    return xdm.archive(document(), CDA, account=account(), now=NOW, ids=ids(seed))


def test_members_order_and_names() -> None:
    with zipfile.ZipFile(io.BytesIO(archive())) as read:
        assert read.testzip() is None
        names = read.namelist()
        assert names == ["INDEX.HTM", "README.TXT", "IHE_XDM/SUBSET01/METADATA.XML", "IHE_XDM/SUBSET01/DOC0001.XML"]
        assert all(re.fullmatch(r"[A-Z0-9_]{1,8}(\.[A-Z0-9]{1,3})?", part) for n in names for part in n.split("/"))
        assert read.read("IHE_XDM/SUBSET01/DOC0001.XML") == CDA
        assert {i.compress_type for i in read.infolist()} == {zipfile.ZIP_STORED}


def test_same_arguments_same_bytes() -> None:
    assert archive() == archive()
    assert archive() != archive("other")


def test_index_is_well_formed_strict_xhtml_with_working_links() -> None:
    with zipfile.ZipFile(io.BytesIO(archive())) as read:
        page, names = read.read("INDEX.HTM"), set(read.namelist())
    tree = etree.fromstring(page, etree.XMLParser(load_dtd=False)).getroottree()
    assert tree.docinfo.public_id == "-//W3C//DTD XHTML 1.0 Strict//EN"
    links = {str(link) for link in tree.xpath("//*[local-name()='a']/@href")}
    assert links == names - {"INDEX.HTM"}
    assert "Cabinet d'Épreuve & Fils" in "".join(tree.getroot().itertext())


def test_readme_blocks() -> None:
    text = xdm.readme(document().header).decode()
    assert all(line == line.strip("\n") for line in text.split("\r\n"))
    for expected in (
        "Emetteur",
        "M Gwenaël TESTOU (Masseur-Kinésithérapeute)",
        "Cabinet d'Épreuve & Fils (identifiant 499700001011001)",
        "12 bis, rue de l'Épreuve, 22000 Saint-Brieuc",
        "tel:0296000000",
        "Nom : kine-gateway",
        "Version : 0.1.0",
        "Instructions",
        "        DOC0001.XML",
    ):
        assert expected in text.split("\r\n")


def test_byte_order_mark_is_refused() -> None:
    with pytest.raises(ValueError, match="byte order mark"):
        xdm.archive(document(), b"\xef\xbb\xbf" + CDA, account=account(), now=NOW, ids=ids())
