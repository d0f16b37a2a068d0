"""Alembic environment of the ledger. It takes its engine from :func:`airlock.database.upgrade`."""

from alembic import context

from airlock.database import migrate
from airlock.ledger.models import Base

migrate(context, Base.metadata, "ledger_version")
