"""`gridledger cert ...`: issuing certificates, how long they are good, renewing, revoking."""

import argparse
import asyncio
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from ledger.crypto.certificates import load_x509
from ledger.errors import GridledgerError
from ledger.node.membership.certificate_watch import WARNING_DAYS
from network.certificates.authority import MemberAuthority
from network.certificates.credentials import member_authority
from network.certificates.gateway_tls import add_tls_arguments, fingerprint_of, write_gateway_tls
from network.certificates.serve import add_serve_arguments, serve
from network.commands.cert_issue import add_issue_arguments, issue_certificate
from network.commands.member import acting_member, add_plan_option, run_action
from network.founding.creation import ADMIN, PEER, PEER_TLS
from network.layout import write_replacing
from network.membership.actions import Change, finish_all, replacement, start_proposal
from network.membership.certificate_inventory import (
    Held,
    RevokedId,
    config_certificates,
    days_left,
    folder_certificates,
    revoked_id,
    revoked_ids,
)
from network.membership.channel import ActingMember, NoPeerAnswers, read_channel
from network.membership.folder import prepare_next_keys, renew
from network.membership.updates import with_revocations
from network.plan import load_plan
from network.running.lifecycle import require_network

EXIT_FAILED = 1


def main(arguments: Sequence[str]) -> int:
    """Run one action; 1 and one line on standard error when it cannot be done."""
    options = _parser().parse_args(arguments)
    action: Callable[[argparse.Namespace], int] = options.action
    return run_action("cert", lambda: action(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gridledger cert", description="Certificates and keys of the members."
    )
    actions = parser.add_subparsers(required=True, metavar="action")
    status = actions.add_parser("status", help="days left; exit status 1 when one has expired")
    status.set_defaults(action=_status)
    rotate = actions.add_parser("rotate", help="renew certificates; a running peer takes them up")
    rotate.add_argument("member", help="the member's id in the plan")
    rotate.add_argument(
        "--only", choices=(PEER, PEER_TLS, ADMIN), help="one of its certificates (all of them)"
    )
    rotate.add_argument(
        "--new-key",
        action="store_true",
        help="new keys for the validator, through a proposal to the other members",
    )
    rotate.set_defaults(action=_rotate)
    revoke = actions.add_parser("revoke", help="a certificate of a member no longer counts")
    revoke.add_argument("member", help="the member's id in the plan")
    revoke.add_argument("certificate", type=Path, help="the certificate's file (PEM)")
    revoke.add_argument(
        "--yes", action="store_true", help="also when it is the certificate of a peer"
    )
    revoke.set_defaults(action=_revoke)
    issue = actions.add_parser("issue", help="an identity for a person or an application")
    add_issue_arguments(issue)
    issue.set_defaults(action=_issue)
    serve_socket = actions.add_parser("serve", help="certify participants for the gateway")
    add_serve_arguments(serve_socket)
    serve_socket.set_defaults(action=_serve)
    tls = actions.add_parser("tls", help="HTTPS for a gateway, from an authority of its own")
    add_tls_arguments(tls)
    tls.set_defaults(action=_tls)
    for command in (status, rotate, revoke, issue, serve_socket):
        add_plan_option(command)
    return parser


# -- status ---------------------------------------------------------------------------------------


def _status(options: argparse.Namespace) -> int:
    acting = acting_member(options, None)
    held = list(folder_certificates(acting.plan, acting.layout))
    revoked: frozenset[RevokedId] = frozenset()
    try:
        config = asyncio.run(read_channel(acting)).config
        held += config_certificates(config)
        revoked = revoked_ids(config)
    except NoPeerAnswers as error:
        print(f"the channel's own certificates are not shown: {error}")
    print(f"{'member':<18} {'certificate':<18} {'where':<8} {'expires':<11} {'days left':>9}")
    for one in sorted(held, key=lambda one: (days_left(one), one.member, one.name)):
        print(_line(one, is_revoked=revoked_id(one.certificate) in revoked))
    ended = [one for one in held if days_left(one) < 0 and not one.only_its_key_counts]
    return EXIT_FAILED if ended else 0


def _line(held: Held, *, is_revoked: bool) -> str:
    left = days_left(held)
    expires = f"{held.certificate.not_valid_after_utc:%Y-%m-%d}"
    remark = ""
    if is_revoked:
        remark = "  REVOKED"
    elif held.only_its_key_counts:
        remark = "  only its key counts" if left < WARNING_DAYS[0] else ""
    elif left < 0:
        remark = "  EXPIRED"
    elif left < WARNING_DAYS[0]:
        remark = "  renew it: gridledger cert rotate " + held.member
    return f"{held.member:<18} {held.name:<18} {held.place:<8} {expires:<11} {left:>9}{remark}"


# -- issue ----------------------------------------------------------------------------------------


def _issue(options: argparse.Namespace) -> int:
    place = issue_certificate(options)
    print(f"certificate {place.certificate}")
    if options.request is None:
        print(f"private key {place.key}")
    return 0


def _serve(options: argparse.Namespace) -> int:
    plan = load_plan(options.plan)
    member = plan.member(options.member)
    return serve(options.socket, member_authority(plan, member.id, require_network(plan)))


def _tls(options: argparse.Namespace) -> int:
    files = write_gateway_tls(options.folder, options.host, now=datetime.now(tz=UTC))
    print(f'"tls": {json.dumps(files)}')
    print(f"fingerprint of the authority (SHA-256): {fingerprint_of(Path(files['ca']))}")
    return 0


# -- rotate ---------------------------------------------------------------------------------------


def _rotate(options: argparse.Namespace) -> int:
    acting = acting_member(options, options.member)
    now = datetime.now(tz=UTC)
    if options.new_key:
        return asyncio.run(_new_keys(acting, now))
    for name in (options.only,) if options.only else (PEER, PEER_TLS, ADMIN):
        path = renew(acting.plan, acting.member, acting.layout, name, now=now)
        until = load_x509(path.read_bytes()).not_valid_after_utc
        print(f"renewed {path}, good until {until:%Y-%m-%d}; the key is the same")
    return 0


async def _new_keys(acting: ActingMember, now: datetime) -> int:
    state = await read_channel(acting)
    finish_all(acting, state.config)  # what an earlier rotation left
    prepare_next_keys(acting.plan, acting.member, acting.layout, now=now)
    await start_proposal(acting, state, replacement(state, acting, acting.member), print)
    return 0


# -- revoke ---------------------------------------------------------------------------------------


def _revoke(options: argparse.Namespace) -> int:
    acting = acting_member(options, options.member)
    pem: bytes = options.certificate.read_bytes()
    peer = _peer_with(acting, load_x509(pem))
    if peer and not options.yes:
        raise GridledgerError(
            f"this is the certificate of the peer {peer}: once it is revoked, nothing that the"
            f" peer endorses counts. If its key is lost, first: gridledger cert rotate {peer}"
            " --new-key. If you mean it, add --yes"
        )
    return asyncio.run(_revoke_certificate(acting, pem))


def _peer_with(acting: ActingMember, certificate: x509.Certificate) -> str:
    """The id of the member's peer that signs with this certificate now; empty for none."""
    for peer in acting.plan.peers:
        path = acting.layout.member(peer.id).credential(PEER).certificate
        if path.exists() and load_x509(path.read_bytes()) == certificate:
            return peer.id
    return ""


async def _revoke_certificate(acting: ActingMember, pem: bytes) -> int:
    state = await read_channel(acting)
    authority = member_authority(acting.plan, acting.member.id, acting.layout)
    certificate = load_x509(pem)
    name = certificate.subject.rfc4514_string()
    if certificate.issuer != load_x509(authority.enrolment.certificate_pem).subject:
        raise GridledgerError(f"{name} was not issued by {acting.member.mspid}'s authority")
    if revoked_id(certificate) in revoked_ids(state.config):
        print(f"{name} is revoked already; nothing was proposed")
        return 0
    revocation_list = _revocation_list(acting, authority, pem)
    updated = with_revocations(state.config, acting.member.mspid, revocation_list)
    await start_proposal(acting, state, Change(updated, f"{name} is revoked"), print)
    return 0


def _revocation_list(acting: ActingMember, authority: MemberAuthority, pem: bytes) -> bytes:
    """The member's list with this certificate on it, written beside its authority."""
    place = acting.layout.member(acting.member.id).revocation_list
    earlier = place.read_bytes() if place.exists() else None
    revocation_list = authority.revoke([pem], now=datetime.now(tz=UTC), earlier=earlier)
    write_replacing(place, revocation_list)
    return revocation_list
