"""Plans of networks that live only as long as a demo or a benchmark."""

from network.plan import DEFAULT_MEMBERS, default_plan_text
from network.ports import free_port_range

MEMBERS = len(DEFAULT_MEMBERS)


def throwaway_plan(
    name: str, *, gateway_port: int | None = None, data_dir: str = "network-data"
) -> str:
    """A plan on ports that nobody uses now, with blocks as soon as transactions wait."""
    first = free_port_range(2 * MEMBERS + 1)
    return default_plan_text(
        name=name,
        min_interval_ms=0,
        data_dir=data_dir,
        first_peer_port=first,
        first_validator_port=first + MEMBERS,
        gateway_port=gateway_port or first + 2 * MEMBERS,
    )
