"""Where vendors and people put a name, and how it is looked for: raw bytes, 16-bit text, base64, hexadecimal."""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable
from typing import Any

from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag
from pydicom.uid import ComprehensiveSRStorage

from tests.synthetic import ct

FULL, NUMBER = "Zebedee Quillfeather", 7731942
SECRETS = ("Quillfeather", "Zebedee", "7731942", "5550199", "Wolkenkuck", "Mühlhäuser", "Otherfamily", "Quilfeather")
_ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be", "latin-1")


def left_in(data: bytes) -> list[str]:
    """Return the secrets that bytes hold, in any of the forms they were planted in."""
    lowered = data.lower()
    return [secret for secret in SECRETS if any(form in data or form in lowered for form in _forms(secret))]


def _forms(secret: str) -> set[bytes]:
    cases = {secret, secret.lower(), secret.upper()}
    found = {case.encode(encoding) for case in cases for encoding in _ENCODINGS}
    found |= {
        base64.b64encode(secret.encode())[:-4],
        secret.encode().hex().encode(),
        secret.encode().hex().upper().encode(),
    }
    return {form for form in found if len(form) >= 6}


def raw(ds: Dataset, tag: int, vr: str, data: bytes) -> None:
    """Put an element into a dataset as these bytes, whatever they are."""
    data += b" " * (len(data) % 2)
    ds[tag] = RawDataElement(BaseTag(tag), vr, len(data), data, 0, False, True)


def private(ds: Dataset) -> None:
    """Plant in private elements of every VR, in creators, in items."""
    block = ds.private_block(0x0019, "ACME 1", create=True)
    values: list[tuple[str, Any]] = [
        ("LT", FULL), ("UT", '{"name": "\\u0051uillfeather"}'), ("LO", base64.b64encode(FULL.encode()).decode()),
        ("ST", "<n>Quill</n><n>feather</n>"), ("UT", "Qu=69llfeather"), ("UT", "%51uillfeather"),
        ("UT", "&#81;uillfeather"), ("UR", "http://h.invalid/?n=Quillfeather"), ("CS", "QUILLFEATHER"),
        ("DS", str(NUMBER)), ("OB", FULL.encode("utf-16-le")), ("OB", base64.b64encode(FULL.encode())),
        ("OB", FULL.encode().hex().encode()), ("UN", b"\0\1" + FULL.encode()), ("UN", struct.pack("<I", NUMBER)),
        ("OB", b"A" * 70000 + FULL.encode() + b"B" * 70000), ("OB", "Mühlhäuser".encode("latin-1")), ("PN", FULL),
        ("UI", f"1.2.276.{NUMBER}.1"), ("FD", float(NUMBER)), ("UL", NUMBER), ("DA", "19610203"), ("OB", b"b 19610203"),
    ]  # fmt: skip
    for number, (vr, value) in enumerate(values):
        block.add_new(number, vr, value)
    item = Dataset()
    item.PatientName = FULL
    inner = item.private_block(0x0019, "ACME 1", create=True)
    inner.add_new(1, "LT", FULL)
    block.add_new(0x80, "SQ", [item])
    ds.private_block(0x0021, "QUILLFEATHER ACME", create=True).add_new(1, "LO", "axial")


def around(ds: Dataset) -> None:
    """Plant in preamble, file meta information, group lengths, retired groups and behind the pixel data."""
    ds.preamble = FULL.encode().ljust(128, b"\0")
    ds.file_meta.SourceApplicationEntityTitle = "QUILLFEATHER"
    ds.file_meta.PrivateInformationCreatorUID = f"1.2.276.{NUMBER}.9"
    ds.file_meta.PrivateInformation = FULL.encode()
    ds.DataSetTrailingPadding = FULL.encode()
    raw(ds, 0x00100000, "UL", struct.pack("<I", NUMBER))
    for tag in (0x00060010, 0x0008FFFF, 0x00281111, 0x40000010, 0x40004000, 0xFFFA0001):
        raw(ds, tag, "LT", FULL.encode())
    ds.add_new(0x7FE10010, "LO", "ACME 1")
    ds.add_new(0x7FE11001, "LT", FULL)


def values(ds: Dataset) -> None:
    """Plant across values, beside zeros, in VRs that are not the attribute's, and in numbers."""
    raw(ds, 0x00281055, "LO", b"\\\\Quill\\feather\\\\")
    raw(ds, 0x00181020, "LO", b"Quillfeather\0\0")
    raw(ds, 0x00180024, "SH", b"\0Zebedee\0")
    raw(ds, 0x00080070, "LO", b"Acme\0Zebedee\0Quillfeather ")
    raw(ds, 0x00081090, "LO", "Quillfeather".encode("utf-16-le"))
    for tag, vr in ((0x00181030, "UR"), (0x00180015, "UT"), (0x00180010, "UN"), (0x00400254, "OB"), (0x00280030, "LT")):
        raw(ds, tag, vr, FULL.encode())
    ds.KVP, ds.ConvolutionKernel, ds.ScanOptions = str(NUMBER), "ZEBEDEE", ["FS", "ZEBEDEE"]
    ds.FrameLabel, ds.ReceiveCoilName, ds.TransducerData = "for Otherfamily", "77319424", "Quilfeather"
    ds.SimpleFrameList, ds.TimeRange = [NUMBER, 1], [float(NUMBER), 1.0]
    ds.SpectralSensitivity = "axial " * 15000 + FULL


def charsets(ds: Dataset) -> None:
    """Plant in character sets that are not the declared ones, or are none."""
    ds.SpecificCharacterSet, ds.OtherPatientNames = "ISO_IR 100", "Mühlhäuser^Zebedee"
    ds.SegmentSequence = []
    for charset, encoding in (
        ("ISO_IR 192", "latin-1"), ("", "latin-1"), ("ISO_IR 100", "utf-8"), ("ISO_IR 144", "latin-1"),
        ("GB18030", "gb18030"), ("BOGUS", "utf-8"), ("ISO_IR 192", "utf-16-le"),
    ):  # fmt: skip
        item = Dataset()
        item.SpecificCharacterSet = charset
        raw(item, 0x00620005, "LO", "Mühlhäuser".encode(encoding))
        raw(item, 0x00620006, "ST", "Mühlhäuser".encode(encoding))
        ds.SegmentSequence.append(item)


def labels(ds: Dataset) -> None:
    """Plant in what people name regions, segments, layers, channels and overlays."""
    ds.StructureSetLabel, ds.StructureSetName, ds.RTPlanLabel, ds.ContentLabel = "ZEBEDEE", FULL, "ZEBEDEE", "ZEBEDEE"
    ds.ContentDescription, ds.ContentCreatorName = FULL, "Wolkenkuck^G"
    for sequence, more in {
        "StructureSetROISequence": {"ROIName": "Tumor Quillfeather", "ROIDescription": FULL},
        "RTROIObservationsSequence": {"ROIObservationLabel": FULL, "ROIInterpreter": "Wolkenkuck"},
        "SegmentSequence": {
            "SegmentLabel": "GTV Quilfeather",
            "SegmentDescription": FULL,
            "TrackingID": "Quilfeather 1",
        },
        "GraphicLayerSequence": {"GraphicLayer": "ZEBEDEE", "GraphicLayerDescription": FULL},
        "WaveformAnnotationSequence": {"UnformattedTextValue": FULL},
        "BeamSequence": {"BeamName": "Quillfeather", "TreatmentMachineName": "Zebedee"},
    }.items():
        item = Dataset()
        for keyword, value in more.items():
            setattr(item, keyword, value)
        setattr(ds, sequence, [item])
    for tag, vr, data in (
        (0x60000010, "US", b"\x08\0"), (0x60000011, "US", b"\x08\0"), (0x60000040, "CS", b"R "),
        (0x60000022, "LO", FULL.encode()), (0x60001500, "LO", FULL.encode()), (0x60000050, "SS", b"\1\0\1\0"),
        (0x60000100, "US", b"\1\0"), (0x60000102, "US", b"\0\0"), (0x60004000, "LT", FULL.encode()),
        (0x60003000, "OW", bytes(8)),
    ):  # fmt: skip
        raw(ds, tag, vr, data)
    icon = Dataset()
    icon.Rows = icon.Columns = 4
    icon.add_new(0x7FE00010, "OB", b"Quillfeather\0\0\0\0")
    ds.IconImageSequence = [icon]


def report(ds: Dataset) -> None:
    """Plant in content items of every kind."""
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = ComprehensiveSRStorage
    del ds.PixelData
    unit, measured = _code("mm", "UCUM", "mm Quillfeather"), Dataset()
    measured.NumericValue, measured.MeasurementUnitsCodeSequence = str(NUMBER), [unit]
    ds.ValueType, ds.ContinuityOfContent = "CONTAINER", "SEPARATE"
    ds.ConceptNameCodeSequence = [_code("126000", "DCM", "Report of Quillfeather")]
    ds.ContentSequence = [
        _item("PNAME", PersonName="Quillfeather^Zebedee"),
        _item("TEXT", TextValue="Mr Quilfeather with Zebedee " + base64.b64encode(FULL.encode()).decode()),
        _item("CODE", ConceptCodeSequence=[_code("Q-7731942", "99LOCAL", "Lesion of Zebedee")]),
        _item("CODE", ConceptCodeSequence=[_code("T-1", "SCT", "Quillfeather")]),
        _item("NUM", MeasuredValueSequence=[measured], NumericValueQualifierCodeSequence=[_code("1", "99X", FULL)]),
        _item("UIDREF", UID=f"1.2.276.{NUMBER}.3"),
        _item("DATE", Date="19610203"),
    ]


def _item(kind: str, **value: Any) -> Dataset:
    item = Dataset()
    item.RelationshipType, item.ValueType = "CONTAINS", kind
    item.ConceptNameCodeSequence = [_code("121071", "DCM", "Finding")]
    for keyword, content in value.items():
        setattr(item, keyword, content)
    return item


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, scheme, meaning
    return code


def other_instance(ds: Dataset) -> None:
    """Name somebody whom no other instance names where names belong."""
    ds.OperatorsName = "Otherfamily^Hans"


def instances() -> dict[str, Dataset]:
    """Return one study, an instance for each kind of place."""
    kinds: tuple[Callable[[Dataset], None], ...] = (
        private, around, values, charsets, labels, report, other_instance
    )  # fmt: skip
    found = {}
    for number, plant in enumerate(kinds, 1):
        found[plant.__name__] = ds = ct(number)
        plant(ds)
    return found
