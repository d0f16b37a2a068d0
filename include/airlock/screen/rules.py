"""Rules that say whether an instance goes on, is skipped, or is held."""

from __future__ import annotations

from airlock.dicomio.header import DICOMDIR, Category, Header, UnreadableInstance
from airlock.dicomio.storage import is_storage_class
from airlock.project import ScreenPolicy

PRESENTATION_STATE = "presentation state (policy)"
SECONDARY_CAPTURE = "secondary capture (policy)"

_PRESENTATION_STATES = "1.2.840.10008.5.1.4.1.1.11."
_SECONDARY_CAPTURES = "1.2.840.10008.5.1.4.1.1.7"
_ENCAPSULATED = "1.2.840.10008.5.1.4.1.1.104."
# PS3.3 section C.8.6.1, without DI: modalities write it into images of their own.
_CONVERSIONS = frozenset(("DV", "DF", "WSD", "SD", "SI", "DRW", "SYN"))
_CAPTURE_WORDS = ("SAVE", "SCREEN", "CAPTURE")


def check(header: Header, study_uid: str) -> None:
    """Check that an instance is one that the request means.

    :param study_uid: StudyInstanceUID of the request.
    :raises UnreadableInstance: with the category under which it is held.
    """
    if header.media_sop_class_uid == DICOMDIR:
        raise UnreadableInstance(Category.INVALID_STORAGE_CLASS, "a DICOMDIR, not an instance")
    needed = ("sop_class_uid", "sop_instance_uid", "study_instance_uid", "series_instance_uid")
    missing = [name for name in needed if not header[name]]
    if missing:
        raise UnreadableInstance(Category.MISSING_ATTRIBUTES, ", ".join(missing))
    if header["study_instance_uid"] != study_uid:
        raise UnreadableInstance(Category.INVALID_DICOM, "it belongs to another study than the request's")
    if not is_storage_class(header["sop_class_uid"]):
        raise UnreadableInstance(Category.INVALID_STORAGE_CLASS, "private, or not a storage SOP class")


def skip_reason(header: Header, policy: ScreenPolicy) -> str | None:
    """Return why the project doesn't want an instance, or None."""
    if policy.remove_presentation_states and is_presentation_state(header):
        return PRESENTATION_STATE
    if policy.remove_secondary_captures and is_secondary_capture(header):
        return SECONDARY_CAPTURE
    return None


def is_presentation_state(header: Header) -> bool:
    """By SOP class (PS3.4 annex N), or by modality as private ones have it."""
    return header["sop_class_uid"].startswith(_PRESENTATION_STATES) or header["modality"] == "PR"


def is_secondary_capture(header: Header) -> bool:
    """By SOP class; in an image of another class by what says that it was converted or captured.

    ConversionType (PS3.3 section C.8.6.1) names a conversion, ImageType a screen save, or the modality is OT and the
    image is not an original one. Encapsulated documents are no captures.
    """
    sop_class = header["sop_class_uid"]
    if sop_class == _SECONDARY_CAPTURES or sop_class.startswith(f"{_SECONDARY_CAPTURES}."):
        return True
    if sop_class.startswith(_ENCAPSULATED):
        return False
    image_type = [value.strip() for value in header["image_type"].upper().split("\\")]
    return (
        header["conversion_type"] in _CONVERSIONS
        or any(word in value for value in image_type for word in _CAPTURE_WORDS)
        or (header["modality"] == "OT" and "SECONDARY" in image_type)
    )
