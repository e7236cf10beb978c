"""Questions to the FHIR API v2 of the Annuaire Santé (Practitioner, PractitionerRole, Organization; R4 searches)."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from urllib.parse import urljoin, urlsplit

from gateway.channels.annuaire import fhir, web
from gateway.channels.annuaire.fhir import Json
from gateway.channels.annuaire.model import AnnuaireError, Found, Person, Query, Source, Structure
from gateway.channels.annuaire.rate import RateLimit, limit_for
from gateway.channels.annuaire.words import fold, fold_town
from gateway.clock import Clock
from gateway.settings import AnnuaireApiSettings
from gateway.skew import Skew

MAX_PAGES = 20
"""Pages followed for one question: a thousand professionals, more than anybody reads."""
_WHERE = "Vérifier annuaire.api.url dans la configuration."
PROFESSIONS = "https://mos.esante.gouv.fr/NOS/TRE_G15-ProfessionSante/FHIR/TRE-G15-ProfessionSante"


class AnnuaireApi:
    """The API behind one key. All methods block; the rate is shared with every client of the process."""

    def __init__(
        self,
        settings: AnnuaireApiSettings,
        clock: Clock,
        *,
        sleep: Callable[[float], None] = time.sleep,
        limit: RateLimit | None = None,
        skew: Skew | None = None,
    ) -> None:
        """Raises AnnuaireError ANN-101 (key), ConfigError TLS-001."""
        key = web.read_key(settings.key_file)
        self._settings = settings
        self._clock = clock
        shared = hashlib.sha256(f"{settings.url} {key}".encode()).hexdigest()
        limit = limit or limit_for(shared, settings.per_second)
        headers = {"ESANTE-API-KEY": key}
        context = web.trust(settings.ca_file)
        self._site = web.Site(context, settings.timeout, headers, sleep=sleep, slot=limit.call, skew=skew)

    def close(self) -> None:
        """Close the connections."""
        self._site.close()

    def find(self, query: Query) -> Found:
        """Professionals that match. A town is compared with their places of practice, after a search by name or RPPS.

        Raises AnnuaireError: ANN-102 to ANN-106 (web), ANN-107 a question the API cannot take.
        """
        # What the server cannot filter is filtered here: then as many pages as it takes, not as many as are shown.
        narrowed = bool(query.town) or " " in fold(query.name or "")
        bundles, more = self._pages(_params(query), MAX_PAGES * self._settings.page if narrowed else query.limit)
        practitioners = [p for bundle in bundles for p in fhir.resources(bundle, "Practitioner")]
        roles = [r for bundle in bundles for r in fhir.resources(bundle, "PractitionerRole")]
        places = self._structures(fhir.organization_ids(roles))
        people = [p for p in fhir.people(practitioners, roles, places) if _matches(p, query)]
        return Found(tuple(people[: query.limit]), Source.API, self._clock.now(), more or len(people) > query.limit)

    def _structures(self, ids: list[str]) -> dict[str, Structure]:
        found: dict[str, Structure] = {}
        for start in range(0, len(ids), self._settings.page):
            batch = ids[start : start + self._settings.page]
            url = f"{self._base}/Organization"
            bundle = self._bundle(url, {"_id": ",".join(batch), "_count": str(self._settings.page)})
            found |= fhir.structures(fhir.resources(bundle, "Organization"))
        return found

    @property
    def _base(self) -> str:
        return self._settings.url.rstrip("/")

    def _pages(self, params: dict[str, str], limit: int) -> tuple[list[Json], bool]:
        """Bundles of the pages wanted, and whether the server had more."""
        params = {**params, "_revinclude": "PractitionerRole:practitioner", "_count": str(self._settings.page)}
        bundles = [self._bundle(f"{self._base}/Practitioner", params)]
        seen = len(fhir.resources(bundles[0], "Practitioner"))
        while (following := self._next(bundles[-1])) and seen < limit and len(bundles) < MAX_PAGES:
            bundles.append(self._bundle(following, None))
            seen += len(fhir.resources(bundles[-1], "Practitioner"))
        return bundles, bool(self._next(bundles[-1]))

    def _bundle(self, url: str, params: dict[str, str] | None) -> Json:
        value = self._site.get_json(url, params)
        if not isinstance(value, dict) or value.get("resourceType") != "Bundle":
            raise AnnuaireError("ANN-105", "L'Annuaire Santé a répondu autre chose qu'un Bundle FHIR.", _WHERE)
        return value

    def _next(self, bundle: Json) -> str | None:
        """Where the next page is. Only under the configured address: the key is sent with the request."""
        links = bundle.get("link")
        found = [e for e in links if isinstance(e, dict)] if isinstance(links, list) else []
        url = next((link.get("url") for link in found if link.get("relation") == "next"), None)
        if not isinstance(url, str):
            return None
        absolute = urljoin(f"{self._base}/", url)
        if not _is_under(self._base, absolute):
            raise AnnuaireError("ANN-105", "L'Annuaire Santé renvoie vers une autre adresse : refusé.", _WHERE)
        return absolute


def _is_under(base: str, url: str) -> bool:
    try:
        ours, theirs = urlsplit(base), urlsplit(url)
        same = (ours.scheme, ours.hostname, ours.port) == (theirs.scheme, theirs.hostname, theirs.port)
    except ValueError:
        return False
    plain = "@" not in theirs.netloc and ".." not in theirs.path and "\\" not in url
    return same and plain and theirs.path.startswith(f"{ours.path}/")


def _params(query: Query) -> dict[str, str]:
    params: dict[str, str] = {"active": "true"}
    if query.rpps:
        params["identifier"] = query.rpps
    elif query.name:
        params["name:contains"] = max(fold(query.name).split(" "), key=len)
    if not query.rpps and query.profession:
        params["qualification-code"] = f"{PROFESSIONS}|{query.profession}"
    if not {"identifier", "name:contains"} & params.keys():
        message = "L'API de l'annuaire cherche par RPPS ou par nom ; la ville et la profession affinent."
        raise AnnuaireError("ANN-107", message, "Donner un nom, ou importer la liste (annuaire import).")
    return params


def _matches(person: Person, query: Query) -> bool:
    """What the server's search leaves open: every word of the name, the town."""
    if query.rpps:
        return person.rpps == query.rpps
    words = fold(f"{person.family} {person.given}")
    if any(word not in words for word in fold(query.name or "").split(" ")):
        return False
    if not query.town:
        return True
    wanted = fold_town(query.town)
    return any(fold_town(town).startswith(wanted) for town in person.towns)
