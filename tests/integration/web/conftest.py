"""One practice for the API tests of a file; each hands in documents of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.practice import case, open_practice
from tests.integration.web.apikit import Api, open_api


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory, certificates: Path) -> Iterator[Api]:
    practice = open_practice(tmp_path_factory.mktemp("api"), certificates=certificates)
    made = open_api(practice, case("01_entorse_cheville_bilan")["account"])
    yield made
    made.gateway.close()
    practice.box.close()
