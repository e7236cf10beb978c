"""One lookup over both sources: the API where it answers, else the imported list; each answer with source and date."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property

from gateway import platform
from gateway.channels.annuaire import choice
from gateway.channels.annuaire.api import AnnuaireApi
from gateway.channels.annuaire.cache import Cache
from gateway.channels.annuaire.listing import About, Listing
from gateway.channels.annuaire.model import AnnuaireError, Choice, Found, Query, Recheck, Source
from gateway.clock import Clock
from gateway.findings import Finding, Severity, warning
from gateway.rules.trust_space import TrustList
from gateway.settings import AnnuaireSettings
from gateway.skew import Skew

OLD_DAYS = 7
"""A list older than that is used, with a warning: the ANS makes one every day."""
_RENEW = "La renouveler : kine-gateway annuaire import --download (chaque jour de préférence)."
_RULE = "Annuaire Santé, conservation de 30 jours au plus"


@dataclass(frozen=True, slots=True)
class Status:
    """What the directory can answer from. `age_days` is the age of the list's data; `api` the address asked, if any."""

    list: About | None
    age_days: int | None
    api: str | None
    cached: int
    findings: tuple[Finding, ...]

    @property
    def usable(self) -> bool:
        """Whether any question can be answered."""
        return self.list is not None or self.api is not None


class Directory:
    """The directory as the gateway uses it. Methods block (network, disk); safe to call from several threads."""

    def __init__(
        self,
        settings: AnnuaireSettings,
        trust: TrustList,
        clock: Clock,
        *,
        sleep: Callable[[float], None] = time.sleep,
        skew: Skew | None = None,
    ) -> None:
        self._settings = settings
        self._skew = skew
        self._trust = trust
        self._clock = clock
        self._sleep = sleep
        self._listing = Listing(settings.file)
        self._cache = Cache(settings.file.with_name(f"{settings.file.stem}-cache{settings.file.suffix}"))

    @cached_property
    def _api(self) -> AnnuaireApi | None:
        if self._settings.api is None:
            return None
        return AnnuaireApi(self._settings.api, self._clock, sleep=self._sleep, skew=self._skew)

    def close(self) -> None:
        """Close the connections to the API."""
        api = self.__dict__.pop("_api", None)
        if api is not None:
            api.close()

    def find(self, query: Query, *, source: Source | None = None, fresh: bool = False) -> Found:
        """People and organisations that match. `source` asks one source only, `fresh` asks the API again.

        Raises AnnuaireError when neither source can answer.
        """
        if source is Source.FILE or (source is None and not self._settings.api):
            return self._from_list(query)
        if source is Source.API and not self._settings.api:
            advice = "Ajouter [annuaire.api] à la configuration, avec une clé."
            raise AnnuaireError("ANN-108", "L'API de l'annuaire n'est pas configurée.", advice)
        if not query.rpps and not query.name and source is None:
            return self._from_list(query)
        kept = None if fresh else self._kept(query, timedelta(hours=self._settings.cache_hours))
        return kept or self._from_api(query, alone=source is Source.API)

    def _from_api(self, query: Query, *, alone: bool) -> Found:
        try:
            assert self._api is not None
            found = self._api.find(query)
        except AnnuaireError as fault:
            instead = None if alone else self._instead(query)
            if instead is None:
                raise
            return replace(instead, notes=(*instead.notes, f"[{fault.code}] {fault.message}"))
        if query.rpps:
            self._cache.put(query.rpps, found.at, found.people)
        return found

    def _instead(self, query: Query) -> Found | None:
        """What is known without the API: the newer of the list and of an earlier answer."""
        kept = self._kept(query, timedelta(days=self._settings.max_age_days))
        try:
            listed = self._from_list(query)
        except AnnuaireError:
            return kept
        return kept if kept is not None and kept.at > listed.at else listed

    def _kept(self, query: Query, age: timedelta) -> Found | None:
        kept = self._cache.get(query.rpps) if query.rpps else None
        if kept is None or not self._clock.now() - age < kept[0] <= self._clock.now():
            return None
        return Found(kept[1], Source.API, kept[0])

    def _from_list(self, query: Query) -> Found:
        self._refuse_old()
        return self._listing.find(query)

    def choose(self, rpps: str, structure: str | None = None, *, fresh: bool = False) -> Choice:
        """The box of a professional, as far as the directory decides it; never raises."""
        try:
            found = self.find(Query(rpps=rpps), fresh=fresh)
        except AnnuaireError as fault:
            return choice.stale(fault.code, fault.message, fault.advice)
        return choice.choose(found, rpps, self._trust, structure)

    def recheck(
        self, rpps: str, address: str, structure: str | None = None, *, since: datetime | None = None
    ) -> Recheck:
        """What became of a refused address: asks the API afresh, else a list that is younger than `since`."""
        return choice.recheck(self.choose(rpps, structure, fresh=True), address, self._trust, since)

    def listed(self, rpps: str) -> Choice:
        """`choose` by the imported list alone: no network."""
        try:
            return choice.choose(self._from_list(Query(rpps=rpps)), rpps, self._trust)
        except AnnuaireError as fault:
            return choice.stale(fault.code, fault.message, fault.advice)

    def owners(self, address: str) -> set[str]:
        """RPPS numbers that the imported list gives a personal box with this address; empty without a list."""
        try:
            self._refuse_old()
            return self._listing.owners(address)
        except AnnuaireError:
            return set()

    def status(self) -> Status:
        """What is there, how old it is, and what to do about it."""
        removed = self._forget()
        cached = self._cache.forget(self._clock.now() - timedelta(days=self._settings.max_age_days))
        api = self._settings.api.url if self._settings.api else None
        try:
            about = self._listing.about()
        except AnnuaireError:
            return Status(None, None, api, cached, (removed or self._absent(),))
        days = self._age(about)
        return Status(about, days, api, cached, (_ageing(days),) if days > OLD_DAYS else ())

    def _absent(self) -> Finding:
        """Without list: a warning, but no more than a remark where the API answers."""
        severity = Severity.INFO if self._settings.api and not self._listing.exists else Severity.WARNING
        message = "Il n'y a pas de liste de l'annuaire utilisable sur ce poste."
        advice = "L'importer : kine-gateway annuaire import --download (chaque jour de préférence)."
        return Finding("ANN-401", severity, "/annuaire/file", message, advice)

    def _age(self, about: About) -> int:
        return (self._clock.now() - about.generated_at).days

    def _refuse_old(self) -> None:
        """A list that is too old answers nothing, even where it could not be deleted. Raises AnnuaireError."""
        if (old := self._forget()) is not None:
            raise AnnuaireError(old.code, old.message, old.advice)

    def _forget(self) -> Finding | None:
        """Delete a list that is too old to be kept; the finding that says so."""
        try:
            about = self._listing.about()
        except AnnuaireError:
            return None
        if (days := self._age(about)) <= self._settings.max_age_days:
            return None
        with contextlib.suppress(OSError):  # held by another program: refused all the same, and tried again
            platform.remove(self._settings.file)
        message = f"La liste de l'annuaire avait {days} jours : elle n'est plus employée et a été supprimée."
        return warning("ANN-403", "/annuaire/file", message, _RENEW, _RULE)


def _ageing(days: int) -> Finding:
    return warning("ANN-402", "/annuaire/file", f"La liste de l'annuaire a {days} jours.", _RENEW, _RULE)


def inspect(settings: AnnuaireSettings, clock: Clock) -> list[Finding]:
    """Findings for `doctor`: age of the list. Asks nothing of the network."""
    nobody = TrustList(frozenset(), clock.now().date(), "")
    return list(Directory(settings, nobody, clock).status().findings)
