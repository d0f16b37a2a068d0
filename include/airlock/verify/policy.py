"""What a project's own rules allow beyond table E.1-1: the one place of verification that reads them."""

from __future__ import annotations

from airlock.project import DeidentifyPolicy
from airlock.verify.compare import Private
from airlock.verify.table import Override


def override_of(_policy: DeidentifyPolicy) -> Override | None:
    """Return what the project's rules allow for single attributes; None when it has none of its own."""
    return None


def private_of(_policy: DeidentifyPolicy) -> Private | None:
    """Return which private elements the project keeps; None when it keeps none."""
    return None
