"""Properties of the INS: names lose no letter, states are two facts, symbols survive writing, reading and noise."""

from __future__ import annotations

import unicodedata
from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from gateway.channels.insi.answers import UnreadableError
from gateway.channels.insi.answers import read as read_answer
from gateway.channels.insi.messages import Search
from gateway.channels.insi.procedure import steps
from gateway.identity.datamatrix import Traits, content, modules
from gateway.identity.datamatrix_image import png, texts
from gateway.identity.datamatrix_reader import NAMES, read
from gateway.identity.names import PATTERN, insi_name, same_name
from gateway.identity.roots import INS_ROOTS
from gateway.identity.status import TRANSITIONS, IdentityEvent, move
from gateway.records.people import IdentityAttribute, IdentityStatus
from tests.property.test_identity import nirs

_WORDS = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=1, max_size=12)


@st.composite
def names(draw: st.DrawFn, longest: int = 100) -> str:
    """A name in the service's form."""
    words = draw(st.lists(_WORDS, min_size=1, max_size=6))
    marks = draw(st.lists(st.sampled_from(["-", "--", "'", " "]), min_size=len(words), max_size=len(words)))
    text = "".join(word + mark for word, mark in zip(words, marks, strict=True)).rstrip("-' ")
    return text[:longest].rstrip("-' ")


@st.composite
def traits(draw: st.DrawFn) -> Traits:
    """Any identity that a symbol can hold."""
    nir = draw(nirs())
    return Traits(
        matricule=nir + draw(st.integers(1, 97).map("{:02d}".format)),
        oid=draw(st.sampled_from(sorted(INS_ROOTS))),
        given=tuple(draw(names(100)).split(" ")),
        family=draw(names(100)),
        sex=draw(st.sampled_from("FM")),
        born=draw(st.dates(date(1880, 1, 1), date(2100, 1, 1))),
        cog=draw(st.one_of(st.none(), st.from_regex(r"(?:[0-9]{2}|2[AB])[0-9]{3}", fullmatch=True))),
    )


@given(st.text(max_size=40))
def test_a_name_is_in_the_service_s_form_or_refused_with_a_finding(written: str) -> None:
    found = insi_name(written, "/x")
    assert found.text is None or PATTERN.fullmatch(found.text)
    assert bool(found.findings) or found.text == written


@given(st.text(st.characters(categories=["Lu", "Ll"], include_characters=" -'"), max_size=30))
def test_no_letter_is_lost_or_made_up(written: str) -> None:
    found = insi_name(written, "/x")
    if found.text is None:
        return
    sent = [letter for letter in found.text if letter.isalpha()]
    if written.isascii():
        assert sent == [letter for letter in written.upper() if letter.isalpha()]
    # A ligature becomes two letters, every other letter one: none is ever dropped.
    assert len(sent) >= sum(letter.isalpha() for letter in unicodedata.normalize("NFC", written))


@given(names())
def test_rewriting_twice_is_rewriting_once(name: str) -> None:
    assert insi_name(name, "/x").text == name
    assert insi_name(name.lower(), "/x").text == name
    assert same_name(name, name.lower().replace("-", " "))


@given(st.sampled_from(IdentityStatus), st.lists(st.sampled_from(IdentityEvent), max_size=12))
def test_qualified_means_retrieved_and_proven_since_the_last_loss(
    start: IdentityStatus, events: list[IdentityEvent]
) -> None:
    """The state is nothing but two facts: recomputed here from the events alone."""
    state = start
    ins, proof = start in {"RECUP", "QUAL"}, start in {"VALI", "QUAL"}
    for event in events:
        state = move(state, event, proof="CN", by="Mme Essai").after
        ins = event == "retrieved" or (ins and event not in {"refused", "traits_changed", "doubted"})
        proof = event == "proven" or (proof and event not in {"traits_changed", "doubted"})
        assert state == {(False, False): "PROV", (True, False): "RECUP", (False, True): "VALI"}.get(
            (ins, proof), "QUAL"
        )


@given(st.sampled_from(IdentityStatus), st.lists(st.just(IdentityEvent.SCANNED), min_size=1, max_size=5))
def test_no_number_of_scans_changes_a_state(start: IdentityStatus, scans: list[IdentityEvent]) -> None:
    state = start
    for scan in scans:
        state = TRANSITIONS[state, scan]
    assert state is start


@given(
    st.lists(st.sampled_from([IdentityEvent.RETRIEVED, IdentityEvent.PROVEN]), max_size=6),
    st.sampled_from([IdentityAttribute.DOUTEUSE, IdentityAttribute.FICTIVE]),
)
def test_in_doubt_an_identity_stays_provisional(events: list[IdentityEvent], attribute: IdentityAttribute) -> None:
    state = IdentityStatus.PROVISOIRE
    for event in events:
        moved = move(state, event, [attribute, IdentityAttribute.HOMONYME], proof="CN", by="Mme Essai")
        assert not moved.allowed
        state = moved.after
    assert state is IdentityStatus.PROVISOIRE


@given(traits())
def test_what_is_written_is_read(one: Traits) -> None:
    text = content(one)
    assert text is not None
    found = read(text.replace("\x1d", "<GS>") + "\r")
    assert found.traits == one
    assert read(text).traits == one


@given(traits())
def test_a_symbol_reads_back_from_its_picture(one: Traits) -> None:
    text = content(one)
    assert text is not None
    assert texts(png(modules(text), scale=4)) == [text]


@given(traits(), st.permutations(["S1", "S2", "S3", "S4", "S5", "S6"]))
def test_any_order_reads(one: Traits, order: list[str]) -> None:
    values = {
        "S1": one.matricule,
        "S2": one.oid + ("\x1d" if len(one.oid) < 20 else ""),
        "S3": " ".join(one.given) + ("\x1d" if len(" ".join(one.given)) < 100 else ""),
        "S4": one.family + ("\x1d" if len(one.family) < 100 else ""),
        "S5": one.sex,
        "S6": f"{one.born:%d-%m-%Y}",
    }
    text = "IS01" + "0" * 22 + "".join(name + values[name] for name in order)
    found = read(text)
    assert found.traits is not None
    assert (found.traits.matricule, found.traits.given, found.traits.family) == (one.matricule, one.given, one.family)


@given(st.text(max_size=420))
def test_no_text_breaks_the_reader(text: str) -> None:
    for tried in (text, "IS01" + "0" * 22 + text):
        found = read(tried)
        assert set(found.fields) <= set(NAMES)
        assert found.findings[-1].code == "DMX-001" or not found.ok


@given(traits(), st.data())
def test_a_damaged_symbol_is_never_read_as_another_person(one: Traits, data: st.DataObject) -> None:
    """One character lost: whatever is still read is told from the whole by a finding, or by nothing missing."""
    text = content(one)
    assert text is not None
    place = data.draw(st.integers(0, 42))  # header, matricule: of fixed length, so that a loss always shows
    found = read(text[:place] + text[place + 1 :])
    assert not found.ok


@given(st.binary(max_size=400))
def test_no_bytes_break_the_reading_of_an_answer(data: bytes) -> None:
    try:
        read_answer(data)
    except UnreadableError:
        return


@given(names(20), st.lists(names(12), min_size=1, max_size=9), st.booleans())
def test_the_procedure_asks_each_search_once_and_ends(family: str, given_names: list[str], placed: bool) -> None:
    person = Search(family, tuple(given_names), "F", date(1990, 1, 1), "75056" if placed else None)
    asked = [search for _, search in steps(person)]
    assert 1 <= len(asked) <= 9
    assert len({(s.given, s.cog) for s in asked}) == len(asked)
    assert all((s.family, s.sex, s.born) == (person.family, person.sex, person.born) for s in asked)
    assert asked[0].given == (given_names[0],)
    assert asked[0].cog is None
