"""What a page is asked with and what it answers, before any HTTP: plain data that the desk turns into a response."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from gateway.errors import NotFoundError
from gateway.store.browsing_types import Consulted

if TYPE_CHECKING:
    from starlette.datastructures import QueryParams

    from gateway.api import Gateway
    from gateway.clock import Clock
    from gateway.settings import AccountSettings, Settings
    from gateway.web.jobs import JobBoard
    from gateway.web.pages.words import Words
    from gateway.web.sessions import Session

Form = Literal["html", "csv", "json"]
FORMS: tuple[Form, ...] = ("csv", "json")
"""What every page can be exported as."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One request of somebody who is logged in. `path` are the variables of the address, `form` what was filled in."""

    gateway: Gateway
    settings: Settings
    clock: Clock
    jobs: JobBoard
    session: Session
    words: Words
    query: QueryParams
    path: Mapping[str, str]
    form: Mapping[str, str]
    posted: bool
    wanted: Form

    @property
    def accounts(self) -> tuple[AccountSettings, ...]:
        """The accounts that this session may see."""
        mine = self.session.account
        return tuple(one for one in self.settings.account if mine is None or one.id == mine)

    def check_account(self, account: str, code: str, message: str) -> None:
        """Raise NotFoundError where something belongs to another account: to this session it does not exist."""
        if self.session.account not in {None, account}:
            raise NotFoundError(code, message)

    def consulted(self, kind: str, **about: Any) -> Consulted:
        """The journal record of this reading, or export."""
        event: Literal["consulted", "exported"] = "consulted" if self.wanted == "html" else "exported"
        about.setdefault("account", self.session.account)
        return Consulted(event, by=self.session.token.name, kind=kind, **about)


@dataclass(frozen=True, slots=True)
class Sheet:
    """What is exported of a page: rows under stable English column names, values as in the journal."""

    name: str
    columns: tuple[str, ...]
    rows: Iterable[Mapping[str, Any]]
    about: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class View:
    """A page: its template, what goes into it, how it is exported and what the journal says of its reading."""

    template: str
    values: Mapping[str, Any]
    sheet: Callable[[], Sheet] | None = None
    consulted: Consulted | None = None
    status: int = 200
