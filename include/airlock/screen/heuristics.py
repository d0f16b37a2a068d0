"""What headers say about objects that projects seldom want: vendors' reports, and pictures that may show who it is."""

from __future__ import annotations

from airlock.dicomio.header import Header
from airlock.screen.values import Values

BURNED_IN, MANUFACTURER, MODEL, SERIES = 0x00280301, 0x00080070, 0x00081090, 0x0008103E
_CAPTURE_DEVICE = (0x00181010, 0x00181011, 0x00181016, 0x00181018, 0x00181019)
"""Secondary capture device: id, hardcopy device, manufacturer, model, software (PS3.3 section C.8.6.1)."""

TAGS = frozenset((0x00080005, BURNED_IN, MANUFACTURER, MODEL, SERIES, *_CAPTURE_DEVICE))
"""What must be read for these rules."""

_SIEMENS_NON_IMAGE = "1.3.12.2.1107.5.9.1"
_DOSE_REPORTS = frozenset(("1.2.840.10008.5.1.4.1.1.88.67", "1.2.840.10008.5.1.4.1.1.88.68"))
_REPORT_SERIES = {"PHOENIXZIPREPORT": "Phoenix report", "PATIENT PROTOCOL": "patient protocol"}
_DIGITIZERS = ("north american imaging, inc", "pacsgear")


def vendor_report(header: Header, values: Values) -> str | None:
    """Return what kind of vendor's report an instance is, or None."""
    if header["sop_class_uid"] == _SIEMENS_NON_IMAGE:
        return "Siemens non-image object"
    if header["sop_class_uid"] in _DOSE_REPORTS:
        return "dose report"
    series = " ".join(values.texts(SERIES)).upper()
    for words, kind in _REPORT_SERIES.items():
        if words in series:
            return kind
    image_type = header["image_type"].upper()
    return "dose report" if "DOSE REPORT" in series or "DOSE_INFO" in image_type.split("\\") else None


def suspicion(header: Header, values: Values) -> str | None:
    """Return what in a header says that the picture may show who it is, or None."""
    if any(text.upper() in ("YES", "Y") for text in values.texts(BURNED_IN)):
        return "burned-in annotation declared"
    if "SAVE" in header["image_type"].upper() or "save" in " ".join(values.texts(SERIES)).lower():
        return "screen save"
    manufacturer = " ".join(values.texts(MANUFACTURER)).lower()
    if any(name in manufacturer for name in _DIGITIZERS):
        return "film digitizer"
    if "the dicom box" in " ".join(values.texts(MODEL)).lower():
        return "film digitizer"
    if any(values.texts(tag) for tag in _CAPTURE_DEVICE):
        return "secondary capture device"
    return None
