from __future__ import annotations

import datetime as dt

import pytest

from gateway.rules.trust_space import TrustList


@pytest.fixture
def trust() -> TrustList:
    domains = {"patient.mssante.fr", "medecin.mssante.example", "kine.mssante.example"}
    return TrustList(frozenset(domains), dt.date(2026, 11, 22), "essai")
