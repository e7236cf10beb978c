"""Merkle trees as RFC 9162 §2.1 hashes them, grown one leaf at a time.

The frontier (roots of the complete subtrees, largest first) is all the state that appending needs: its length is
the number of ones in the size, so a million records keep at most twenty hashes.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from hashlib import sha256

HASH_BYTES = 32
EMPTY_ROOT = sha256(b"").digest()


def leaf_hash(data: bytes) -> bytes:
    """Hash of a leaf's content."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node."""
    return sha256(b"\x01" + left + right).digest()


class Frontier:
    """A tree that can only grow."""

    def __init__(self, size: int = 0, nodes: bytes = b"") -> None:
        """Resume from a stored size and frontier. Raises ValueError when they do not belong together."""
        if len(nodes) != HASH_BYTES * size.bit_count():
            raise ValueError("frontier and size disagree")
        self.size = size
        self._nodes = [nodes[i : i + HASH_BYTES] for i in range(0, len(nodes), HASH_BYTES)]

    def append(self, leaf: bytes) -> None:
        """Add the hash of one more leaf."""
        self._nodes.append(leaf)
        self.size += 1
        complete = self.size
        while complete & 1 == 0:  # two subtrees of the same size become one
            right = self._nodes.pop()
            self._nodes[-1] = node_hash(self._nodes[-1], right)
            complete >>= 1

    def root(self) -> bytes:
        """Root of the whole tree."""
        if not self._nodes:
            return EMPTY_ROOT
        result = self._nodes[-1]
        for node in reversed(self._nodes[:-1]):
            result = node_hash(node, result)
        return result

    def dump(self) -> bytes:
        """The frontier's hashes, to be stored beside the size."""
        return b"".join(self._nodes)


def root(leaves: Iterable[bytes]) -> bytes:
    """Root of the tree over these leaf hashes."""
    tree = Frontier()
    for leaf in leaves:
        tree.append(leaf)
    return tree.root()


def inclusion_proofs(indices: Iterable[int], leaves: Sequence[bytes]) -> dict[int, list[bytes]]:
    """PATH(index, leaves) of RFC 9162 §2.1.3.1 for each index, sibling hashes from the leaf up; every leaf is hashed
    into the tree once. Raises IndexError.
    """
    wanted = sorted(set(indices))
    if wanted and not 0 <= wanted[0] <= wanted[-1] < len(leaves):
        raise IndexError(wanted)
    return _paths(leaves, 0, len(leaves), wanted)[1] if wanted else {}


def _paths(leaves: Sequence[bytes], low: int, high: int, wanted: list[int]) -> tuple[bytes, dict[int, list[bytes]]]:
    """Root of leaves[low:high], and the paths inside it of the wanted ones."""
    if not wanted:
        return root(leaves[low:high]), {}
    if high - low == 1:
        return leaves[low], {low: []}
    middle = low + (1 << (high - low - 1).bit_length() - 1)  # the left tree is the largest complete one
    cut = bisect_left(wanted, middle)
    left, paths = _paths(leaves, low, middle, wanted[:cut])
    right, others = _paths(leaves, middle, high, wanted[cut:])
    for path in paths.values():
        path.append(right)
    for path in others.values():
        path.append(left)
    return node_hash(left, right), paths | others


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], expected: bytes) -> bool:
    """Whether `leaf` stands at `index` in the tree of this size and root (RFC 9162 §2.1.3.2)."""
    if not 0 <= index < size:
        return False
    node, last, result = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return False
        if node & 1 or node == last:
            result = node_hash(sibling, result)
            while not node & 1 and node:
                node >>= 1
                last >>= 1
        else:
            result = node_hash(result, sibling)
        node >>= 1
        last >>= 1
    return last == 0 and result == expected
