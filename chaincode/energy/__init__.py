"""The energy community's contracts; `CONTRACTS` is what a peer loads.

It is imported on first use, so that the pure rules (clearing, settlement, readings) can be
used, for example by `gridledger clear`, without loading the contract runtime.
"""

from typing import Any


def __getattr__(name: str) -> Any:
    if name == "CONTRACTS":
        from chaincode.energy.contracts import CONTRACTS  # noqa: PLC0415 - see above

        return CONTRACTS
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
