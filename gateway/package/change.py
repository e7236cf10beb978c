"""The package that changes a document of the DMP, by the door that brought it there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.package import metadata_update, pdsm_update
from gateway.package.types import DmpContext

if TYPE_CHECKING:
    from datetime import datetime

    from gateway.clock import Randomness
    from gateway.package.types import Change, Package


def change_package(feed: Package, change: Change, *, now: datetime, ids: Randomness) -> Package:
    """Freeze a change (TD3.3) of what `feed` brought: ITI-57, or a PATCH of the FHIR door.

    `now` is the submission time. Raises TypeError when `feed` is no feed of the DMP.
    """
    if isinstance(feed.context, DmpContext) and feed.context.door != "soap":
        return pdsm_update.update_package(feed, change)
    return metadata_update.update_package(feed, change, now=now, ids=ids)
