"""What the inputs of a study say about a person: names, numbers, addresses, dates, UIDs.

De-identification cuts these from what is kept, verification searches the outputs for them. Evidence holds patient
data: it stays in memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import lru_cache

from airlock.dicomio.dictionary import keyword_of
from airlock.dicomio.dictionary import vr_of as dictionary_vr
from airlock.errors import InstanceNotUnderstood
from airlock.identity.dates import parse_date
from airlock.identity.evidence import Evidence
from airlock.identity.uids import is_registered, is_structural
from airlock.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from pydicom.dataset import Dataset

__all__ = ["Evidence", "harvest", "harvest_file"]

NUMBERS = frozenset(
    (
        "PatientID",
        "OtherPatientIDs",
        "AccessionNumber",
        "AdmissionID",
        "ServiceEpisodeID",
        "StudyID",
        "RequestedProcedureID",
        "ScheduledProcedureStepID",
        "PerformedProcedureStepID",
        "FillerOrderNumberImagingServiceRequest",
        "PlacerOrderNumberImagingServiceRequest",
        "FillerOrderNumberProcedure",
        "PlacerOrderNumberProcedure",
        "MedicalRecordLocator",
        "SpecimenIdentifier",
        "ContainerIdentifier",
        "ClinicalTrialSubjectID",
        "ClinicalTrialSubjectReadingID",
        "InsurancePlanIdentification",
        "BreedRegistrationNumber",
        "SpecimenAccessionNumber",
        "BarcodeValue",
        "HL7InstanceIdentifier",
        "PatientBirthDateInAlternativeCalendar",
        "PatientDeathDateInAlternativeCalendar",
    )
)
PHRASES = frozenset(
    (
        "PatientAddress",
        "InstitutionAddress",
        "InstitutionName",
        "PersonAddress",
        "ReferringPhysicianAddress",
        "ConsultingPhysicianAddress",
        "VerifyingOrganization",
        "ResponsibleOrganization",
        "RequestingService",
        "PatientInstitutionResidence",
    )
)
PHONES = frozenset(
    (
        "PatientTelephoneNumbers",
        "PatientTelecomInformation",
        "PersonTelephoneNumbers",
        "PersonTelecomInformation",
        "OrderCallbackPhoneNumber",
        "OrderCallbackTelecomInformation",
        "ReferringPhysicianTelephoneNumbers",
        "ConsultingPhysicianTelephoneNumbers",
    )
)
# Names that are no PN: how somebody wants to be called (PS3.3 table C.2-3).
NAMES = frozenset(("NameToUse",))
# Dates of study, series, acquisition and content: a newborn's may be those of birth.
EVENTS = frozenset((0x00080020, 0x00080021, 0x00080022, 0x00080023, 0x0008002A))
_ALWAYS_ASCII = frozenset(("UI", "DA", "DT", "CS", "TM", "AE", "AS", "DS", "IS"))
Source = tuple[set[tuple[str, str]], set[str]]
TEXT_VRS = frozenset(("LO", "SH", "ST", "LT", "UT", "UC", "PN", "CS", "UI", "DA", "DT"))


def harvest_file(path: Path) -> Evidence:
    """Collect the evidence of one file.

    :raises InstanceNotUnderstood: when it cannot be read; it will be held, so that nothing of it goes on.
    """
    from airlock.dicomio.part10 import open_instance  # noqa: PLC0415 - it imports pydicom, which few files need

    with open_instance(path) as instance:
        try:
            return harvest(instance.dataset)
        except RecursionError:
            raise
        except Exception:  # noqa: BLE001 - a parser's error on hostile bytes can be of any kind, and quotes them
            raise InstanceNotUnderstood("Its dataset is damaged (PS3.5 section 7).") from None


def harvest(dataset: Dataset) -> Evidence:
    """Collect the evidence of a dataset, at every level."""
    evidence = Evidence()
    evidence.patients, evidence.studies = source_of(dataset)
    for tag, vr, raw, values in walk_text(dataset):
        collect(evidence, tag, vr, raw, values)
    return evidence


def source_of(dataset: Dataset) -> Source:
    """Return `(PatientID, IssuerOfPatientID)` and StudyInstanceUID, as sets of one or none."""
    return source(*(_first(dataset, tag) for tag in (0x00100020, 0x00100021, 0x0020000D)))


def source(patient_id: str, issuer: str, study: str) -> Source:
    """Return the same of values that may be empty."""
    return {(patient_id, issuer)} if patient_id else set(), {study} if study else set()


def _first(dataset: Dataset, tag: int) -> str:
    if tag not in dataset:
        return ""
    element = dataset.get_item(tag)
    encodings = encodings_of(dataset)
    return next(iter(texts(element, "LO", encodings)), "")


def walk_text(dataset: Dataset) -> Iterator[tuple[int, str, bytes, list[str]]]:
    """Yield `(tag, VR, encoded value, values)` of every element with text, of every level, without recursion."""
    stack = [(dataset, encodings_of(dataset))]
    while stack:
        current, inherited = stack.pop()
        encodings = encodings_of(current) if 0x00080005 in current else inherited
        for tag in list(current.keys()):
            element = current.get_item(tag)
            vr = vr_of(element)
            if vr == "SQ":
                items = current[tag].value
                # Of attributes that pydicom does not know, what is implicit stays bytes.
                readable = isinstance(items, Iterable) and not isinstance(items, bytes)
                stack.extend((item, encodings) for item in (items if readable else ()))
            elif vr in TEXT_VRS:
                raw = element.value if element.is_raw and element.value else b""
                yield tag, vr, raw, texts(element, vr, encodings)


def vr_of(element: Any) -> str:
    """Return the VR of an element, from the dictionary where the file does not tell."""
    return vr_named(element.tag, None if element.VR is None else str(element.VR))


def vr_named(tag: int, encoded: str | None) -> str:
    """Return the VR of an element with this tag and encoded VR."""
    if encoded is None or encoded == "UN":
        try:
            return dictionary_vr(tag)
        except KeyError:
            return "UN"
    return encoded


def encodings_of(dataset: Dataset) -> list[str]:
    """Return Python's names of the character sets that a dataset declares; the default one where it declares none."""
    from pydicom.charset import convert_encodings  # noqa: PLC0415 - who has a dataset has imported it

    value = dataset.get("SpecificCharacterSet", None)
    try:
        return convert_encodings(value) if value else ["iso8859"]
    except LookupError:
        return ["iso8859"]


def texts(element: Any, vr: str, encodings: list[str]) -> list[str]:
    """Return the values of an element as text, decoded as well as it can be."""
    value = element.value
    if isinstance(value, bytes):
        if not value:
            return []
        # All of DICOM's character sets have ASCII in common, unless an escape leads to another part of them.
        if vr in _ALWAYS_ASCII or (value.isascii() and b"\x1b" not in value):
            text = value.decode("latin-1")
        else:
            delimiters = {0x5C, 0x5E, 0x3D} if vr == "PN" else {0x5C, 0x0A, 0x0C, 0x0D}
            text = _decoded(value, encodings, delimiters)
    elif value is None:
        return []
    else:
        parts = value if isinstance(value, (list, tuple)) or type(value).__name__ == "MultiValue" else [value]
        return [str(part).strip(" \0") for part in parts if str(part)]
    single = vr in ("ST", "LT", "UT", "UR")
    return [part.strip(" \0") for part in ([text] if single else text.split("\\")) if part.strip(" \0")]


def _decoded(value: bytes, encodings: list[str], delimiters: set[int]) -> str:
    if b"\x1b" not in value:
        with suppress(UnicodeDecodeError, LookupError):
            return value.decode(encodings[0])
    from pydicom.charset import decode_bytes  # noqa: PLC0415 - escapes are rare

    from airlock.dicomio.quiet import quiet  # noqa: PLC0415 - as above

    with quiet():
        return str(decode_bytes(value, encodings, delimiters))


def collect(evidence: Evidence, tag: int, vr: str, raw: bytes, values: list[str]) -> None:
    """Add what one element says to the evidence.

    :param raw: its value as encoded.
    :param values: the same as text.
    """
    if vr == "PN":
        evidence.names.update(group for value in values for group in value.split("=") if group.strip(" ^"))
        evidence.encoded.update(_not_ascii(raw))
    elif vr == "UI":
        if not is_structural(tag):
            evidence.uids.update(value for value in values if not is_registered(value))
    elif vr in ("DA", "DT"):
        dates = {day for value in values if (day := _day(value[:10]))}
        (evidence.birth_dates if tag == 0x00100030 else evidence.dates).update(dates)
        if tag in EVENTS:
            evidence.events.update(dates)
    elif not tag & 0x10000:
        _collect_by_keyword(evidence, keyword_of(tag), raw, values)


@lru_cache(maxsize=1024)
def _day(text: str) -> str | None:
    """Return the date that a text begins with, as DA spells it."""
    day = parse_date(text) or parse_date(text[:8])
    return None if day is None else f"{day:%Y%m%d}"


def _collect_by_keyword(evidence: Evidence, keyword: str, raw: bytes, values: list[str]) -> None:
    for keywords, found in (
        (NUMBERS, evidence.numbers),
        (PHRASES, evidence.phrases),
        (PHONES, evidence.phones),
        (NAMES, evidence.names),
    ):
        if keyword in keywords:
            found.update(values)
            evidence.encoded.update(_not_ascii(raw))


def _not_ascii(raw: bytes) -> Iterator[bytes]:
    """Yield the components of an encoded value that are not ASCII and long enough to be told from chance."""
    if raw.isascii() and b"\x1b" not in raw:
        return
    for part in raw.replace(b"^", b"=").replace(b"\\", b"=").split(b"="):
        trimmed = part.strip(b" \0")
        if len(trimmed) >= 6 and (not trimmed.isascii() or b"\x1b" in trimmed):
            yield trimmed
