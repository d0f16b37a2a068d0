"""Acts: what people did outside of any transfer, such as exporting identities. Who, when and how many; no values."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import JSON, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from airlock.database import connect
from airlock.ledger.models import Base

Detail = dict[str, int | str]


class ActRow(Base):
    """Something a person did."""

    __tablename__ = "acts"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(String(64))
    kind: Mapped[str] = mapped_column(String(64))
    project: Mapped[str | None] = mapped_column(String(64))
    detail: Mapped[Detail] = mapped_column(JSON)


@dataclass(frozen=True)
class Act:
    """Something a person did.

    :param actor: name of the account.
    """

    at: datetime
    actor: str
    kind: str
    project: str | None
    detail: Detail


class Acts:
    """The acts in a ledger database whose tables exist."""

    def __init__(self, url: str) -> None:
        self._engine = connect(url)

    def record(self, actor: str, kind: str, project: str | None = None, **detail: int | str) -> None:
        """Note an act. `detail` holds counts and words of the program only."""
        with Session(self._engine) as session, session.begin():
            session.add(ActRow(at=datetime.now(UTC), actor=actor, kind=kind, project=project, detail=detail))

    @contextmanager
    def doing(self, actor: str, kind: str, project: str | None = None) -> Iterator[Detail]:
        """Note an act before and after it is done; it is not begun when it cannot be noted.

        Yield what to note at its end.
        """
        self.record(actor, f"{kind} begun", project)
        detail: Detail = {}
        try:
            yield detail
        except BaseException as error:
            self.record(actor, f"{kind} failed", project, error=type(error).__name__)
            raise
        self.record(actor, kind, project, **detail)

    def all(self) -> list[Act]:
        """Return every act, oldest first."""
        with Session(self._engine) as session, session.begin():
            rows = session.scalars(select(ActRow).order_by(ActRow.id))
            return [Act(row.at, row.actor, row.kind, row.project, row.detail) for row in rows]
