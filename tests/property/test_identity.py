"""Properties of the key: 97 is prime, so it catches every change of one digit and every swap of two neighbours."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.identity.ins import key_of, read

_MONTHS = st.one_of(st.integers(1, 12), st.integers(20, 42), st.integers(50, 99))
_DEPARTMENTS = st.one_of(st.integers(0, 99).map("{:02d}".format), st.sampled_from(["2A", "2B"]))


@st.composite
def nirs(draw: st.DrawFn) -> str:
    """Thirteen characters of a matricule that may exist."""
    first = draw(st.sampled_from("123478"))
    year, month = draw(st.integers(0, 99)), draw(_MONTHS)
    rest = draw(st.integers(0, 999_999))
    return f"{first}{year:02d}{month:02d}{draw(_DEPARTMENTS)}{rest:06d}"


@given(nirs())
def test_a_generated_matricule_is_sound(nir: str) -> None:
    matricule = read(nir + key_of(nir))
    assert matricule is not None
    assert matricule.key_holds()
    assert matricule.first_digit_allowed()
    assert matricule.month_allowed()


@given(nirs(), st.integers(0, 14), st.integers(1, 9))
def test_one_changed_digit_is_always_seen(nir: str, place: int, shift: int) -> None:
    sound = nir + key_of(nir)
    if not sound[place].isdigit():
        return
    changed = sound[:place] + str((int(sound[place]) + shift) % 10) + sound[place + 1 :]
    read_back = read(changed)
    # Beside a letter another digit makes a department that does not exist (1A): no matricule at all.
    assert read_back is None or not read_back.key_holds()


@given(nirs(), st.integers(0, 11))
def test_two_swapped_neighbours_of_the_thirteen_are_always_seen(nir: str, place: int) -> None:
    swapped = nir[:place] + nir[place + 1] + nir[place] + nir[place + 2 :]
    if swapped == nir:
        return
    read_back = read(swapped + key_of(nir))
    assert read_back is None or not read_back.key_holds()


@given(nirs())
def test_corsica_is_told_apart_from_20(nir: str) -> None:
    if nir[5:7] not in {"2A", "2B"}:
        return
    other = {"2A": "2B", "2B": "2A"}[nir[5:7]]
    for department in (other, "20", "19", "18"):
        changed = nir[:5] + department + nir[7:]
        same_number = {"2A": "19", "2B": "18"}[nir[5:7]] == department
        assert (key_of(changed) == key_of(nir)) is same_number


@given(nirs())
def test_the_key_is_the_definition(nir: str) -> None:
    number = int(nir.replace("2A", "19").replace("2B", "18"))
    assert (number + int(key_of(nir))) % 97 == 0
    assert 1 <= int(key_of(nir)) <= 97


@given(st.text(max_size=20))
def test_any_text_is_read_or_refused_without_error(text: str) -> None:
    matricule = read(text)
    assert matricule is None or (len(text) == 15 and text.isascii() and matricule.text == text)
