"""What is left out cannot be worked out from what is shown."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.audit.suppression import part, partition, single


def test_nothing_is_left_out_without_a_threshold() -> None:
    assert partition({"a": 1, "b": 0}, 0) == {"a": 1, "b": 0}
    assert single(1, 0) == 1
    assert part(1, 2, 0) == 1


def test_the_next_smallest_goes_with_a_single_small_one() -> None:
    assert partition({"a": 2, "b": 20, "c": 9, "d": 0}, 5) == {"a": None, "b": 20, "c": None, "d": 0}


def test_a_small_rest_hides_the_part() -> None:
    assert part(9, 10, 5) is None
    assert part(5, 10, 5) == 5
    assert part(10, 10, 5) == 10
    assert part(0, 10, 5) == 0


@given(st.dictionaries(st.integers(), st.integers(0, 40), max_size=8), st.integers(0, 12))
def test_with_the_total_no_small_cell_is_told(cells: dict[int, int], threshold: int) -> None:
    shown = partition(cells, threshold)
    assert shown.keys() == cells.keys()
    assert all(value is None or value == cells[key] for key, value in shown.items())
    assert not any(value is not None and 0 < value < threshold for value in shown.values())
    hidden = [key for key, value in shown.items() if value is None]
    rest = sum(cells.values()) - sum(value for value in shown.values() if value is not None)
    if hidden:  # what the total tells of the hidden ones together is no small count, unless all is hidden
        assert (len(hidden) > 1 and rest >= threshold) or not any(shown.values())
