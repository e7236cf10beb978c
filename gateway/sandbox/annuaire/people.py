"""Invented professionals, the same at every start: names that nobody bears, numbers outside the real ranges.

`BY_CASE` names the awkward ones; a crowd of one family name fills several pages.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

CROWD = 120
"""How many professionals are called NOMBREUX-TEST."""
_DOCTORS = "medecin.mssante.example"
_GIVEN = ("Alix", "Basile", "Céleste", "Désiré", "Éloïse", "Fantin", "Gaëlle", "Hyacinthe", "Inès", "Joachim")


@dataclass(frozen=True, slots=True)
class Place:
    """A structure: `number` makes its technical id and its FINESS. Boxes (ORG, APP) and an ordinary e-mail."""

    number: int
    name: str
    postal_code: str
    town: str
    boxes: tuple[Box, ...] = ()
    mail: str = ""
    active: bool = True

    @property
    def id(self) -> str:
        """Technical id in the API."""
        return f"001-01-{9900000 + self.number}"

    @property
    def finess(self) -> str:
        """FINESS number (of a department that does not exist)."""
        return f"99{self.number:07d}"


@dataclass(frozen=True, slots=True)
class Box:
    """A mailbox. `red_listed` ones exist and are published nowhere."""

    address: str
    kind: str = "PER"
    rank: int | None = None
    red_listed: bool = False
    service: str = ""


@dataclass(frozen=True, slots=True)
class Post:
    """A place of practice of a professional (PractitionerRole), with the boxes tied to it."""

    place: Place
    boxes: tuple[Box, ...] = ()
    active: bool = True


@dataclass(frozen=True, slots=True)
class Professional:
    """Somebody with an RPPS number. `mail` is an ordinary e-mail address, which is no box."""

    rpps: str
    family: str
    given: str
    profession: str = "10"
    profession_label: str = "Médecin"
    specialty: str = "SM54"
    civility: str = "MME"
    boxes: tuple[Box, ...] = ()
    posts: tuple[Post, ...] = ()
    mail: str = ""
    active: bool = True
    id: str = field(init=False, default="")

    def __post_init__(self) -> None:
        """The technical id follows from the number."""
        object.__setattr__(self, "id", f"003-9{self.rpps[-7:]}")


def rpps(number: int) -> str:
    """A number of the sandbox: 99 7000 9 nnn and its Luhn key (ISO/IEC 7812-1 annex B)."""
    body = f"9970009{number:03d}"
    total = sum(int("0246813579"[int(c)]) if place % 2 == 0 else int(c) for place, c in enumerate(reversed(body)))
    return f"{body}{-total % 10}"


RENNES = Place(1, "CABINET FICTIF DU MAIL", "35999", "RENNES")
BREST = Place(2, "CLINIQUE FICTIVE DE LA RADE", "29999", "BREST", mail="accueil@clinique-fictive.example")
SAINT_MALO = Place(3, "MAISON DE SANTE FICTIVE", "35998", "SAINT MALO")
HOSPITAL = Place(
    4,
    "HOPITAL FICTIF D ESSAI",
    "29998",
    "BREST CEDEX 2",
    boxes=(
        Box("reeducation@cabinet.mssante.example", "ORG", service="Rééducation"),
        Box("automate@cabinet.mssante.example", "APP", service="Dossier patient"),
    ),
    mail="standard@hopital-fictif.example",
)
PLACES = (RENNES, BREST, SAINT_MALO, HOSPITAL)

BY_CASE: dict[str, Professional] = {
    "one": Professional(rpps(1), "UNIQUE-TEST", "Céleste", boxes=(Box(f"celeste.unique-test@{_DOCTORS}"),)),
    "two_places": Professional(
        rpps(2),
        "DOUBLE-TEST",
        "Désiré",
        civility="M",
        posts=(
            Post(RENNES, (Box(f"desire.double-test@{_DOCTORS}"),)),
            Post(BREST, (Box("desire.double-test@cabinet.mssante.example"),)),
        ),
    ),
    "practice": Professional(
        rpps(3),
        "CABINET-TEST",
        "Éloïse",
        boxes=(
            Box("cabinet.du.mail@cabinet.mssante.example", "CAB"),
            Box(f"eloise.cabinet-test@{_DOCTORS}"),
        ),
        posts=(Post(RENNES),),
    ),
    "practice_only": Professional(
        rpps(4), "SEUL-TEST", "Fantin", posts=(Post(RENNES, (Box("cabinet.seul@cabinet.mssante.example", "CAB"),)),)
    ),
    "red_list": Professional(
        rpps(5), "ROUGE-TEST", "Gaëlle", boxes=(Box(f"gaelle.rouge-test@{_DOCTORS}", red_listed=True),)
    ),
    "retired": Professional(
        rpps(6), "RETRAITE-TEST", "Hyacinthe", boxes=(Box(f"hyacinthe.retraite-test@{_DOCTORS}"),), active=False
    ),
    "left": Professional(
        rpps(7), "PARTI-TEST", "Inès", posts=(Post(BREST, (Box(f"ines.parti-test@{_DOCTORS}"),), active=False),)
    ),
    "outside": Professional(
        rpps(8), "DEHORS-TEST", "Joachim", boxes=(Box("joachim.dehors-test@hors-espace.example"),), civility="M"
    ),
    "none": Professional(rpps(9), "SANS-TEST", "Alix", posts=(Post(SAINT_MALO),)),
    "ordinary": Professional(rpps(10), "COURANT-TEST", "Basile", mail="basile@courriel-ordinaire.example"),
    "ranked": Professional(
        rpps(11),
        "RANG-TEST",
        "Céleste",
        boxes=(Box(f"celeste.rang-test2@{_DOCTORS}", rank=2), Box(f"celeste.rang-test1@{_DOCTORS}", rank=1)),
    ),
    "physiotherapist": Professional(
        rpps(12),
        "REEDUC-TEST",
        "Éloïse",
        "70",
        "Masseur-Kinésithérapeute",
        "",
        posts=(Post(SAINT_MALO, (Box("eloise.reeduc-test@kine.mssante.example"),)),),
    ),
}


def crowd() -> Iterator[Professional]:
    """Many of one name, in three towns, one box each."""
    for number in range(CROWD):
        address = f"test{number:03d}.nombreux-test@{_DOCTORS}"
        post = Post(PLACES[number % 3], (Box(address),))
        given = f"{_GIVEN[number % len(_GIVEN)]}-{number:03d}"
        yield Professional(rpps(100 + number), "NOMBREUX-TEST", given, posts=(post,))
