"""The community's oracles: which members are asked, and how many must agree."""

from typing import Any

from chaincode.energy import arguments, keys
from chaincode.energy.community import Role
from chaincode.energy.errors import Refusal
from chaincode.energy.oracle.agreement import PANEL_MEMBERS_MAX, problem_with_panel
from chaincode.energy.oracle.records import Panel
from chaincode.energy.world import World

PRODUCTION, DEVELOPMENT = "production", "development"
MODES = (PRODUCTION, DEVELOPMENT)
_NAMING = frozenset({Role.COMMUNITY_MANAGER})


async def name_panel(world: World, *, members: list[Any], quorum: int, mode: str) -> Panel:
    """Community manager: the members whose oracles are asked from now on.

    `mode` is production, or development, which allows a panel of one. Requests under way keep
    the panel they were put to.
    """
    await world.require_role(_NAMING)
    given = arguments.checked_list(members, "members", at_most=PANEL_MEMBERS_MAX)
    names = [arguments.identifier_of(member, "a member") for member in given]
    if len(set(names)) != len(names):
        arguments.bad("a member is named twice")
    is_development = arguments.one_of(mode, "mode", MODES) == DEVELOPMENT
    problem = problem_with_panel(len(names), quorum, is_development=is_development)
    if problem is not None:
        arguments.bad(problem)
    panel = Panel(members=names, quorum=quorum, is_development=is_development)
    await world.put(keys.ORACLE_PANEL, panel)
    world.announce("OraclePanelNamed", {"members": names, "quorum": quorum})
    return panel


async def get_panel(world: World) -> Panel:
    """The oracles of the community."""
    return await world.get(Panel, keys.ORACLE_PANEL, Refusal.NO_PANEL, "oracle:name_panel")
