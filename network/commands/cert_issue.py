"""`gridledger cert issue`: identities of a member's people and applications."""

import argparse
import re
from datetime import UTC, datetime
from pathlib import Path

from ledger.errors import GridledgerError
from ledger.model.policy import Role
from network.certificates.authority import REQUEST_BYTES_MAX, MemberAuthority, User
from network.certificates.credentials import member_authority, write_pair
from network.layout import Credential, write_new
from network.plan import load_plan
from network.running.lifecycle import require_network

ROLES = {role.name.lower(): role for role in (Role.CLIENT, Role.ADMIN, Role.PEER, Role.ORDERER)}
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9@._-]{0,63}")


class IssueError(GridledgerError):
    """No certificate was issued; the text says why."""


def add_issue_arguments(issue: argparse.ArgumentParser) -> None:
    """What `gridledger cert issue` takes beside `--plan`."""
    issue.add_argument("member", help="the member who vouches, by its id in the plan")
    issue.add_argument("name", help="common name, and the name of the files")
    issue.add_argument("--role", choices=sorted(ROLES), default="client", help="(client)")
    issue.add_argument(
        "--attribute",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="what contracts may ask, e.g. role=community_manager; may be given again",
    )
    issue.add_argument(
        "--request", type=Path, metavar="CSR", help="certify this request: the key stays away"
    )
    issue.add_argument(
        "--subject", default="", metavar="NAME", help="what precedes role and name (RFC 4514)"
    )
    issue.add_argument("--folder", type=Path, help="where to write (users/ of the member)")


def issue_certificate(options: argparse.Namespace) -> Credential:
    """Write NAME.crt, and NAME.key (0600) unless the key is its owner's; nothing is replaced."""
    plan = load_plan(options.plan)
    member = plan.member(options.member)
    layout = require_network(plan)
    user = User(options.name, ROLES[options.role], _attributes(options.attribute), options.subject)
    place = layout.member(member.id).user(_file_name(options.name))
    if options.folder is not None:
        place = _in_folder(place, options.folder)
    authority = member_authority(plan, member.id, layout)
    now = datetime.now(tz=UTC)
    try:
        if options.request is None:
            write_pair(place, authority.issue_user(user, now=now))
        else:
            certificate = _certified(authority, user, options.request, now)
            write_new(place.certificate, certificate, private=False)
    except FileExistsError as error:
        raise IssueError(f"{error.filename} exists and is never overwritten") from error
    return place


def _certified(authority: MemberAuthority, user: User, request: Path, now: datetime) -> bytes:
    if request.stat().st_size > REQUEST_BYTES_MAX:
        raise IssueError(f"{request} takes more than {REQUEST_BYTES_MAX} bytes")
    return authority.certify_user(user, request.read_bytes(), now=now)


def _in_folder(place: Credential, folder: Path) -> Credential:
    return Credential(folder / place.certificate.name, folder / place.key.name)


def _file_name(name: str) -> str:
    if _FILE_NAME.fullmatch(name) is None:
        raise IssueError(f"{name!r} cannot be a name: letters, digits and @ . _ - only")
    return name


def _attributes(pairs: list[str]) -> dict[str, str]:
    attributes: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not (name and equals):
            raise IssueError(f"an attribute is NAME=VALUE, got {pair!r}")
        if name in attributes:
            raise IssueError(f"attribute {name} is given twice")
        attributes[name] = value
    return attributes
