"""By how many days the dates of a study move."""

from __future__ import annotations

from airlock.errors import RefusedError
from airlock.identity.dates import offset_days
from airlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from airlock.deid.policy import Policy
    from airlock.identity.keys import KeyRing


def date_offset(
    keys: KeyRing, project: str, policy: Policy, patient: str, study_uid: str, requested: int | None = None
) -> int:
    """Return the offset in days: the one that was asked for, else a keyed one of the patient or of the study.

    :param patient: what tells the patient from others, see :func:`airlock.identity.dates.patient_key`.
    :param requested: what the request asks for.
    :raises RefusedError: when an offset is asked for and the project's dates do not move.
    """
    check_offset(policy, requested)
    if requested is not None:
        return requested
    subject = patient if policy.shift_by == "patient" else f"{patient}\0{study_uid}"
    return offset_days(keys, project, subject, policy.max_shift_days)


def check_offset(policy: Policy, requested: int | None) -> None:
    """Check that dates move where a request says by how many days.

    :raises RefusedError: when they do not.
    """
    if requested is not None and "retain_longitudinal_modified_dates" not in policy.options:
        raise RefusedError(
            "The request says by how many days dates move, but its project's dates do not move. Leave out "
            "`date_offset_days`, or add the option retain_longitudinal_modified_dates to the project's policy."
        )
