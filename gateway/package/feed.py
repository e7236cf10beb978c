"""The package that brings a document to the DMP, by the door that the account uses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.package import dmp, pdsm

if TYPE_CHECKING:
    from datetime import datetime

    from gateway.clock import Randomness
    from gateway.document.model import ClinicalDocument
    from gateway.package.keys import SigningKeys
    from gateway.package.types import Package
    from gateway.settings import AccountSettings


def feed_package(
    document: ClinicalDocument,
    cda: bytes,
    *,
    account: AccountSettings,
    keys: SigningKeys | None,
    now: datetime,
    ids: Randomness,
    fr_core: str = "2.2-ballot",
) -> Package:
    """Freeze a feed: ITI-41 with its signature, or a request of the FHIR door (`fr_core`: release of FR Core).

    Raises PackageError like `dmp.dmp_package` and `pdsm.pdsm_package`.
    """
    settings = account.dmp
    if settings is None or settings.door == "soap":
        return dmp.dmp_package(document, cda, account=account, keys=keys, now=now, ids=ids)
    door = settings.fhir_transaction
    return pdsm.pdsm_package(document, cda, account=account, door=door, now=now, ids=ids, fr_core=fr_core)
