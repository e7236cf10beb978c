from __future__ import annotations

import pytest

from gateway.identity.ins import key_of, patient_mailbox, read
from gateway.records.people import Ins
from tests.unit.submission_samples import PRODUCTION_OID

# spec/dmp.md §5 and spec/kine.md §0.4 and §6: keys published by others than this product.
PUBLISHED = [
    ("2070585756270", "97"),
    ("1090763220834", "89"),
    ("1090763220888", "35"),
    ("180032B020401", "23"),
    ("2790351215189", "89"),
    ("2770763220829", "10"),
    ("1460263220001", "96"),
    ("2010322278901", "55"),
    ("2670799139903", "41"),
    ("7610599397906", "70"),
]


@pytest.mark.parametrize(("nir13", "key"), PUBLISHED)
def test_published_keys(nir13: str, key: str) -> None:
    assert key_of(nir13) == key
    matricule = read(nir13 + key)
    assert matricule is not None
    assert matricule.key_holds()


# spec/kine.md §0.4: samples of the ANS that do not satisfy the key, with the key that would.
@pytest.mark.parametrize(
    ("matricule", "right"),
    [("221042545611404", "83"), ("223042545611404", "82"), ("289057545611404", "73")],
)
def test_samples_whose_key_is_wrong(matricule: str, right: str) -> None:
    found = read(matricule)
    assert found is not None
    assert not found.key_holds()
    assert key_of(matricule[:13]) == right


@pytest.mark.parametrize(("department", "value"), [("2A", "19"), ("2B", "18")])
def test_corsica_counts_as_19_and_18(department: str, value: str) -> None:
    letters, digits = f"18003{department}020401", f"18003{value}020401"
    assert key_of(letters) == key_of(digits)
    # The frequent bug: 2A and 2B read as 20, nothing subtracted.
    assert key_of(letters) != key_of("1800320020401")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "20103222789015",
        "2010322278901555",
        "2 01 03 22 278 901 55",
        "201032227890l55",
        "180032b02040123",
        "180032C02040123",
        "18003A202040123",
        "2A103222789015",
        "201032227890155\n",
        "２０１０３２２２７８９０１５５",
        "٢٠١٠٣٢٢٢٧٨٩٠١٥٥",
        "20103222789012A",
    ],
)
def test_what_is_not_15_well_formed_characters(text: str) -> None:
    assert read(text) is None
    with pytest.raises(ValueError, match="not a matricule"):
        patient_mailbox(Ins(matricule=text.strip() or "x", oid=PRODUCTION_OID) if "\n" not in text else _raw(text))


def _raw(text: str) -> Ins:
    # A record cannot hold a line feed at all; a caller that goes round the records still gets no address.
    return Ins.model_construct(matricule=text, oid=PRODUCTION_OID)


@pytest.mark.parametrize("text", ["207058575627", "20705857562700", "207058575627X", "2A70585756270", " 070585756270"])
def test_key_of_refuses_other_shapes(text: str) -> None:
    with pytest.raises(ValueError, match="13 characters"):
        key_of(text)


def test_positions() -> None:
    matricule = read("180032B02040123")
    assert matricule is not None
    assert (matricule.first, matricule.year, matricule.month, matricule.department) == ("1", 80, 3, "2B")
    assert (matricule.nir13, matricule.key) == ("180032B020401", "23")


def test_key_has_two_digits_and_goes_from_01_to_97() -> None:
    assert key_of("0000000000096") == "01"
    assert key_of("0000000000000") == "97"
    assert key_of("0000000000088") == "09"


@pytest.mark.parametrize("digit", "0123456789")
def test_first_digit(digit: str) -> None:
    matricule = read(digit + "01032227890155")
    assert matricule is not None
    assert matricule.first_digit_allowed() is (digit in {"1", "2", "3", "4", "7", "8"})


def test_months() -> None:
    allowed = []
    for month in range(100):
        matricule = read(f"201{month:02d}2227890155")
        assert matricule is not None
        if matricule.month_allowed():
            allowed.append(month)
    assert allowed == [*range(1, 13), *range(20, 43), *range(50, 100)]


@pytest.mark.parametrize("matricule", ["146026322000196", "180032B02040123"])
def test_patient_mailbox(matricule: str) -> None:
    assert patient_mailbox(Ins(matricule=matricule, oid=PRODUCTION_OID)) == f"{matricule}@patient.mssante.fr"
