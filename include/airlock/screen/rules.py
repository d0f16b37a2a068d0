"""Rules that say whether an instance goes on, is skipped, or is held."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from airlock.dicomio.header import DICOMDIR, Category, Header, UnreadableInstance
from airlock.dicomio.storage import is_storage_class
from airlock.ledger import InstanceState
from airlock.screen import heuristics
from airlock.screen.values import Values
from airlock.selection import ScreenPolicy, tag_of

PRESENTATION_STATE = "presentation state (policy)"
SECONDARY_CAPTURE = "secondary capture (policy)"

_PRESENTATION_STATES = "1.2.840.10008.5.1.4.1.1.11."
_SECONDARY_CAPTURES = "1.2.840.10008.5.1.4.1.1.7"
_ENCAPSULATED = "1.2.840.10008.5.1.4.1.1.104."
# PS3.3 section C.8.6.1, without DI: modalities write it into images of their own.
_CONVERSIONS = frozenset(("DV", "DF", "WSD", "SD", "SI", "DRW", "SYN"))
_CAPTURE_WORDS = ("SAVE", "SCREEN", "CAPTURE")
_STATES = {"skip": InstanceState.SKIPPED, "hold": InstanceState.HELD}


@dataclass(frozen=True)
class Verdict:
    """What a rule of the project says of an instance.

    :param rule: its name, under which it is counted.
    :param category: put before the name of one that holds, for the quarantine.
    """

    rule: str
    state: InstanceState = InstanceState.SKIPPED
    category: Category | None = None

    @property
    def reason(self) -> str:
        """What the ledger says."""
        held = self.state is InstanceState.HELD and self.category is not None
        return f"{self.category}: {self.rule}" if held else self.rule


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


def check_class(header: Header) -> None:
    """Check that an instance is of a storage SOP class.

    :raises UnreadableInstance: when it is private, or none.
    """
    if not is_storage_class(header["sop_class_uid"]):
        raise UnreadableInstance(Category.INVALID_STORAGE_CLASS, "private, or not a storage SOP class")


class Selection:
    """The rules of a project.

    :param policy: its `screen` section.
    """

    def __init__(self, policy: ScreenPolicy) -> None:
        self._policy = policy
        self._exclusions = [(e.tag, tag_of(e.tag), re.compile(e.pattern)) for e in policy.rewrite_exclusions]
        self.tags = heuristics.TAGS | {tag for _, tag, _ in self._exclusions}

    def judge(self, header: Header, values: Values, types: Collection[str] = ()) -> Verdict | None:
        """Return what the first rule that fits says; None when the instance goes on.

        :param types: classification types of its series.
        """
        return self._unwanted(header, types) or self._suspicious(header, values) or self._not_listed(header)

    def skip_reason(self, header: Header) -> str | None:
        """Return why the project doesn't want an object of this kind, or None."""
        if self._policy.remove_presentation_states and is_presentation_state(header):
            return PRESENTATION_STATE
        if self._policy.remove_secondary_captures and is_secondary_capture(header):
            return SECONDARY_CAPTURE
        return None

    def _unwanted(self, header: Header, types: Collection[str]) -> Verdict | None:
        if reason := self.skip_reason(header):
            return Verdict(reason)
        # What holds goes before what skips: a person then sees the instance.
        for outcome in ("hold", "skip"):
            for name, said in self._policy.classified.items():
                if said == outcome and name in types:
                    return Verdict(f"classified {name} (policy)", _STATES[said], Category.CLASSIFIED)
        captured = [name for name in self._policy.capture_types if name in types]
        if self._policy.remove_secondary_captures and captured:
            return Verdict(SECONDARY_CAPTURE)
        return None

    def _suspicious(self, header: Header, values: Values) -> Verdict | None:
        policy = self._policy
        if policy.vendor_reports != "keep" and (kind := heuristics.vendor_report(header, values)):
            return Verdict(f"{kind} (policy)", _STATES[policy.vendor_reports], Category.VENDOR_REPORT)
        if policy.suspicious != "keep" and (kind := heuristics.suspicion(header, values)):
            return Verdict(f"{kind} (policy)", _STATES[policy.suspicious], Category.SUSPICIOUS)
        return None

    def _not_listed(self, header: Header) -> Verdict | None:
        policy = self._policy
        if policy.modalities and header["modality"] not in policy.modalities:
            return Verdict("modality not allowed (policy)", _STATES[policy.others], Category.NOT_ALLOWED)
        if policy.sop_classes and header["sop_class_uid"] not in policy.sop_classes:
            return Verdict("SOP class not allowed (policy)", _STATES[policy.others], Category.NOT_ALLOWED)
        return None

    def exclusion(self, values: Values) -> str | None:
        """Return the rule by which the pixels of an instance are not rewritten, or None."""
        for name, tag, pattern in self._exclusions:
            if any(pattern.match(text) for text in values.texts(tag)):
                return f"pixels not rewritten by {name} (policy)"
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
