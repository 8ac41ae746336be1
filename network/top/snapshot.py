"""What `gridledger top` shows of one moment: Wh, micro-tokens per kWh, milliseconds UTC."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ValidatorState:
    """One validator; None for what is not known, as nothing is while it does not answer."""

    name: str
    address: str
    is_running: bool
    height: int | None
    round: int | None
    """In which round its newest block was agreed; 0 unless a proposer was late."""
    lag_blocks: int | None
    """Behind the highest validator."""
    resident_bytes: int
    cpu_percent: float
    """Of one core, since the picture before."""


@dataclass(frozen=True, slots=True)
class Phase:
    """What a listing is doing, and when that ends; None: when somebody does the next step."""

    name: str
    ends_ms: int | None


@dataclass(frozen=True, slots=True)
class ListingState:
    """The listing that takes orders, else the latest one."""

    listing_id: str
    phase: Phase
    offer_count: int
    offered_wh: int
    bid_count: int
    wanted_wh: int
    is_whole_book: bool
    """False: there are more orders than were read."""
    price_utoken_per_kwh: int | None
    matched_wh: int | None


@dataclass(frozen=True, slots=True)
class DeviceState:
    """A meter or another device."""

    device_id: str
    owner_idgrid: str | None
    state: str
    """online, lost, off, unknown; `silent` while that alarm stands."""
    last_seen_ms: int
    refused: int
    """Messages of it that were refused."""


@dataclass(frozen=True, slots=True)
class GatewayState:
    """What the gateway says."""

    url: str
    height: int
    listing: ListingState | None
    devices: tuple[DeviceState, ...] | None
    """None: there was no token to ask for them."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that answered."""

    at_ms: int
    network: str
    """The plan's name, empty without one."""
    validators: tuple[ValidatorState, ...]
    gateway: GatewayState | None
    gateway_problem: str = ""
    """Why there is no gateway."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing runs."""
        return self.gateway is None and not any(each.is_running for each in self.validators)
