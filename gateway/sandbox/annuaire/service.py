"""What the directory answers: searches with pages, the key, the rate, and the daily file."""

from __future__ import annotations

import io
import json
import re
import threading
import unicodedata
import zipfile
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from gateway.clock import Clock, Randomness
from gateway.sandbox.annuaire import fhir
from gateway.sandbox.annuaire.people import BY_CASE, PLACES, Box, Place, Professional, crowd

KEY = "bac-a-sable-annuaire"
"""The only key that is accepted."""
PER_SECOND = 17
PAGE = 50
_MOST_PAGES_KEPT = 1000

Params = Sequence[tuple[str, str]]

COLUMNS = (
    "Type de BAL", "Adresse BAL", "Type Identifiant PP", "Identifiant PP", "Identification nationale PP",
    "Type identifiant structure", "Identification Structure", "Service de rattachement", "Civilité d'exercice",
    "Nom d'exercice", "Prénom d'exercice", "Catégorie profession", "Libellé de catégorie profession",
    "Code Profession", "Libellé Profession", "Code savoir-faire", "Libellé savoir-faire", "Dématérialisation",
    "Raison Sociale structure BAL", "Enseigne commerciale structure BAL", "L2COMPLEMENTLOCALISATION structure BAL",
    "L3COMPLEMENTDISTRIBUTION structure BAL", "L4NUMEROVOIE structure BAL", "L4COMPLEMENTNUMEROVOIE structure BAL",
    "NL4TYPEVOIE structure BAL", "L4LIBELLEVOIE structure BAL", "L5LIEUDITMENTION structure BAL",
    "L6LIGNEACHEMINEMENT structure BAL", "Code postal structure BAL", "Département structure BAL",
    "Pays structure BAL",
)  # fmt: skip


class RefusedError(Exception):
    """A question that is answered by an HTTP error and an OperationOutcome."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, media type, body, and headers beside them."""

    status: int
    content_type: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


class AnnuaireService:
    """The invented directory. `add` puts more people in.

    `calls` counts the questions taken, `refused` those above the rate.
    """

    def __init__(self, clock: Clock, randomness: Randomness, *, per_second: int = PER_SECOND) -> None:
        self._clock = clock
        self._randomness = randomness
        self._lock = threading.Lock()
        self._recent: deque[float] = deque(maxlen=per_second)
        self._pages: dict[str, tuple[list[dict[str, Any]], str]] = {}
        self.people: dict[str, Professional] = {one.rpps: one for one in (*BY_CASE.values(), *crowd())}
        self.places: dict[str, Place] = {place.id: place for place in PLACES}
        self.calls = self.refused = 0

    def add(self, one: Professional) -> None:
        """Put somebody in, or in the place of who has the same RPPS number."""
        with self._lock:
            self.people[one.rpps] = one
            self.places |= {post.place.id: post.place for post in one.posts}

    def remove(self, rpps: str) -> None:
        """Take somebody out."""
        with self._lock:
            self.people.pop(rpps, None)

    # ---------------------------------------------------------------------------------------------- API

    def answer(self, base: str, path: str, params: Params, key: str | None) -> Answer:
        """Answer a search under `base` (`path` without its leading slash)."""
        if key != KEY:
            text = "No API Key has been specified in headers" if key is None else "API Key is not valid or is expired"
            return _gravitee(401 if key is None else 403, text)
        if self._too_fast():
            self.refused += 1
            text = f"Rate limit exceeded ! You reached the limit of {self._recent.maxlen} requests per 1 seconds"
            return _gravitee(429, text, (("Retry-After", "1"),))
        self.calls += 1
        try:
            return json_answer(200, self._resource(base, path, params))
        except RefusedError as refused:
            return json_answer(refused.status, fhir.outcome(refused.text))

    def _too_fast(self) -> bool:
        """More than the allowed calls within the last second; refused calls count for nothing."""
        with self._lock:
            now = self._clock.elapsed()
            if len(self._recent) == self._recent.maxlen and now - self._recent[0] < 1.0:
                return True
            self._recent.append(now)
            return False

    def _resource(self, base: str, path: str, params: Params) -> dict[str, Any]:
        kind = path.removesuffix("/_search")
        if kind == "metadata":
            return fhir.capability(base)
        if kind == "_page":
            return self._page(base, dict(params).get("id", ""))
        searches: Mapping[str, Callable[[Params], tuple[list[dict[str, Any]], list[dict[str, Any]]]]] = {
            "Practitioner": self._practitioners,
            "PractitionerRole": self._roles,
            "Organization": self._organizations,
        }
        if kind not in searches:
            raise RefusedError(404, f"HAPI-0302: Unknown resource type '{kind[:40]}'")
        with self._lock:
            matches, included = searches[kind](params)
        size = _count(params)
        entries = [_entries(base, match, included) for match in matches]
        own = f"{base}/{path}?{urlencode(list(params))}"
        pages = [[entry for group in entries[at : at + size] for entry in group] for at in range(0, len(entries), size)]
        return self._bundle(base, pages or [[]], len(matches), own)

    def _bundle(self, base: str, pages: list[list[dict[str, Any]]], total: int, own: str) -> dict[str, Any]:
        """The first page, and where the next one will be found."""
        links = []
        following = ""
        for page in reversed(pages[1:]):
            token = self._randomness.token(24).hex()
            with self._lock:
                if len(self._pages) > _MOST_PAGES_KEPT:
                    self._pages.pop(next(iter(self._pages)))
                self._pages[token] = (page, following)
            following = token
        if following:
            links.append({"relation": "next", "url": f"{base}/_page?id={following}"})
        links.append({"relation": "self", "url": own})
        bundle = {"resourceType": "Bundle", "id": str(self._randomness.uuid()), "type": "searchset", "total": total}
        return {**bundle, "link": links, **({"entry": pages[0]} if pages[0] else {})}

    def _page(self, base: str, token: str) -> dict[str, Any]:
        with self._lock:
            found = self._pages.get(token)
        if found is None:
            raise RefusedError(410, "HAPI-0417: Search ID does not exist and may have expired")
        entries, following = found
        links = [{"relation": "next", "url": f"{base}/_page?id={following}"}] if following else []
        links.append({"relation": "self", "url": f"{base}/_page?id={token}"})
        bundle = {"resourceType": "Bundle", "id": str(self._randomness.uuid()), "type": "searchset"}
        return {**bundle, "link": links, "entry": entries}

    # ------------------------------------------------------------------------------------------ searches

    def _practitioners(self, params: Params) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        tests = {
            "identifier": lambda one, value, _: value.rpartition("|")[2] in {one.rpps, f"8{one.rpps}"},
            "_id": lambda one, value, _: value == one.id,
            "active": lambda one, value, _: value == str(one.active).lower(),
            "family": lambda one, value, how: one.active and _said(one.family, value, how),
            "given": lambda one, value, how: one.active and _said(one.given, value, how),
            "name": lambda one, value, how: one.active and _said(_name(one), value, how),
            "qualification-code": lambda one, value, _: one.active and _coded(one, value),
            "mailbox-mss": lambda one, value, how: one.active and _boxed(one.boxes, value, how),
        }
        found = [one for one in self.people.values() if _passes(one, params, tests, {"_revinclude"})]
        roles: list[dict[str, Any]] = []
        if dict(params).get("_revinclude") == "PractitionerRole:practitioner":
            roles = [fhir.role(one, number, post) for one in found for number, post in enumerate(one.posts)]
        return [fhir.practitioner(one) for one in found], roles

    def _roles(self, params: Params) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        posts = [(one, number, post) for one in self.people.values() for number, post in enumerate(one.posts)]
        tests = {
            "_id": lambda found, value, _: value == fhir.role_id(found[0], found[1]),
            "active": lambda found, value, _: value == str(found[2].active and found[0].active).lower(),
            "practitioner": lambda found, value, _: value.rpartition("/")[2] == found[0].id,
            "organization": lambda found, value, _: value.rpartition("/")[2] == found[2].place.id,
            "mailbox-mss": lambda found, value, how: found[2].active and _boxed(found[2].boxes, value, how),
        }
        kept = [found for found in posts if _passes(found, params, tests, {"_include"})]
        wanted = {value for name, value in params if name == "_include"}
        included = [fhir.practitioner(f[0]) for f in kept if wanted & {"*", "PractitionerRole:practitioner"}]
        included += [fhir.organization(f[2].place) for f in kept if wanted & {"*", "PractitionerRole:organization"}]
        return [fhir.role(*found) for found in kept], included

    def _organizations(self, params: Params) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        tests = {
            "_id": lambda place, value, _: value == place.id,
            "identifier": lambda place, value, _: value.rpartition("|")[2] in {place.finess, f"1{place.finess}"},
            "active": lambda place, value, _: value == str(place.active).lower(),
            "name": lambda place, value, how: _said(place.name, value, how),
            "address-city": lambda place, value, how: _said(place.town, value, how),
            "address-postalcode": lambda place, value, how: _said(place.postal_code, value, how),
            "mailbox-mss": lambda place, value, how: _boxed(place.boxes, value, how),
        }
        found = [place for place in self.places.values() if _passes(place, params, tests, {"_revinclude"})]
        ids = {place.id for place in found}
        included: list[dict[str, Any]] = []
        if dict(params).get("_revinclude") == "PractitionerRole:organization":
            included = [
                fhir.role(one, number, post)
                for one in self.people.values()
                for number, post in enumerate(one.posts)
                if post.place.id in ids
            ]
        return [fhir.organization(place) for place in found], included

    # -------------------------------------------------------------------------------------- daily file

    def extraction(self) -> Answer:
        """The ZIP of the published PER and ORG boxes, named after the minute it was made."""
        made = self._clock.now().astimezone(ZoneInfo("Europe/Paris"))
        name = f"Extraction_Correspondance_MSSante_{made:%Y%m%d%H%M}"
        with self._lock:
            lines = ["|".join(COLUMNS), *self._lines()]
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(f"{name}.txt", "\n".join(lines) + "\n")
        disposition = ("Content-Disposition", f"attachment; filename={name}.zip")
        return Answer(200, "application/zip", buffer.getvalue(), (disposition,))

    def _lines(self) -> Iterable[str]:
        for one in self.people.values():
            if one.active:
                yield from (_line(one, None, box) for box in one.boxes if _listed(box))
                yield from (
                    _line(one, post.place, box)
                    for post in one.posts
                    if post.active
                    for box in post.boxes
                    if _listed(box)
                )
        for place in self.places.values():
            yield from (_line(None, place, box) for box in place.boxes if _listed(box))


def _listed(box: Box) -> bool:
    return box.kind in {"PER", "ORG"} and not box.red_listed


def _line(one: Professional | None, place: Place | None, box: Box) -> str:
    values = dict.fromkeys(COLUMNS, "")
    values |= {"Type de BAL": box.kind, "Adresse BAL": box.address, "Service de rattachement": box.service}
    values["Dématérialisation"] = "O"
    if one is not None:
        values |= {
            "Type Identifiant PP": "8",
            "Identifiant PP": one.rpps,
            "Identification nationale PP": f"8{one.rpps}",
            "Civilité d'exercice": "DR" if one.profession == "10" else one.civility,
            "Nom d'exercice": one.family,
            "Prénom d'exercice": one.given,
            "Catégorie profession": "C",
            "Libellé de catégorie profession": "Civil",
            "Code Profession": one.profession,
            "Libellé Profession": one.profession_label,
            "Code savoir-faire": one.specialty,
        }
    if place is not None:
        values |= {
            "Type identifiant structure": "1",
            "Identification Structure": f"1{place.finess}",
            "Raison Sociale structure BAL": place.name,
            "L6LIGNEACHEMINEMENT structure BAL": f"{place.postal_code} {place.town}",
            "Code postal structure BAL": place.postal_code,
            "Département structure BAL": place.postal_code[:2],
            "Pays structure BAL": "France",
        }
    return "|".join(values.values())


Test = Callable[[Any, str, str], bool]


def _passes(one: Any, params: Params, tests: Mapping[str, Test], other: set[str]) -> bool:
    """Every parameter must hold; commas within one mean `or` (FHIR R4 search §3.1.1.4.12)."""
    for full, text in params:
        name, _, how = full.partition(":")
        if name in other | {"_count"}:
            continue
        if name not in tests or how not in {"", "exact", "contains"}:
            raise RefusedError(400, f'HAPI-0524: Unknown search parameter "{full[:60]}"')
        if not any(tests[name](one, value, how) for value in text.split(",")):
            return False
    return True


def _said(text: str, wanted: str, how: str) -> bool:
    """A string parameter: any word that begins so, case and accents apart; `:contains` anywhere, `:exact` as it is."""
    if how == "exact":
        return text == wanted
    ours, theirs = _plain(text), _plain(wanted)
    if how == "contains":
        return theirs in ours
    return any(word.startswith(theirs) for word in (ours, *re.split(r"[ -]", ours)))


def _plain(text: str) -> str:
    spread = unicodedata.normalize("NFKD", text)
    return "".join(c for c in spread if not unicodedata.combining(c)).casefold()


def _name(one: Professional) -> str:
    return f"{one.civility} {one.given} {one.family} DR"


def _coded(one: Professional, value: str) -> bool:
    system, bar, code = value.rpartition("|")
    known = {(fhir.PROFESSIONS, one.profession), (fhir.SPECIALTIES, one.specialty)}
    return (system, code) in known if bar else code in {own for _, own in known}


def _boxed(boxes: Sequence[Box], value: str, how: str) -> bool:
    return any(_said(box.address, value, how) for box in boxes if not box.red_listed)


def _count(params: Params) -> int:
    text = dict(params).get("_count", "")
    return min(int(text), 200) if text.isascii() and text.isdigit() and int(text) else PAGE


def _entries(base: str, match: dict[str, Any], included: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A match and what goes with it: the roles that refer to it, or what it refers to."""
    own = f"{match['resourceType']}/{match['id']}"
    refers = {match.get(name, {}).get("reference") for name in ("practitioner", "organization")} - {None}
    beside = [
        other
        for other in included
        if f"{other['resourceType']}/{other['id']}" in refers
        or own in {other.get(name, {}).get("reference") for name in ("practitioner", "organization")}
    ]
    return [_entry(base, match, "match"), *(_entry(base, other, "include") for other in beside)]


def _entry(base: str, resource: dict[str, Any], mode: str) -> dict[str, Any]:
    url = f"{base}/{resource['resourceType']}/{resource['id']}"
    return {"fullUrl": url, "resource": resource, "search": {"mode": mode}}


def json_answer(status: int, value: Any) -> Answer:
    """A FHIR resource as an answer."""
    return Answer(status, "application/fhir+json;charset=UTF-8", json.dumps(value, ensure_ascii=False).encode())


def _gravitee(status: int, text: str, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    """What the API's front door says by itself: no FHIR (recalled, unverified)."""
    return Answer(
        status, "application/json", json.dumps({"message": text, "http_status_code": status}).encode(), headers
    )
