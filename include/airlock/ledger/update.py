"""InstanceUpdate: what is written of an instance, and what is read."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from airlock.ledger.models import InstanceState


@dataclass(frozen=True)
class InstanceUpdate:
    """What a step found out about one instance. `None` leaves a column as it is.

    :param id: pseudonymous instance id.
    :param reason: why it is skipped or held, free of patient data.
    :param path: file below the workspace, free of patient data.
    :param status: DIMSE status of the last C-STORE (PS3.7 annex C).
    """

    id: str
    state: InstanceState | None = None
    reason: str | None = None
    size: int | None = None
    digest: str | None = None
    sop_class_uid: str | None = None
    sop_instance_uid: str | None = None
    path: str | None = None
    boxes: int | None = None
    status: int | None = None

    def values(self) -> dict[str, Any]:
        """Columns to write."""
        return {f.name: v for f in fields(self) if f.name != "id" and (v := getattr(self, f.name)) is not None}
