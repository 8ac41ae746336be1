"""What a charger has begun in a night, in a file: a restart signs nothing twice."""

import json
import os
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from chaincode.energy.hours import HOUR_MS
from gateway.agent.charging import Charge
from ledger.storage.files import DiskFiles


@dataclass(slots=True)
class Night:
    """One window. `planned`: Wh by the instant an hour begins, kept before it is signed."""

    from_ms: int
    planned: dict[int, int] = field(default_factory=dict)
    standing_id: str = ""
    """The signed order's; empty when nothing could be bought, or nobody knows whether it was."""
    has_tried: bool = False
    """Whether an order went to the gateway: it is not signed a second time."""
    import_wh: int | None = None
    """The meter's register when the window began."""

    def has_bought_after(self, now_ms: int) -> bool:
        """Whether its order counts on: an hour of it is not over."""
        return self.has_tried and bool(self.planned) and max(self.planned) + HOUR_MS > now_ms

    def under(self, charge: Charge, now_ms: int) -> "Night":
        """The same under other settings; a window to come counts the meter from its own start."""
        has_begun = charge.from_ms <= now_ms
        import_wh = self.import_wh if has_begun else None
        return replace(self, from_ms=charge.from_ms, import_wh=import_wh)


class NightFile:
    """The newest night on disk."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def of(self, charge: Charge, now_ms: int) -> Night:
        """What was begun of this window, or a new one. Raises `ValueError` for another file.

        What was signed under other settings is of this window while its hours are not over: the
        same hours are not bought twice.
        """
        if not self._path.exists():
            return Night(charge.from_ms)
        try:
            kept = json.loads(self._path.read_bytes())
            kept["planned"] = {int(hour): wh for hour, wh in kept["planned"].items()}
            night = Night(**kept)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ValueError(f"{self._path} is no charger's night: {error}") from error
        if night.from_ms == charge.from_ms:
            return night
        if night.has_bought_after(now_ms):
            return night.under(charge, now_ms)
        return Night(charge.from_ms)

    def keep(self, night: Night) -> None:
        """Durable on return."""
        part = self._path.with_suffix(".part")
        with part.open("w", encoding="ascii") as file:
            json.dump(asdict(night), file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(self._path)
        DiskFiles().sync_folder(self._path.parent)
