"""`Idempotency-Key` for orders: the same order sent twice is done once and answered alike.

Submissions do not need this: their key is kept by the store, for good (`Gateway.submit`). What is kept here lives in
memory, for the newest orders of this process; an order that is repeated after a restart meets the delivery's state.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

from starlette.responses import Response

from gateway.web.api.problems import RefusedError

_KEPT = 5_000


@dataclass(frozen=True, slots=True)
class _Done:
    fingerprint: bytes
    answer: tuple[bytes, int, str] | None
    """Body, status, media type; None while it is under way."""


class Replays:
    """The answers of the newest orders that had a key."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, str], _Done] = OrderedDict()

    def once(self, token: str, key: str | None, order: bytes, do: Callable[[], Response]) -> Response:
        """Do it, or answer as the first time. An order that failed is forgotten: it may be tried again.

        Raises RefusedError (409): the key came with another order (WEB-409), or this one is still under way (WEB-410).
        """
        if key is None:
            return do()
        place, fingerprint = (token, key), sha256(order).digest()
        known = self._begin(place, fingerprint)
        if known is not None:
            body, status, media_type = known
            return Response(body, status, {"Idempotency-Replayed": "true"}, media_type)
        try:
            answer = do()
        except BaseException:
            with self._lock:
                del self._kept[place]
            raise
        with self._lock:
            kept = (bytes(answer.body), answer.status_code, answer.media_type or "application/json")
            self._kept[place] = _Done(fingerprint, kept)
        return answer

    def _begin(self, place: tuple[str, str], fingerprint: bytes) -> tuple[bytes, int, str] | None:
        with self._lock:
            known = self._kept.get(place)
            if known is None:
                self._kept[place] = _Done(fingerprint, None)
                self._forget()
                return None
        if known.fingerprint != fingerprint:
            advice = "Donner une nouvelle clé à chaque ordre différent."
            raise RefusedError(409, "WEB-409", "Cette clé d'idempotence a déjà servi pour un autre ordre.", advice)
        if known.answer is None:
            raise RefusedError(409, "WEB-410", "Le même ordre est en cours.", "Recommencer dans un instant.")
        return known.answer

    def _forget(self) -> None:
        while len(self._kept) > _KEPT:
            oldest = next(place for place, done in self._kept.items())
            del self._kept[oldest]
