"""Makes or migrates Airlock's databases once, in the process that tasks are forked from."""

from __future__ import annotations

import logging

from sqlalchemy.exc import SQLAlchemyError

from airlock.database import connect
from airlock.errors import AirlockError
from airlock.identity.store import prepare_store
from airlock.ledger.rehearsal import rehearse
from airlock.settings import load_settings
from airlock.transfer import prepare_ledger

log = logging.getLogger(__name__)


def prepare_databases() -> None:
    """Prepare the ledger and the identity store. What can't be used now is left to the tasks: they try again."""
    try:
        settings = load_settings()
        prepare_ledger(settings)
        prepare_store(settings)
        rehearse(settings.ledger)
        for url in (settings.ledger, settings.identity):
            connect(url).dispose()
    except (AirlockError, SQLAlchemyError) as error:
        log.warning("The databases are not prepared (%s); each task tries again", type(error).__name__)
