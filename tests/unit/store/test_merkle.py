from __future__ import annotations

import base64
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.store import merkle

# The seven-leaf test vectors of RFC 6962/9162 implementations (certificate-transparency reference tests): inputs and
# the root of each prefix.
LEAVES = [bytes.fromhex(x) for x in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657")]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
]


@pytest.mark.parametrize("size", range(1, 8))
def test_published_roots(size: int) -> None:
    assert merkle.root(merkle.leaf_hash(leaf) for leaf in LEAVES[:size]).hex() == ROOTS[size - 1]


def test_the_empty_tree() -> None:
    assert merkle.Frontier().root() == sha256(b"").digest()


def naive(leaves: list[bytes]) -> bytes:
    """MTH of RFC 9162 §2.1.1, as the text says it."""
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return sha256(b"\x01" + naive(leaves[:k]) + naive(leaves[k:])).digest()


@given(st.integers(1, 300))
def test_growing_gives_the_root_of_the_definition(size: int) -> None:
    leaves = [merkle.leaf_hash(str(number).encode()) for number in range(size)]
    tree = merkle.Frontier()
    for leaf in leaves:
        tree = merkle.Frontier(tree.size, tree.dump())  # stored and read back at each step
        tree.append(leaf)
    assert tree.root() == naive(leaves)
    assert len(tree.dump()) == 32 * size.bit_count()


@given(st.integers(1, 200), st.data())
def test_proofs_prove_and_nothing_else_does(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    leaves = [merkle.leaf_hash(str(number).encode()) for number in range(size)]
    root, proof = merkle.root(leaves), merkle.inclusion_proofs([index], leaves)[index]
    assert merkle.verify_inclusion(leaves[index], index, size, proof, root)
    assert len(proof) <= (size - 1).bit_length()
    other = merkle.leaf_hash(b"other")
    assert not merkle.verify_inclusion(other, index, size, proof, root)
    assert not merkle.verify_inclusion(leaves[index], index, size, proof, other)
    assert not merkle.verify_inclusion(leaves[index], index, size, [*proof, other], root)
    assert not merkle.verify_inclusion(leaves[index], size, size, proof, root)
    if proof:
        assert not merkle.verify_inclusion(leaves[index], index, size, proof[:-1], root)
        wrong = (index + 1) % size
        assert not merkle.verify_inclusion(leaves[index], wrong, size, proof, root)


@given(st.integers(1, 120), st.data())
def test_several_proofs_at_once_are_those_of_each(size: int, data: st.DataObject) -> None:
    leaves = [merkle.leaf_hash(str(number).encode()) for number in range(size)]
    wanted = data.draw(st.sets(st.integers(0, size - 1)))
    found = merkle.inclusion_proofs(wanted, leaves)
    assert found.keys() == wanted
    for index, proof in found.items():
        assert merkle.verify_inclusion(leaves[index], index, size, proof, merkle.root(leaves))


def test_a_frontier_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="disagree"):
        merkle.Frontier(3, b"\0" * 32)


def test_no_proof_of_what_is_not_there() -> None:
    with pytest.raises(IndexError):
        merkle.inclusion_proofs([1], [merkle.leaf_hash(b"")])
    assert base64.b64encode(merkle.leaf_hash(b"")).startswith(b"bjQL")
