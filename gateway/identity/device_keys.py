"""Devices of a household: asking another device, and certificates for keys the ledger names.

A new device asks; a device that can sign already names its key on the ledger (`signers:add`); then
the new one fetches its certificate. A key made again from a recovery phrase is named already.
"""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import select, update

from chaincode.energy.registry.records import DEVICE as DEVICE_KEY
from chaincode.energy.registry.records import AgentLimits, Participant
from gateway.books.community import Community
from gateway.database import Database
from gateway.errors import Problem, RequestRefused
from gateway.identity.enrolment import certify, new_request
from gateway.identity.identity_log import IdentityLog
from gateway.identity.issuing import Certified
from gateway.identity.signing_requests import comparison_code, fingerprint_of_request
from gateway.identity.tables import KeyRequestRow
from gateway.ports import CertificateIssuer

DEVICE = "device"
WAITING_OF_HOUSEHOLD_MAX = 10


@dataclass(frozen=True, slots=True)
class NamedKey:
    """A key as the ledger names it for a household, and what the household calls it."""

    fingerprint: str
    kind: str
    state: str
    """`active`, `waiting` for its time, or `ended`."""
    added_ms: int
    from_ms: int
    until_ms: int | None
    label: str
    limits: AgentLimits | None = None
    """Of an agent that may order itself."""


@dataclass(frozen=True, slots=True)
class AskingDevice:
    """A new device that waits for another one of the household to name its key."""

    request_id: str
    fingerprint: str
    comparison_code: str
    label: str
    created_ms: int


class DeviceKeys:
    """Keys of one household at a time."""

    def __init__(
        self,
        database: Database,
        clock_ms: Callable[[], int],
        log: IdentityLog,
        community: Community,
        issuer: CertificateIssuer,
    ) -> None:
        self._database = database
        self._clock_ms = clock_ms
        self._log = log
        self._community = community
        self._issuer = issuer

    def named(self, idgrid: str) -> list[NamedKey]:
        """The keys on the ledger, the newest first."""
        participant = self._community.participant(idgrid)
        if participant is None:
            return []
        labels = self._labels(idgrid)
        found = [
            self._named(participant, fingerprint, labels.get(fingerprint, ""))
            for fingerprint in participant.signers
        ]
        return sorted(found, key=lambda key: (-key.added_ms, key.fingerprint))

    def ask(self, idgrid: str, request_pem: str, label: str) -> AskingDevice:
        """A device of a signed-in household asks to be named."""
        fingerprint, now_ms = fingerprint_of_request(request_pem), self._clock_ms()
        if len(self.asking(idgrid)) >= WAITING_OF_HOUSEHOLD_MAX:
            detail = f"{WAITING_OF_HOUSEHOLD_MAX} devices wait already"
            raise RequestRefused(Problem.TOO_MANY_REQUESTS, detail)
        with self._database.writing() as connection:
            _, request_id = new_request(
                connection,
                idgrid=idgrid,
                purpose=DEVICE,
                fingerprint=fingerprint,
                request_pem=request_pem,
                label=label,
                now_ms=now_ms,
            )
            self._log.add(
                connection,
                actor=idgrid,
                action="key requested",
                idgrid=idgrid,
                detail=f"{DEVICE} {fingerprint}",
            )
        return AskingDevice(request_id, fingerprint, comparison_code(fingerprint), label, now_ms)

    def asking(self, idgrid: str) -> list[AskingDevice]:
        """Devices of a household that wait and whose keys the ledger does not name yet."""
        participant = self._community.participant(idgrid)
        named = participant.signers if participant is not None else {}
        wanted = select(
            KeyRequestRow.request_id,
            KeyRequestRow.fingerprint,
            KeyRequestRow.label,
            KeyRequestRow.created_ms,
        ).where(
            KeyRequestRow.idgrid == idgrid,
            KeyRequestRow.purpose == DEVICE,
            KeyRequestRow.state == "waiting",
        )
        with self._database.reading() as connection:
            rows = connection.execute(wanted.order_by(KeyRequestRow.created_ms)).all()
        return [
            AskingDevice(
                row.request_id,
                row.fingerprint,
                comparison_code(row.fingerprint),
                row.label,
                row.created_ms,
            )
            for row in rows
            if row.fingerprint not in named
        ]

    def refuse(self, idgrid: str, request_id: str) -> None:
        """Another device of the household does not know the new one."""
        refused = update(KeyRequestRow).where(
            KeyRequestRow.request_id == request_id,
            KeyRequestRow.idgrid == idgrid,
            KeyRequestRow.purpose == DEVICE,
            KeyRequestRow.state == "waiting",
        )
        with self._database.writing() as connection:
            if connection.execute(refused.values(state="refused")).rowcount != 1:
                raise RequestRefused(Problem.NOT_FOUND, "there is no such request")
            self._log.add(connection, actor=idgrid, action="key refused", idgrid=idgrid)

    def certificate(self, idgrid: str, request_pem: str) -> Certified:
        """The certificate of a key that the ledger names for the household; else CONFLICT."""
        certified = certify(self._community, self._issuer, idgrid, request_pem)
        fingerprint = fingerprint_of_request(request_pem)
        done = update(KeyRequestRow).where(
            KeyRequestRow.fingerprint == fingerprint, KeyRequestRow.idgrid == idgrid
        )
        with self._database.writing() as connection:
            connection.execute(
                done.values(state="collected", certificate_pem=certified.certificate_pem)
            )
            self._log.add(
                connection,
                actor=idgrid,
                action="certificate issued",
                idgrid=idgrid,
                detail=fingerprint,
            )
        return certified

    def is_device(self, idgrid: str, fingerprint: str) -> bool:
        """Whether the ledger names this key as a device's, and not as an agent's."""
        participant = self._community.participant(idgrid)
        signer = participant.signer(fingerprint) if participant is not None else None
        return signer is not None and signer.kind == DEVICE_KEY

    def _labels(self, idgrid: str) -> dict[str, str]:
        wanted = select(KeyRequestRow.fingerprint, KeyRequestRow.label)
        with self._database.reading() as connection:
            rows = connection.execute(wanted.where(KeyRequestRow.idgrid == idgrid))
            return {row.fingerprint: row.label for row in rows}

    def _named(self, participant: Participant, fingerprint: str, label: str) -> NamedKey:
        signer = participant.signer(fingerprint)
        assert signer is not None, "it was taken from the record"
        now_ms = self._clock_ms()
        state = "ended" if signer.has_ended(now_ms) else "waiting"
        return NamedKey(
            fingerprint=fingerprint,
            kind=signer.kind,
            state="active" if signer.is_active(now_ms) else state,
            added_ms=signer.added_ms,
            from_ms=signer.from_ms,
            until_ms=signer.until_ms,
            label=label,
            limits=signer.limits,
        )
