"""Patients, their studies, accession numbers and UIDs; counters and generations of the key."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def _patient() -> sa.ForeignKey:
    return sa.ForeignKey("patients.id", ondelete="CASCADE")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "patients",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("project", sa.String(64), nullable=False),
        sa.Column("patient_id", sa.Text, nullable=False),
        sa.Column("issuer", sa.Text, nullable=False),
        sa.Column("study_uid", sa.Text, nullable=False),
        sa.Column("name", sa.Text),
        sa.Column("subject", sa.String(64), nullable=False),
        sa.Column("offset_days", sa.Integer, nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("source", sa.String(32), nullable=False),
        sa.Column("made_at", sa.DateTime, nullable=False),
        sa.UniqueConstraint("project", "patient_id", "issuer", "study_uid", name="uq_patients_original"),
        sa.UniqueConstraint("project", "subject", name="uq_patients_subject"),
    )
    op.create_table(
        "aliases",
        sa.Column("project", sa.String(64), primary_key=True),
        sa.Column("subject", sa.String(64), primary_key=True),
        sa.Column("patient", sa.Integer, _patient(), nullable=False, index=True),
    )
    op.create_table(
        "studies",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("project", sa.String(64), nullable=False),
        sa.Column("study_uid", sa.Text, nullable=False),
        sa.Column("patient", sa.Integer, _patient(), nullable=False, index=True),
        sa.Column("offset_days", sa.Integer),
        sa.Column("study_date", sa.String(8)),
        sa.Column("accession", sa.Text),
        sa.Column("series", sa.Integer),
        sa.Column("instances", sa.Integer),
        sa.UniqueConstraint("project", "study_uid", name="uq_studies_original"),
    )
    op.create_table(
        "accessions",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("project", sa.String(64), nullable=False),
        sa.Column("patient", sa.Integer, _patient(), nullable=False, index=True),
        sa.Column("accession", sa.Text, nullable=False),
        sa.Column("pseudonym", sa.String(16), nullable=False),
        sa.UniqueConstraint("project", "patient", "accession", name="uq_accessions_original"),
        sa.UniqueConstraint("project", "pseudonym", name="uq_accessions_pseudonym"),
    )
    op.create_table(
        "uids",
        sa.Column("project", sa.String(64), primary_key=True),
        sa.Column("uid", sa.Text, primary_key=True),
        sa.Column("new_uid", sa.String(64), nullable=False),
        sa.Column("patient", sa.Integer, _patient(), index=True),
        sa.UniqueConstraint("project", "new_uid", name="uq_uids_new"),
    )
    op.create_table(
        "counters",
        sa.Column("project", sa.String(64), primary_key=True),
        sa.Column("name", sa.String(32), primary_key=True),
        sa.Column("value", sa.Integer, nullable=False),
    )
    op.create_table(
        "key_generations",
        sa.Column("generation", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("made_at", sa.DateTime, nullable=False),
    )


def downgrade() -> None:
    """Drop the tables."""
    for table in ("key_generations", "counters", "uids", "accessions", "studies", "aliases", "patients"):
        op.drop_table(table)
