"""The source's line on `p2p/energy`: `New Transaction #n: kWh from seller -> buyer`. Pure.

Nobody signs it. It informs boards that hear no command of ours; what the gateway itself hears
there is compared with its own transfers and changes nothing (docs/mqtt.md, Foreign devices).
"""

import re
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

NOTICE_BYTES_MAX = 320
"""The longest line that `_NOTICE` takes has 266."""
WH_PER_KWH = 1_000
_NOTICE = re.compile(
    r"New Transaction #(?P<number>[0-9]{1,18}): (?P<energy>[0-9]{1,12}(?:\.[0-9]{1,6})?)"
    r" from (?P<seller>[A-Za-z0-9_.:-]{1,100}) -> (?P<buyer>[A-Za-z0-9_.:-]{1,100})"
)


class NoticeRefusal(StrEnum):
    """Why a line that was heard, or was to be said, is not one of this community's transfers."""

    MALFORMED = "malformed_notice"
    """Not the source's format: no number, no energy, or an account is missing."""
    UNKNOWN = "unknown_transfer"
    DIFFERING = "differing_transfer"
    """A transfer of this number is known with another energy, seller or buyer."""


@dataclass(frozen=True, slots=True)
class TransferNotice:
    """The source's message on `p2p/energy` (001:1697-1699); its energy is kWh (001:2241)."""

    number: int
    energy_wh: int
    seller: str
    buyer: str

    def __str__(self) -> str:
        """As it is published."""
        kwh = Decimal(self.energy_wh) / WH_PER_KWH
        return f"New Transaction #{self.number}: {kwh} from {self.seller} -> {self.buyer}"


def parse_transfer_notice(text: str) -> TransferNotice:
    """Number, energy, seller and buyer; raises ValueError when one of them is missing."""
    found = _NOTICE.fullmatch(text)
    if found is None:
        raise ValueError("not `New Transaction #n: kWh from seller -> buyer`")
    if found["seller"] == found["buyer"]:
        raise ValueError("seller and buyer are the same")
    energy_wh = Decimal(found["energy"]) * WH_PER_KWH
    if energy_wh != int(energy_wh) or not energy_wh:
        raise ValueError("the energy is no whole number of watt-hours")
    return TransferNotice(int(found["number"]), int(energy_wh), found["seller"], found["buyer"])


def decode_transfer_notice(raw: bytes) -> TransferNotice:
    """The notice a message carries; raises ValueError as `parse_transfer_notice`."""
    if len(raw) > NOTICE_BYTES_MAX:
        raise ValueError(f"longer than {NOTICE_BYTES_MAX} bytes")
    return parse_transfer_notice(raw.decode("ascii"))


def encode_transfer_notice(notice: TransferNotice) -> bytes:
    """The message as it is sent; raises ValueError for what no reader would take."""
    text = str(notice)
    parse_transfer_notice(text)
    return text.encode("ascii")
