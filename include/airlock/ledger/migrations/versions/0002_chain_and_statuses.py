"""Chained events, and the outbox of statuses."""

import sqlalchemy as sa
from alembic import op

from airlock.ledger.chain import link
from airlock.ledger.models import UtcDateTime

revision = "0002"
down_revision = "0001"

_EVENTS = sa.table(
    "events",
    sa.column("id", sa.Integer),
    sa.column("transfer_id", sa.String),
    sa.column("at", UtcDateTime),
    sa.column("step", sa.String),
    sa.column("kind", sa.String),
    sa.column("detail", sa.JSON),
    sa.column("digest", sa.String),
)
_TRANSFERS = sa.table("transfers", sa.column("id"), sa.column("chain_length"), sa.column("chain_head"))


def upgrade() -> None:
    """Add the columns, chain the events that are there, and make the table of statuses."""
    op.add_column("transfers", sa.Column("chain_length", sa.Integer, nullable=False, server_default="0"))
    op.add_column("transfers", sa.Column("chain_head", sa.String(64), nullable=False, server_default=""))
    op.add_column("events", sa.Column("digest", sa.String(64), nullable=False, server_default=""))
    op.create_table(
        "statuses",
        sa.Column("transfer_id", sa.String(64), sa.ForeignKey("transfers.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("outcome", sa.JSON, nullable=False),
        sa.Column("decided_at", sa.DateTime, nullable=False),
        sa.Column("delivered_at", sa.DateTime, index=True),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_at", sa.DateTime, nullable=False),
        sa.Column("problem", sa.Text, nullable=False),
    )
    _chain(op.get_bind())


def _chain(connection: sa.Connection) -> None:
    heads: dict[str, tuple[int, str]] = {}
    for row in connection.execute(sa.select(_EVENTS).order_by(_EVENTS.c.id)).all():
        length, head = heads.get(row.transfer_id, (0, ""))
        digest = link(head, row.transfer_id, row.at, row.step, row.kind, row.detail)
        heads[row.transfer_id] = (length + 1, digest)
        connection.execute(_EVENTS.update().where(_EVENTS.c.id == row.id).values(digest=digest))
    for transfer_id, (length, head) in heads.items():
        values = {"chain_length": length, "chain_head": head}
        connection.execute(_TRANSFERS.update().where(_TRANSFERS.c.id == transfer_id).values(**values))


def downgrade() -> None:
    """Drop what was added."""
    op.drop_table("statuses")
    op.drop_column("events", "digest")
    for column in ("chain_head", "chain_length"):
        op.drop_column("transfers", column)
