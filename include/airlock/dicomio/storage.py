"""Which SOP classes are storage classes (PS3.4 annex B.5)."""

from __future__ import annotations

from pydicom._uid_dict import UID_dictionary
from pydicom.uid import UID


def is_storage_class(uid: str) -> bool:
    """Whether a UID is a standard storage SOP class, current or retired. Private ones are not."""
    if uid not in UID_dictionary:
        return False
    known = UID(uid)
    return known.type == "SOP Class" and "Storage" in known.name and not known.name.startswith(_NOT_INSTANCES)


_NOT_INSTANCES = ("Media Storage Directory", "Storage Commitment", "Storage Service")
