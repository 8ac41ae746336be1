"""Whom a caller is shown: the one rule of all answers in which households are named (row E012).

Most questions are refused outright to everybody but the household itself and staff
(`World.require_own_or_staff`). Answers that are for everybody name nobody else: they are passed
through a function `..._as_seen`, which stands beside the record. `docs/access.md` has the table.
"""

from dataclasses import dataclass

from chaincode.energy.community import PARTICIPANTS, STAFF
from chaincode.energy.errors import Refused
from chaincode.energy.world import World


@dataclass(frozen=True, slots=True)
class Sight:
    """Staff sees everybody, a household itself (`own_idgrid`), a visitor (empty) nobody."""

    own_idgrid: str
    is_staff: bool = False

    @property
    def is_household(self) -> bool:
        """Whether a household asks."""
        return bool(self.own_idgrid)

    def names(self, *idgrids: str | None) -> bool:
        """Whether one of these households is shown by its name."""
        return self.is_staff or (self.is_household and self.own_idgrid in idgrids)


VISITOR = Sight("")


async def sight_of(world: World) -> Sight:
    """What the caller sees; a key that may not sign for its IDgrid sees what a visitor does."""
    try:
        if world.caller.role in PARTICIPANTS:
            return Sight((await world.caller_is_registered()).idgrid)
        await world.require_role(STAFF)
    except Refused:
        return VISITOR
    return Sight("", is_staff=True)
