"""Tables of notices: the gateway's own, to be backed up. No address of anybody is in them."""

from sqlalchemy.orm import Mapped, mapped_column

from gateway.database import Base


class NoticeProgressRow(Base):
    """One row: what was turned into notices. Whoever does so holds this row's lock."""

    __tablename__ = "notices_progress"

    id: Mapped[int] = mapped_column(primary_key=True)
    block_number: Mapped[int]
    tx_index: Mapped[int]
    alarm_number: Mapped[int]


class StandingAlarmRow(Base):
    """An alarm that was told when it was raised; its end is told when it comes."""

    __tablename__ = "notices_standing_alarms"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)


class RecoveryRow(Base):
    """A recovery that was told when it began; told again when its key acts."""

    __tablename__ = "notices_recoveries"

    idgrid: Mapped[str] = mapped_column(primary_key=True)
    key_fingerprint: Mapped[str] = mapped_column(primary_key=True)
    block_number: Mapped[int]
    """Of the transaction that began it."""
    tx_index: Mapped[int]
    from_ms: Mapped[int]


class NoticeRow(Base):
    """A notice in its household's inbox."""

    __tablename__ = "notices_inbox"

    idgrid: Mapped[str] = mapped_column(primary_key=True)
    block_number: Mapped[int] = mapped_column(primary_key=True)
    tx_index: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    facts: Mapped[str]
    """A JSON object."""
    created_ms: Mapped[int] = mapped_column(index=True)


class OutboxRow(Base):
    """A notice to be sent through a channel, until it is sent or given up."""

    __tablename__ = "notices_outbox"

    channel: Mapped[str] = mapped_column(primary_key=True)
    target: Mapped[str] = mapped_column(primary_key=True)
    """Which of the household's addresses in this channel; empty where there can be only one."""
    idgrid: Mapped[str] = mapped_column(primary_key=True)
    block_number: Mapped[int] = mapped_column(primary_key=True)
    tx_index: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    facts: Mapped[str]
    created_ms: Mapped[int] = mapped_column(index=True)
    state: Mapped[str]
    """`waiting`, `sent` or `given_up`."""
    attempts: Mapped[int]
    due_ms: Mapped[int] = mapped_column(index=True)
    """When it is tried (again); pushed on when somebody takes it."""
    failure: Mapped[str]
    """Why the last attempt failed."""


class NoticeChoiceRow(Base):
    """A kind a household wants, or does not want, through a channel."""

    __tablename__ = "notices_choices"

    idgrid: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    channel: Mapped[str] = mapped_column(primary_key=True)
    is_wanted: Mapped[bool]


class WebhookRow(Base):
    """An address that a household's notices are posted to. Its secret is not in the database."""

    __tablename__ = "notices_webhooks"

    webhook_id: Mapped[str] = mapped_column(primary_key=True)
    idgrid: Mapped[str] = mapped_column(index=True)
    url: Mapped[str]
    created_ms: Mapped[int]
    key_fingerprint: Mapped[str]
    """Of the key that opened the session in which it was named; empty for other sessions."""


class PushDeviceRow(Base):
    """A browser that is told of its household's notices by Web Push."""

    __tablename__ = "notices_push_devices"

    push_id: Mapped[str] = mapped_column(primary_key=True)
    idgrid: Mapped[str] = mapped_column(index=True)
    endpoint: Mapped[str]
    public_key: Mapped[bytes]
    auth: Mapped[bytes]
    label: Mapped[str]
    created_ms: Mapped[int]
    key_fingerprint: Mapped[str]
    """As of a webhook."""


class NoticeLanguageRow(Base):
    """The language of what is sent to a household."""

    __tablename__ = "notices_languages"

    idgrid: Mapped[str] = mapped_column(primary_key=True)
    language: Mapped[str]
