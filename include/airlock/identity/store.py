"""IdentityStore: the database of who became whom, apart from every other one.

It holds originals. So its errors lose their text, which would quote them, and a default SQLite file is its owner's
alone. Inserts never rely on an error of the database: PostgreSQL would write the values into its own log.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import func, make_url, select
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.orm import Session

from airlock.database import connect, upgrade
from airlock.errors import AirlockError, PeerUnavailable, PolicyError, RetryableError
from airlock.identity.keys import KeyRing
from airlock.identity.models import AccessionRow, KeyRow, PatientRow, StudyRow, UidRow
from airlock.settings import Settings

_upgraded: set[str] = set()


class IdentityStore:
    """The identity store.

    :param url: SQLAlchemy URL, SQLite or PostgreSQL; the tables exist.
    """

    def __init__(self, url: str) -> None:
        self._engine = connect(url)

    def __repr__(self) -> str:
        return "<IdentityStore>"

    @contextmanager
    def transaction(self, project: str = "", *, dry_run: bool = False) -> Iterator[Session]:
        """Yield a session whose changes are kept at the end, or none of them when an error comes up.

        :param project: only one transaction of a project is at work at a time, on every machine. What two workers
            decide about the same patient, they decide one after the other.
        :param dry_run: keep nothing.
        :raises PeerUnavailable: when the database cannot be used.
        """
        with unavailable(), Session(self._engine) as session:
            if self._engine.dialect.name == "postgresql":
                session.execute(select(func.pg_advisory_xact_lock(_lock_number(project))))
            yield session
            session.flush()
            if dry_run:
                session.rollback()
            else:
                session.commit()

    def check_keys(self, keys: KeyRing) -> None:
        """Make sure that these are the keys the identities were made with; note a generation that follows them.

        :raises PolicyError: when they are not, or when the store is not the one that belongs to the keys.
        :raises RetryableError: when later generations are missing.
        """
        with self.transaction("keys") as session:
            noted = list(session.scalars(select(KeyRow.fingerprint).order_by(KeyRow.generation)))
            have = list(keys.fingerprints)
            if have == noted[: len(have)] and len(have) < len(noted):
                raise RetryableError(
                    f"The identity store knows {len(noted)} generations of the deployment key, and {len(have)} are "
                    "here. It is tried again, as the key may just have been rotated; if it stays, restore the newest "
                    "key file from your backup."
                )
            if noted != have[: len(noted)]:
                raise PolicyError(
                    "The identity store was made with another deployment key. Restore the key file that belongs to "
                    "the store: with this one, known patients would get second identities."
                )
            if not noted and len(have) > 1:
                raise PolicyError(
                    "The deployment key was rotated, and the identity store knows nothing of it: it is empty or "
                    "another one. Restore the store from its backup, or correct AIRLOCK_IDENTITY_URL."
                )
            for number in range(len(noted) + 1, len(have) + 1):
                session.add(KeyRow(generation=number, fingerprint=have[number - 1], made_at=datetime.now(UTC)))

    def counts(self) -> dict[str, dict[str, int]]:
        """Return how many patients, studies, accession numbers and UIDs each project has."""
        columns = {
            "patients": PatientRow.project,
            "studies": StudyRow.project,
            "accessions": AccessionRow.project,
            "uids": UidRow.project,
        }
        found: dict[str, dict[str, int]] = {}
        with self.transaction() as session:
            for name, column in columns.items():
                for project, count in session.execute(select(column, func.count()).group_by(column)):
                    found.setdefault(project, dict.fromkeys(columns, 0))[name] = count
        return dict(sorted(found.items()))

    def generations(self) -> list[tuple[int, datetime, int]]:
        """Return each generation of the key: its number, when it was first used, and how many patients it has."""
        with self.transaction() as session:
            query = select(PatientRow.generation, func.count()).group_by(PatientRow.generation)
            patients = dict(session.execute(query).all())
            rows = session.scalars(select(KeyRow).order_by(KeyRow.generation))
            return [(row.generation, row.made_at, patients.get(row.generation, 0)) for row in rows]


def open_store(settings: Settings, keys: KeyRing) -> IdentityStore:
    """Return the identity store, making or migrating its tables when this process opens it first.

    :raises PolicyError: when its file can be read by others, or it was made with another key.
    :raises PeerUnavailable: when the database cannot be used.
    """
    prepare_store(settings)
    store = IdentityStore(settings.identity)
    store.check_keys(keys)
    return store


def prepare_store(settings: Settings) -> None:
    """Make or migrate the identity store's tables, unless this process or the one it was forked from has done so.

    :raises PolicyError: when its file can be read by others.
    :raises PeerUnavailable: when the database cannot be used.
    """
    url = settings.identity
    if url not in _upgraded:
        _prepare(url)
        with unavailable():
            upgrade(url, "identity")
        _upgraded.add(url)


@contextmanager
def unavailable() -> Iterator[None]:
    """Replace what the database says by what to do."""
    try:
        yield
    except AirlockError:
        raise
    except SQLAlchemyError as error:
        raise PeerUnavailable(
            f"The identity store cannot be used ({type(error).__name__}). Nothing goes on without it; it is tried "
            "again. If it stays, look at the database and at AIRLOCK_IDENTITY_URL."
        ) from None


def _prepare(url: str) -> None:
    """Make a SQLite file for its owner alone, before SQLite would make it for everybody."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise PolicyError("AIRLOCK_IDENTITY_URL is not a database URL, such as postgresql+psycopg://...") from None
    backend = parsed.get_backend_name()
    if backend == "postgresql":
        return
    if backend != "sqlite" or not parsed.database or parsed.database == ":memory:":
        raise PolicyError("AIRLOCK_IDENTITY_URL must name a PostgreSQL database or a SQLite file.")
    path = Path(parsed.database)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise PolicyError(f"The identity store {path} cannot be opened: {error.strerror}.") from None
    if path.stat().st_mode & 0o077:
        raise PolicyError(f"The identity store {path} can be read by others. Run: chmod 600 {path}")


def _lock_number(project: str) -> int:
    digest = hashlib.sha256(b"airlock-identity\0" + project.encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)
