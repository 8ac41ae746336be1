"""What a peer can do beyond the oldest protocol, as its READY says."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PeerFeatures:
    """Entries one batched message may have; 0: the peer does not know it (before Fabric 3.1)."""

    write_batch_max: int = 0
    get_multiple_max: int = 0
