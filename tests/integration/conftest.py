"""The real mail operator, started once for all integration tests that ask for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
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
