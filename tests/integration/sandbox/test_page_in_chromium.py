"""The DMP's page in a real browser: it applies its style, complains of nothing, and runs nothing of a document."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from lxml import etree, html

from tests.unit.sandbox.builders import HL7, E, feed

from .conftest import Site, post

EVIL = "<img src=x onerror=\"document.title='pris'\"><script>document.title='pris'</script>"


def retitle(root: E) -> None:
    """A section whose title and text would act in a page that took them as markup."""
    [section] = root.iter(f"{{{HL7}}}section")
    for item in section:
        item.text = EVIL


def browse(folder: Path, url: str) -> tuple[html.HtmlElement, str]:
    """The tree that the browser made of a page, and what it complained of."""
    sandbox = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    command = [
        "chromium",
        "--headless",
        *sandbox,
        "--disable-gpu",
        f"--user-data-dir={folder}",
        "--window-size=390,844",
    ]
    done = subprocess.run(
        [*command, "--enable-logging=stderr", "--dump-dom", url], capture_output=True, text=True, timeout=60, check=True
    )
    complaints = "\n".join(line for line in done.stderr.splitlines() if "CONSOLE" in line)
    return html.document_fromstring(done.stdout), complaints


@pytest.mark.needs("chromium")
@pytest.mark.parametrize("path", ["", "document/{}", "document/{}/contenu", "document/{}/xml", "echange/1"])
def test_a_browser_shows_the_page_and_runs_nothing(make_site: Callable[..., Site], tmp_path: Path, path: str) -> None:
    site = make_site(page_port=0)
    assert post(site.connect(), feed(site.draft(edits={"cda": retitle})))[0] == 200
    [document] = site.box.dmp.documents()
    tree, complaints = browse(tmp_path / "profile", site.box.page_url + path.format(document.unique_id))
    assert complaints == "", complaints
    assert tree.findtext(".//title", "").endswith("DMP du bac à sable")
    assert not tree.xpath("//script | //img")
    assert tree.xpath("//link[@rel='stylesheet']")
    if path.endswith("contenu"):
        assert EVIL in tree.text_content(), etree.tostring(tree)
