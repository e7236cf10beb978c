"""The short form of `python -m tests.bench.journal`: a verified journal, and every forgery told by its finding."""

from __future__ import annotations

import json

import pytest

from tests.bench import journal


@pytest.mark.timeout(120)
def test_the_figures_of_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    assert journal.main(["--records", "3000", "--forged", "600", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["verified"]["records"] >= 3000
    assert 0 < said["verified"]["bound_by_the_earlier_checkpoint"] < said["verified"]["records"]
    *plain, truncated, rewritten, late = said["forged"].values()
    assert all(codes["key"] for codes in plain)
    assert (truncated["key"], truncated["key and earlier checkpoint"]) == ([], ["JRN-105"])
    assert (rewritten["key"], rewritten["key and earlier checkpoint"]) == ([], ["JRN-104"])
    # What nobody can exclude without a later checkpoint is not claimed to be excluded.
    assert late == {"key": [], "key and earlier checkpoint": []}
