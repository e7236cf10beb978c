"""The real mail operator, started once for all integration tests that ask for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.integration.mailserver import RealMail


@pytest.fixture(scope="session")
def real_mail(needs: Callable[..., None]) -> Iterator[RealMail]:
    """A running Postfix and Dovecot (tests/integration/mailserver.py); skips where they are not installed."""
    needs("postfix", "dovecot")
    from tests.integration import mailserver

    with mailserver.running() as mail:
        yield mail


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificates of a sandbox for every author of the fixtures, made once."""
    from tests.integration.practice import open_practice

    folder = tmp_path_factory.mktemp("certificates")
    open_practice(folder).box.close()
    return folder / "sandbox" / "pki"
