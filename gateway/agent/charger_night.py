"""What a charger has begun in a night, in a file: a restart signs nothing twice."""

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

from gateway.agent.charging import Charge


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


class NightFile:
    """The newest night on disk."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def of(self, charge: Charge) -> Night:
        """What was begun of this window, or a new one. Raises `ValueError` for another file."""
        if not self._path.exists():
            return Night(charge.from_ms)
        try:
            kept = json.loads(self._path.read_bytes())
            kept["planned"] = {int(hour): wh for hour, wh in kept["planned"].items()}
            night = Night(**kept)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ValueError(f"{self._path} is no charger's night: {error}") from error
        return night if night.from_ms == charge.from_ms else Night(charge.from_ms)

    def keep(self, night: Night) -> None:
        """Durable on return."""
        part = self._path.with_suffix(".part")
        with part.open("w", encoding="ascii") as file:
            json.dump(asdict(night), file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(self._path)
