"""Header rules: what the header says about text in the pixels.

They only add suspicion. No header switches the examination of pixels off: BurnedInAnnotation=NO is wrong often.
"""

from __future__ import annotations

from typing import Any

from pydicom import Dataset

SECONDARY_CAPTURES = (
    "1.2.840.10008.5.1.4.1.1.7",  # Secondary Capture, and below it its multi-frame kinds (PS3.4 annex B.5)
)
ULTRASOUND = (
    "1.2.840.10008.5.1.4.1.1.3.1",
    "1.2.840.10008.5.1.4.1.1.6.1",
    "1.2.840.10008.5.1.4.1.1.6.2",
)
TEXT_MODALITIES = {"US", "IVUS", "ES", "XC", "GM", "OT", "DOC", "ECG", "BMD", "OP", "OPT", "SC"}
"""Modalities that write into their pictures, and those that stand for anything scanned or photographed."""

DECLARED = "BurnedInAnnotation"
"""The reason that stands for the header's own word that there is text."""


def suspicions(header: Dataset) -> list[str]:
    """Return the names of the rules that make an instance suspicious.

    :param header: the instance's data set; its pixels are not needed.
    """
    reasons = []
    if str(header.get("BurnedInAnnotation", "")).strip().upper() == "YES":
        reasons.append(DECLARED)
    image_type = [str(value).upper() for value in _values(header.get("ImageType"))]
    if any("SAVE" in value or "SCREEN" in value or "CAPTURE" in value for value in image_type):
        reasons.append("ImageType")
    if image_type[:2] == ["DERIVED", "SECONDARY"]:
        reasons.append("DerivedSecondary")
    sop_class = str(header.get("SOPClassUID", ""))
    if any(sop_class == uid or sop_class.startswith(uid + ".") for uid in SECONDARY_CAPTURES):
        reasons.append("SecondaryCapture")
    if sop_class in ULTRASOUND:
        reasons.append("Ultrasound")
    if str(header.get("Modality", "")).upper() in TEXT_MODALITIES:
        reasons.append("Modality")
    if any(header.get(name) for name in ("SecondaryCaptureDeviceManufacturer", "ConversionType")):
        reasons.append("SecondaryCaptureDevice")
    return reasons


def _values(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, (list, tuple)) or hasattr(value, "append") else [value]
