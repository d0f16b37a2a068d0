"""What became of each instance at each destination."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the table, with what is known of one destination whose name nobody noted."""
    op.create_table(
        "deliveries",
        sa.Column("transfer_id", sa.String(64), primary_key=True),
        sa.Column("instance_id", sa.String(64), primary_key=True),
        sa.Column("destination", sa.String(250), primary_key=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("status", sa.Integer),
        sa.ForeignKeyConstraint(
            ["transfer_id", "instance_id"], ["instances.transfer_id", "instances.id"], ondelete="CASCADE"
        ),
    )
    op.create_index("ix_deliveries_destination", "deliveries", ["transfer_id", "destination", "state"])
    # What was held open when a transfer ended goes on from the state that it had.
    op.execute(
        "INSERT INTO deliveries (transfer_id, instance_id, destination, state, reason, status) "
        "SELECT transfer_id, id, '', COALESCE(resume_state, state), "
        "CASE WHEN resume_state IS NULL THEN reason ELSE '' END, status FROM instances "
        "WHERE COALESCE(resume_state, state) IN ('acknowledged', 'sent') OR status IS NOT NULL "
        "OR reason LIKE 'refused by the destination%'"
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("deliveries")
