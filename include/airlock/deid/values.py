"""Values that mean nothing, legal for their value representation (PS3.5 section 6.2)."""

from __future__ import annotations

from airlock.dicomio.dictionary import vm_of
from airlock.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

TEXT = "ANONYMIZED"
DATE, TIME, DATETIME = "19700101", "000000", "19700101000000"
_BY_VR: dict[str, Any] = {
    **dict.fromkeys(("AE", "CS", "LO", "SH", "ST", "LT", "UT", "UC", "PN"), TEXT),
    **dict.fromkeys(("US", "UL", "SS", "SL", "UV", "SV", "IS"), 0),
    "DS": "0",
    **dict.fromkeys(("FL", "FD"), 0.0),
    **dict.fromkeys(("OB", "OW", "UN", "OV", "OD", "OL", "OF"), bytes(8)),
    "AS": "000D",
    "AT": 0x00000000,
    "DA": DATE,
    "TM": TIME,
    "DT": DATETIME,
    "UR": "http://anonymized.invalid/",
}
_BY_KEYWORD: dict[str, Any] = {
    "TimezoneOffsetFromUTC": "+0000",
    # Its defined terms are COERCE and CORRECT (PS3.3 section C.12.1.1.9).
    "ReasonForTheAttributeModification": "COERCE",
    # Of what is not known, the careful one of its two terms (PS3.3 table C.12-10 and section C.7.6.1).
    "BurnedInAnnotation": "YES",
    "RecognizableVisualFeatures": "YES",
}
DUMMY_CODE = {"CodeValue": "ANONYMIZED", "CodingSchemeDesignator": "99AIRLOCK", "CodeMeaning": "Anonymized"}
"""A code (PS3.3 table 8.8-1) that says nothing, in a private coding scheme (PS3.16 section 8.2)."""

# Coding schemes that others than a site fill (PS3.16 section 8, table 8-1).
STANDARD_SCHEMES = frozenset(
    (
        "ACR",
        "BARI",
        "C4",
        "CPT4",
        "DCM",
        "FMA",
        "HPC",
        "I10",
        "I10P",
        "I9",
        "I9C",
        "ICD10",
        "ICD11",
        "ICDO3",
        "LN",
        "MDC",
        "NCIt",
        "NDC",
        "RADLEX",
        "RXNORM",
        "SCT",
        "SNM3",
        "SRT",
        "UCUM",
        "UMLS",
    )
)


def dummy(tag: int, vr: str, keyword: str) -> Any:
    """Return a dummy value for an attribute, with as many values as its multiplicity asks for.

    :param vr: one value representation other than SQ and UI.
    """
    if keyword in _BY_KEYWORD:
        return _BY_KEYWORD[keyword]
    value = _BY_VR.get(vr, TEXT)
    try:
        least = int(vm_of(tag).split("-")[0])
    except (KeyError, ValueError):
        least = 1
    return [value] * least if least > 1 and not isinstance(value, bytes) else value


def peek(dataset: Dataset, keyword: str) -> str:
    """Return the text of an attribute, empty where there is none, without having pydicom read it.

    What pydicom has read, it writes anew, and so changes what is not legal; looking at a value must not change it.
    """
    element = dataset.get_item(keyword) if keyword in dataset else None
    if element is None or element.value is None:
        return ""
    if not element.is_raw:
        return str(element.value)
    if element.VR not in (None, "UN", "AE", "CS", "LO", "SH", "UC"):
        return ""
    return str(element.value.decode("latin-1").rstrip(" \0"))


def dummy_code() -> Dataset:
    """Return an item with :data:`DUMMY_CODE`."""
    from pydicom.dataset import Dataset  # noqa: PLC0415 - who needs it has imported it

    item = Dataset()
    for keyword, value in DUMMY_CODE.items():
        setattr(item, keyword, value)
    return item
