"""Webhooks: addresses of households that are posted their notices, and the secrets that sign them.

A webhook's secret is derived from the gateway's own, so that no copy of the database can sign.
"""

import base64
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select

from gateway.database import Database
from gateway.errors import Problem, RequestRefused
from gateway.notices.outside_http import AddressRefused, Reach
from gateway.notices.records import Channel
from gateway.notices.tables import OutboxRow, WebhookRow

WEBHOOKS_PER_HOUSEHOLD_MAX = 5
ID_BYTES = 8
MASTER_BYTES = 32
SECRET_PREFIX = "whsec_"  # noqa: S105 - how Standard Webhooks marks a secret
_DERIVED_FOR = b"gridledger-webhook-1|"


@dataclass(frozen=True, slots=True)
class Webhook:
    """An address, and how the newest notice to it fared: empty if there was none yet."""

    webhook_id: str
    url: str
    created_ms: int
    last_state: str = ""
    last_failure: str = ""


@dataclass(frozen=True, slots=True)
class Webhooks:
    """All households' webhooks. Calls block."""

    database: Database
    clock_ms: Callable[[], int]
    reach: Reach
    master: bytes = field(repr=False)

    def add(self, idgrid: str, url: str, *, key_fingerprint: str = "") -> tuple[str, Webhook]:
        """A new webhook and the text of its secret, which is not shown again.

        It ends with the key that opened the session, a new password, a recovery.
        `INVALID` for an address that this gateway does not call, `CONFLICT` for one too many.
        """
        try:
            self.reach.check(url)
        except AddressRefused as refused:
            raise RequestRefused(Problem.INVALID, str(refused)) from refused
        webhook = Webhook(secrets.token_hex(ID_BYTES), url, self.clock_ms())
        owned = select(func.count()).where(WebhookRow.idgrid == idgrid)
        values = {
            "webhook_id": webhook.webhook_id,
            "idgrid": idgrid,
            "url": url,
            "created_ms": webhook.created_ms,
            "key_fingerprint": key_fingerprint,
        }
        with self.database.writing() as connection:
            if connection.execute(owned).scalar_one() >= WEBHOOKS_PER_HOUSEHOLD_MAX:
                detail = f"there are {WEBHOOKS_PER_HOUSEHOLD_MAX} webhooks; remove one first"
                raise RequestRefused(Problem.CONFLICT, detail)
            connection.execute(insert(WebhookRow), values)
        secret = base64.b64encode(self.secret(webhook.webhook_id)).decode("ascii")
        return SECRET_PREFIX + secret, webhook

    def secret(self, webhook_id: str) -> bytes:
        """What signs for this webhook."""
        return hmac.digest(self.master, _DERIVED_FOR + webhook_id.encode(), "sha256")

    def of(self, idgrid: str) -> list[Webhook]:
        """A household's webhooks, the oldest first."""
        wanted = (
            select(WebhookRow)
            .where(WebhookRow.idgrid == idgrid)
            .order_by(WebhookRow.created_ms, WebhookRow.webhook_id)
        )
        with self.database.reading() as connection:
            return [_webhook(connection, row) for row in connection.execute(wanted).all()]

    def url(self, webhook_id: str) -> str | None:
        """Where it posts to; None once it is removed."""
        wanted = select(WebhookRow.url).where(WebhookRow.webhook_id == webhook_id)
        with self.database.reading() as connection:
            return connection.execute(wanted).scalar_one_or_none()

    def remove(self, webhook_id: str, idgrid: str | None = None) -> None:
        """End a webhook with what waits for it.

        `NOT_FOUND` if this household has none of that id; None for `idgrid` is the gateway itself.
        """
        gone = delete(WebhookRow).where(WebhookRow.webhook_id == webhook_id)
        with self.database.writing() as connection:
            if idgrid is not None:
                gone = gone.where(WebhookRow.idgrid == idgrid)
            if connection.execute(gone).rowcount == 0 and idgrid is not None:
                raise RequestRefused(Problem.NOT_FOUND, f"there is no webhook {webhook_id}")
            waiting = delete(OutboxRow).where(
                OutboxRow.channel == Channel.WEBHOOK.value, OutboxRow.target == webhook_id
            )
            connection.execute(waiting)


def _webhook(connection: Connection, row: Any) -> Webhook:
    newest = (
        select(OutboxRow.state, OutboxRow.failure)
        .where(OutboxRow.channel == Channel.WEBHOOK.value, OutboxRow.target == row.webhook_id)
        .order_by(OutboxRow.created_ms.desc(), OutboxRow.block_number.desc())
        .limit(1)
    )
    state, failure = connection.execute(newest).one_or_none() or ("", "")
    return Webhook(row.webhook_id, row.url, row.created_ms, state, failure)
