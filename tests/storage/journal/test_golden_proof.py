"""Released formats of the proof stay as they are: keys, checkpoints, bundles, tiles and proofs.

Running this file as a script writes the golden file where there is none, and never again.
"""

import functools
import gzip
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from tests.storage.journal.rfc6962 import entries_of, subtrees_of

from junmai_svc.storage.journal.bundles import decode_bundle, encode_bundle
from junmai_svc.storage.journal.checkpoint import (
    Checkpoint,
    open_checkpoint,
    origin_of,
    sign_checkpoint,
)
from junmai_svc.storage.journal.keyfile import open_key_file
from junmai_svc.storage.journal.keys import SigningKey, VerifierKey
from junmai_svc.storage.journal.layout import Bundle, Tile, new_tiles
from junmai_svc.storage.journal.merkle import leaf_hash, tree_root
from junmai_svc.storage.journal.proofs import (
    consistency_proof,
    inclusion_proof,
    is_consistent,
    is_included,
)
from junmai_svc.storage.journal.tiles import grown

GOLDEN = Path(__file__).parents[2] / "golden" / "journal"
PROOF = GOLDEN / "proof.json"

JOURNAL = "0190163d-8694-739b-aea5-966c26f8ad90"
KEY = SigningKey(origin_of(JOURNAL), bytes(range(32)))
# The first of the released entries.
ENTRIES = (GOLDEN / "entries.jsonl").read_bytes().splitlines()[:5]
LEAVES = [leaf_hash(entry) for entry in ENTRIES]
LARGE = 70_000


def hexed(hashes: tuple[bytes, ...]) -> list[str]:
    return [hash_.hex() for hash_ in hashes]


def unread(tile: Tile) -> bytes:
    raise AssertionError(f"{tile} was read, though the tree is new")


@functools.cache
def built() -> dict[str, Any]:
    """Return what the golden file holds as today's code writes it."""
    subtree = subtrees_of(ENTRIES)
    large = grown(0, map(leaf_hash, entries_of(LARGE)), unread)
    return {
        "key file": KEY.secret_text() + "\n",
        "public key": str(KEY.verifier),
        "checkpoint": sign_checkpoint(Checkpoint(JOURNAL, 5, tree_root(LEAVES)), [KEY]).decode(),
        "bundle": {Bundle(0, 5).path: gzip.decompress(encode_bundle(ENTRIES)).decode("latin-1")},
        "tile": {tile.path: stored.hex() for tile, stored in grown(0, LEAVES, unread)},
        "inclusion of 3 in 5": hexed(inclusion_proof(3, 5, subtree)),
        "consistency of 3 with 5": hexed(consistency_proof(3, 5, subtree)),
        f"tiles of {LARGE}": {
            tile.path: hashlib.sha256(stored).hexdigest()
            for tile, stored in large
            if tile.level or tile.index in {0, LARGE // 256}
        },
    }


def golden() -> Any:
    """Return the released formats."""
    return json.loads(PROOF.read_text(encoding="utf-8"))


@pytest.mark.parametrize("part", built())
def test_what_is_written_is_as_released(part: str) -> None:
    assert golden()[part] == built()[part]


def test_nothing_released_is_forgotten() -> None:
    assert golden().keys() == built().keys()


def test_released_keys_are_read(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.touch(mode=0o600)
    file.write_text(golden()["key file"], encoding="ascii", newline="\n")
    verifier = VerifierKey.parse(golden()["public key"], "the golden key")
    assert open_key_file(file, origin_of(JOURNAL), create=False).verifier == verifier


def test_an_outsider_with_the_released_key_reads_all_of_a_released_store() -> None:
    released = golden()
    checkpoint = open_checkpoint(
        released["checkpoint"].encode(),
        [VerifierKey.parse(released["public key"], "the golden key")],
        journal_id=JOURNAL,
        where="the golden checkpoint",
    )
    bundle = gzip.compress(released["bundle"]["tile/entries/000.p/5"].encode("latin-1"))
    entries = decode_bundle(bundle, Bundle(0, 5))
    leaves = [leaf_hash(entry) for entry in entries]
    assert entries == ENTRIES
    assert bytes.fromhex(released["tile"]["tile/0/000.p/5"]) == b"".join(leaves)
    assert checkpoint == Checkpoint(JOURNAL, 5, tree_root(leaves))
    included = [bytes.fromhex(hash_) for hash_ in released["inclusion of 3 in 5"]]
    assert is_included(leaves[3], 3, 5, included, checkpoint.root)
    grew = [bytes.fromhex(hash_) for hash_ in released["consistency of 3 with 5"]]
    assert is_consistent(3, tree_root(leaves[:3]), 5, checkpoint.root, grew)


def test_a_large_tree_is_in_the_tiles_of_the_specifications_example() -> None:
    paths = [tile.path for tile in new_tiles(0, LARGE)]
    assert set(golden()[f"tiles of {LARGE}"]) == {"tile/0/000", *paths[-4:]}


def write_new() -> None:
    """Write the golden file where there is none."""
    if not PROOF.exists():
        text = json.dumps(built(), indent=1, ensure_ascii=True) + "\n"
        PROOF.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    write_new()
