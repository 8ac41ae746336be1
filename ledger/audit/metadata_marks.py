"""Marks of namespaces with metadata: without one a peer takes a key's own policy not to exist."""

from collections.abc import Collection

from ledger.audit.chain import ChainBroken
from ledger.audit.world_state import StateValue


def check_mark(namespace: str, key: str, held: StateValue, marked: Collection[str]) -> None:
    """Raise ChainBroken for metadata in an unmarked namespace; a mark too many does no harm."""
    if held.metadata and namespace not in marked:
        raise ChainBroken(
            held.position[0], f"gave {key!r} in {namespace!r} metadata, which no mark leads to"
        )
