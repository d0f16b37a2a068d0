"""One object of every storage SOP class, with all that PS3.3 asks for, and every attribute that identifies somebody.

Made from the shipped tables; the values are legal, and mean nothing. What names the patient is planted.
"""

from __future__ import annotations

import json
from functools import lru_cache
from importlib.resources import files
from typing import Any

from pydicom.datadict import dictionary_VM, dictionary_VR, tag_for_keyword
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

PLANTED = ("quillfeather", "zebedee", "7731942", "wolkenkuck")
ROOT = "1.2.276.0.7230010.3.1.9"
_DEEPEST = 4
_DIRECTORY = "1.2.840.10008.1.3.10"
_KINDS = ("1", "1C", "2", "2C")
LEGAL: dict[str, Any] = {
    **dict.fromkeys(("LO", "SH", "ST", "LT", "UT", "UC"), "Orig Quillf"),
    **dict.fromkeys(("OB", "UN", "OW", "OV"), b"12121212"),
    **dict.fromkeys(("OF", "OL", "OD"), bytes(8)),
    **dict.fromkeys(("US", "UL", "SS", "SL", "UV", "SV"), 1),
    **dict.fromkeys(("DS", "IS"), "1"),
    **dict.fromkeys(("FL", "FD"), 1.0),
    "AE": "QUILLFEATHER",
    "AS": "058Y",
    "AT": 0x00100010,
    "CS": "ORIG",
    "DA": "20190708",
    "DT": "20190708112233.5+0100",
    "PN": "Quillfeather^Zebedee",
    "TM": "112233",
    "UR": "http://wolkenkuck.invalid/",
}
_BY_KEYWORD: dict[str, Any] = {
    "PatientName": "Quillfeather^Zebedee",
    "PatientID": "QF-7731942",
    "PatientSex": "F",
    "SpecificCharacterSet": "ISO_IR 192",
    "BurnedInAnnotation": "NO",
    "RecognizableVisualFeatures": "NO",
    "LossyImageCompression": "00",
    "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
    "TimezoneOffsetFromUTC": "+0100",
    "SamplesPerPixel": 1,
    "PhotometricInterpretation": "MONOCHROME2",
    "Rows": 8,
    "Columns": 8,
    "BitsAllocated": 16,
    "BitsStored": 12,
    "HighBit": 11,
    "PixelRepresentation": 0,
    "ImagePositionPatient": ["0", "0", "1"],
    "ImageOrientationPatient": ["1", "0", "0", "0", "1", "0"],
    "PixelSpacing": ["0.5", "0.5"],
    "PixelPaddingValue": 0,
    "SmallestImagePixelValue": 0,
    "LargestImagePixelValue": 1,
    "QualityControlImage": "NO",
    "ContinuityOfContent": "SEPARATE",
    "CompletionFlag": "PARTIAL",
    "VerificationFlag": "UNVERIFIED",
    "CodingSchemeDesignator": "DCM",
    "CodeValue": "121071",
    "CodeMeaning": "Finding",
    "ValueType": "CONTAINER",
    "RelationshipType": "CONTAINS",
    "PatientPosition": "HFS",
    "RescaleType": "HU",
    "MIMETypeOfEncapsulatedDocument": "application/pdf",
}
_PIXELS = (
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
)
# One kind of pixels only; and what refers to a place in the object that this one doesn't have.
_LEFT_OUT = frozenset(
    (
        "FloatPixelData",
        "DoubleFloatPixelData",
        "PixelDataProviderURL",
        "ReferencedContentItemIdentifier",
        "LongCodeValue",
        "URNCodeValue",
        "PixelData",
        "PlanarConfiguration",
        "QueryRetrieveView",
        # dciodvfy lets it stand for the anatomic region: where it goes, it asks for that.
        "SpecimenAccessionNumber",
    )
)


@lru_cache(maxsize=1)
def _document() -> dict[str, Any]:
    return json.loads((files("airlock.deid") / "profiles" / "iod_types.json").read_text("utf-8"))


def classes() -> list[str]:
    """Return the storage SOP classes, without the directory, which is no object of a patient."""
    return sorted(set(_document()["sop_classes"]) - {_DIRECTORY})


def one_of(sop_class_uid: str, *, identifying: bool = True, number: int = 1) -> Dataset:
    """Return an object of a SOP class.

    :param identifying: whether it has, besides what its modules ask for, every attribute of table E.1-1.
    :param number: makes instances differ.
    """
    document = _document()
    modules = document["iods"][document["sop_classes"][sop_class_uid]]
    wanted: dict[str, list[str]] = {}
    for module in modules:
        for parent, by_kind in document["modules"].get(module, {}).items():
            names = [name for kind in _KINDS for name in by_kind.get(kind, "").split()]
            wanted.setdefault(parent, []).extend(names)
    ds = _filled(wanted, "", 0)
    if identifying:
        _identify(ds)
    uids = {"StudyInstanceUID": 1, "SeriesInstanceUID": 2, "SOPInstanceUID": 10 + number}
    for keyword, last in uids.items():
        setattr(ds, keyword, f"{ROOT}.{last}")
    ds.SOPClassUID = sop_class_uid
    if "image-pixel" in modules:
        for keyword in _PIXELS:
            setattr(ds, keyword, _BY_KEYWORD[keyword])
        ds.PixelData = bytes(range(128))
        ds["PixelData"].VR = "OW"
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return ds


def _filled(wanted: dict[str, list[str]], parent: str, depth: int) -> Dataset:
    ds = Dataset()
    for keyword in dict.fromkeys(wanted.get(parent, ())):
        tag = tag_for_keyword(keyword)
        if tag is None or keyword in _LEFT_OUT or tag >> 16 in (0x5000, 0x6000):
            continue
        if dictionary_VR(tag) == "SQ":
            ds.add_new(tag, "SQ", [_filled(wanted, keyword, depth + 1)] if depth < _DEEPEST else [])
        else:
            _set(ds, int(tag), keyword)
    return ds


def _set(ds: Dataset, tag: int, keyword: str) -> None:
    vr = str(dictionary_VR(tag)).split(" or ", maxsplit=1)[0]
    if keyword in _BY_KEYWORD:
        value = _BY_KEYWORD[keyword]
    elif vr == "UI":
        value = f"{ROOT}.{tag}" if "Class" not in keyword else "1.2.840.10008.5.1.4.1.1.2"
    else:
        value = _several(LEGAL[vr], str(dictionary_VM(tag)))
    ds.add_new(tag, vr, value)


def _several(value: Any, multiplicity: str) -> Any:
    least = multiplicity.split("-", maxsplit=1)[0]
    count = int(least) if least.isdigit() else 1
    return [value] * count if count > 1 and not isinstance(value, bytes) else value


def _identify(ds: Dataset) -> None:
    """Add every attribute of table E.1-1 that an object may have by itself."""
    table = json.loads((files("airlock.deid") / "profiles" / "ps315_2026d.json").read_text("utf-8"))
    for tag_text, keyword, *_rest in table["attributes"]:
        if not tag_text.isdecimal() and not all(digit in "0123456789ABCDEFabcdef" for digit in tag_text):
            continue
        tag = int(tag_text, 16)
        if tag in ds or keyword in _LEFT_OUT or tag >> 16 in (0x0000, 0x0002, 0x0004, 0x0042, 0x0400) or not keyword:
            continue
        try:
            vr = dictionary_VR(tag)
        except KeyError:
            continue
        if vr == "SQ":
            item = Dataset()
            item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = "1", "99X", "Orig Quillf"
            item.PatientName = LEGAL["PN"]
            ds.add_new(tag, vr, [item])
        else:
            _set(ds, tag, keyword)
