"""Alembic environment of the identity store. It takes its engine from :func:`airlock.database.upgrade`."""

from alembic import context

from airlock.database import migrate
from airlock.identity.models import Base

migrate(context, Base.metadata, "identity_version")
