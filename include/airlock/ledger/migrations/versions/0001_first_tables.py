"""Transfers, instances and events."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "transfers",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("run_id", sa.String(250)),
        sa.Column("project", sa.String(64)),
        sa.Column("policy_digest", sa.String(64)),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("expected", sa.Integer),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("arrived_at", sa.DateTime, nullable=False, index=True),
        sa.Column("started_at", sa.DateTime),
        sa.Column("finished_at", sa.DateTime),
    )
    op.create_table(
        "instances",
        sa.Column("transfer_id", sa.String(64), sa.ForeignKey("transfers.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("size", sa.BigInteger),
        sa.Column("digest", sa.String(64)),
        sa.Column("sop_class_uid", sa.String(64)),
        sa.Column("sop_instance_uid", sa.String(64)),
        sa.Column("path", sa.Text),
        sa.Column("boxes", sa.Integer, nullable=False),
        sa.Column("status", sa.Integer),
        sa.Column("resume_state", sa.String(16)),
    )
    op.create_index("ix_instances_transfer_state", "instances", ["transfer_id", "state"])
    op.create_table(
        "events",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column(
            "transfer_id", sa.String(64), sa.ForeignKey("transfers.id", ondelete="CASCADE"), nullable=False, index=True
        ),
        sa.Column("at", sa.DateTime, nullable=False),
        sa.Column("step", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("detail", sa.JSON, nullable=False),
    )


def downgrade() -> None:
    """Drop the tables."""
    for table in ("events", "instances", "transfers"):
        op.drop_table(table)
