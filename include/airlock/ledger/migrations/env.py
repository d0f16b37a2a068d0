"""Alembic environment of the ledger. It takes its engine from :func:`airlock.database.upgrade`."""

from airlock.database import migrate
from airlock.ledger.models import Base
from alembic import context

migrate(context, Base.metadata, "ledger_version")
