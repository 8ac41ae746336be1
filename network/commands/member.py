"""`gridledger member ...`: who belongs to the channel, changed by a majority of the members."""

import argparse
import asyncio
import sys
from collections.abc import Callable, Coroutine, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from grpc.aio import AioRpcError

from ledger.errors import GridledgerError
from ledger.node.membership.channel import ChannelState
from network.arguments import whole_number
from network.membership.actions import (
    Change,
    addition,
    approve,
    describe,
    removal,
    replacement,
    start_proposal,
    withdraw,
)
from network.membership.certificate_inventory import channel_certificates, days_left
from network.membership.channel import ActingMember, height_of, peer_addresses, read_channel
from network.membership.proposals import ProposalError, find, load, pending, standing
from network.membership.updates import with_limits
from network.plan import Plan, load_plan
from network.plan_table import PlanError
from network.running.lifecycle import LifecycleError, require_network

EXIT_FAILED = 1
NUMBER_MAX = 2**31 - 1


def main(arguments: Sequence[str]) -> int:
    """Run one action; 1 and one line on standard error when it cannot be done."""
    options = _parser().parse_args(arguments)
    action: Callable[[argparse.Namespace], Coroutine[Any, Any, int]] = options.action
    return run_action("member", lambda: asyncio.run(action(options)))


def run_action(command: str, action: Callable[[], int]) -> int:
    """Run an action of a command; what goes wrong becomes one line and status 1."""
    try:
        return action()
    except TimeoutError:
        wrong = "the channel did not change in time; `gridledger member list` shows who is up"
    except AioRpcError as error:
        wrong = f"a validator refused: {error.details() or error.code().name}"
    except BrokenPipeError:
        raise  # whoever reads the output has enough of it
    except OSError as error:
        wrong = f"{error.filename}: {error.strerror}" if error.filename else str(error)
    except (GridledgerError, LifecycleError, PlanError) as error:
        wrong = str(error)
    print(f"gridledger {command}: {wrong}", file=sys.stderr)
    return EXIT_FAILED


def add_plan_option(command: argparse.ArgumentParser) -> None:
    """`--plan`, as every command of a network has it."""
    command.add_argument(
        "--plan",
        type=Path,
        default=Path("network.toml"),
        help="the plan file (default network.toml)",
    )


def acting_member(options: argparse.Namespace, member_id: str | None) -> ActingMember:
    """Where the command works; without a name it acts for the plan's first member."""
    plan: Plan = load_plan(options.plan)
    layout = require_network(plan)
    member = plan.members[0] if member_id is None else plan.member(member_id)
    if not layout.member(member.id).credential("admin").key.exists():
        raise ProposalError(f"the administrator's key of {member.id} is not on this machine")
    return ActingMember(plan, layout, member)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gridledger member",
        description="Members, validators and block limits of a running channel. "
        "A change is a proposal that administrators of most members sign.",
    )
    actions = parser.add_subparsers(required=True, metavar="action")
    listing = actions.add_parser("list", help="validators, and proposals that wait")
    listing.set_defaults(action=_list)
    approving = actions.add_parser("approve", help="sign a proposal; the last one submits it")
    approving.add_argument("proposal", help="its id, or its file")
    approving.add_argument("--as", dest="member", required=True, help="the member who approves")
    approving.set_defaults(action=_approve)
    withdrawing = actions.add_parser("withdraw", help="delete a proposal of one's own")
    withdrawing.add_argument("proposal", help="its id, or its file")
    withdrawing.add_argument("--as", dest="member", required=True, help="the member who began it")
    withdrawing.set_defaults(action=_withdraw)
    proposing = actions.add_parser("propose", help="begin a change")
    kinds = proposing.add_subparsers(required=True, metavar="kind")
    for command in (listing, approving, withdrawing, *_propose_kinds(kinds)):
        add_plan_option(command)
    return parser


def _propose_kinds(
    kinds: "argparse._SubParsersAction[argparse.ArgumentParser]",
) -> list[argparse.ArgumentParser]:
    made = []
    for name, text, change in (
        ("add", "a member of the plan joins; then, once more, its validator", _add),
        ("remove", "a member's validator is removed; then, once more, the member", _remove),
        ("replace", "a validator gets the keys or the address its folder and plan have", _replace),
    ):
        kind = kinds.add_parser(name, help=text, description=text)
        kind.add_argument("id", help="the member's or further peer's id in the plan")
        kind.set_defaults(action=_propose, change=change)
        made.append(kind)
    limits = kinds.add_parser("limits", help="other bounds of a block")
    for option in ("--max-transactions", "--max-bytes", "--absolute-max-bytes", "--interval-ms"):
        limits.add_argument(option, type=whole_number(0, NUMBER_MAX))
    limits.set_defaults(action=_propose, change=_limits)
    for command in (*made, limits):
        command.add_argument("--as", dest="member", help="the member who proposes (the first)")
    return [*made, limits]


# -- actions --------------------------------------------------------------------------------------


async def _propose(options: argparse.Namespace) -> int:
    acting = acting_member(options, options.member)
    state = await read_channel(acting)
    make: Callable[..., Change] = options.change
    await start_proposal(acting, state, make(state, acting, options), print)
    return 0


async def _approve(options: argparse.Namespace) -> int:
    acting = acting_member(options, options.member)
    await approve(acting, find(acting.layout, options.proposal), print)
    return 0


async def _withdraw(options: argparse.Namespace) -> int:
    acting = acting_member(options, options.member)
    withdraw(acting, find(acting.layout, options.proposal), print)
    return 0


def _add(state: ChannelState, acting: ActingMember, options: argparse.Namespace) -> Change:
    return addition(state, acting, acting.plan.peer(options.id), now=datetime.now(tz=UTC))


def _remove(state: ChannelState, acting: ActingMember, options: argparse.Namespace) -> Change:
    return removal(state, acting.plan.peer(options.id))


def _replace(state: ChannelState, acting: ActingMember, options: argparse.Namespace) -> Change:
    return replacement(state, acting, acting.plan.peer(options.id))


def _limits(state: ChannelState, _desk: ActingMember, options: argparse.Namespace) -> Change:
    updated = with_limits(
        state.config,
        max_transactions=options.max_transactions,
        max_bytes=options.max_bytes,
        absolute_max_bytes=options.absolute_max_bytes,
        block_interval_ms=options.interval_ms,
    )
    limits = updated.batch_limits
    title = (
        f"blocks of at most {limits.max_transactions} transactions and {limits.max_bytes} bytes "
        f"({limits.absolute_max_bytes} at the very most), every {updated.block_interval_ms} ms"
    )
    return Change(updated, title)


async def _list(options: argparse.Namespace) -> int:
    acting = acting_member(options, None)
    state = await read_channel(acting)
    print(f"channel {state.config.channel_id}, configuration of block {state.config_block}")
    print(f"{'id':>4} {'member':<18} {'address':<22} {'height':>7}  {'cert days left':>14}")
    addresses = peer_addresses(acting, state)
    asked = [addresses.get(one.consenter_id, "") for one in state.config.consenters]
    heights = await asyncio.gather(*(height_of(acting, address) for address in asked))
    for consenter, height in zip(state.config.consenters, heights, strict=True):
        left = min(days_left(one) for one in channel_certificates(consenter))
        print(
            f"{consenter.consenter_id:>4} {consenter.mspid:<18} "
            f"{f'{consenter.host}:{consenter.port}':<22} "
            f"{'down' if height is None else height:>7}  {left:>14}"
        )
    others = {one.mspid for one in state.config.members}
    others -= {one.mspid for one in state.config.consenters}
    for mspid in sorted(others):
        print(f"{'-':>4} {mspid:<18} has no validator")
    for path in pending(acting.layout):
        proposal = load(path)
        print(f"proposal {proposal.id}: {proposal.title}")
        print(f"  {describe(standing(proposal, state, acting.admin))}")
    return 0
