"""RFC 6962 trees: known roots, every path of every small tree, and wrong proofs."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.crypto.merkle import merkle_path, merkle_root, verify_merkle_path
from ledger.errors import InvalidMessage, Reason

# The leaves and roots that Certificate Transparency implementations agree on.
KNOWN_LEAVES = [
    bytes.fromhex(leaf)
    for leaf in (
        "", "00", "10", "2021", "3031", "40414243", "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]  # fmt: skip
KNOWN_ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def root_by_definition(leaves: list[bytes]) -> bytes:
    """RFC 6962 section 2.1 as written: split at the largest power of two below n."""
    if not leaves:
        return sha256().digest()
    if len(leaves) == 1:
        return sha256(b"\x00" + leaves[0]).digest()
    split = 1 << ((len(leaves) - 1).bit_length() - 1)
    left, right = root_by_definition(leaves[:split]), root_by_definition(leaves[split:])
    return sha256(b"\x01" + left + right).digest()


@pytest.mark.parametrize("count", range(9))
def test_known_roots(count):
    assert merkle_root(KNOWN_LEAVES[:count]).hex() == KNOWN_ROOTS[count]


@given(st.lists(st.binary(max_size=8), max_size=70))
def test_root_is_the_one_of_the_definition(leaves):
    assert merkle_root(leaves) == root_by_definition(leaves)


@pytest.mark.parametrize("count", range(1, 34))
def test_every_leaf_of_every_small_tree_has_a_path_that_only_fits_it(count):
    leaves = [number.to_bytes(2, "big") for number in range(count)]
    root = merkle_root(leaves)
    for index in range(count):
        path = merkle_path(leaves, index)
        proof = {"leaf_count": count, "path": path, "root": root}
        verify_merkle_path(leaf=leaves[index], index=index, **proof)
        with pytest.raises(InvalidMessage):
            verify_merkle_path(leaf=b"other", index=index, **proof)
        for other in set(range(count)) - {index}:
            with pytest.raises(InvalidMessage):
                verify_merkle_path(leaf=leaves[index], index=other, **proof)


def test_an_altered_hash_leads_to_another_root():
    path = list(merkle_path(KNOWN_LEAVES, 3))
    path[1] = bytes(32)
    with pytest.raises(InvalidMessage) as caught:
        verify_merkle_path(
            leaf=KNOWN_LEAVES[3],
            index=3,
            leaf_count=8,
            path=path,
            root=bytes.fromhex(KNOWN_ROOTS[8]),
        )
    assert caught.value.reason is Reason.BAD_PROOF


@pytest.mark.parametrize(("index", "path_length"), [(3, 2), (3, 4), (8, 3), (-1, 3)])
def test_a_path_of_wrong_shape_is_malformed(index, path_length):
    with pytest.raises(InvalidMessage) as caught:
        verify_merkle_path(
            leaf=b"", index=index, leaf_count=8, path=[bytes(32)] * path_length, root=bytes(32)
        )
    assert caught.value.reason is Reason.MALFORMED


def test_an_inner_node_cannot_pass_for_a_leaf():
    leaves = KNOWN_LEAVES[:2]
    hashes = [sha256(b"\x00" + leaf).digest() for leaf in leaves]
    assert merkle_root([b"".join(hashes)]) != merkle_root(leaves)


def test_no_path_to_a_leaf_that_is_not_there():
    for index in (-1, 8):
        with pytest.raises(IndexError):
            merkle_path(KNOWN_LEAVES, index)
