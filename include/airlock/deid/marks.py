"""What de-identification writes into every object: whose it is now, and how it was done (PS3.15 section E.1.1)."""

from __future__ import annotations

from collections.abc import Callable

from airlock.deid.profile import CODES, Profile
from airlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_LO_CHARACTERS = 64
METHOD = "Airlock: DICOM PS3.15 {edition} Annex E; see the method codes"


def stamp_subject(dataset: Dataset, subject: str, project: str, event: str, study_id: str) -> None:
    """Write who the object belongs to in the project.

    :param subject: research subject id, for PatientID and PatientName.
    :param project: name of the project, for InstitutionName (research PACS grant access by it) and the trial's id.
    :param event: name of the event (time point), or empty. With an event, the reasons for the request and the name of
        the referring physician say `EventName:<event>`.
    :param study_id: for StudyID, without which some PACS merge the studies of a patient.
    """
    _prepare_character_set(dataset, subject + project + event)
    dataset.PatientID = subject
    # A backslash or a caret cannot be in a request's name; an equals sign would begin another component group.
    dataset.PatientName = subject.replace("=", "-").replace("^", " ")
    dataset.StudyID = study_id
    dataset.InstitutionName = project
    if "Manufacturer" not in dataset:
        # With the institution the General Equipment module is there, of which this is a type 2 attribute.
        dataset.Manufacturer = ""
    # PS3.3 section C.7.1.3: the module is whole or absent.
    dataset.ClinicalTrialSponsorName = project
    dataset.ClinicalTrialProtocolID = project
    dataset.ClinicalTrialProtocolName = project
    dataset.ClinicalTrialSubjectID = subject
    for keyword in ("ClinicalTrialSiteID", "ClinicalTrialSiteName"):
        if keyword not in dataset:
            setattr(dataset, keyword, "")
    # Type 1C: it may be there only with the approval number, which never stays.
    if "ClinicalTrialProtocolEthicsCommitteeName" in dataset:
        del dataset.ClinicalTrialProtocolEthicsCommitteeName
    for keyword in ("ClinicalTrialTimePointID", "ClinicalTrialTimePointDescription"):
        # Of the module that they are in, the id is of type 2: it may be empty, not missing.
        if event or keyword in dataset:
            setattr(dataset, keyword, event)
    if event:
        _stamp_event(dataset, event)


def _stamp_event(dataset: Dataset, event: str) -> None:
    """Write the event where research PACS show and search it, as FIONA does."""
    text = f"EventName:{event}"[:_LO_CHARACTERS].rstrip()
    dataset.ReasonForTheImagingServiceRequest = text
    dataset.ReasonForTheRequestedProcedure = text
    dataset.ReferringPhysicianName = text.replace("=", "-").replace("^", " ")


def stamp_method(dataset: Dataset, profile: Profile, edition: str, *, pixels_rewritten: bool) -> None:
    """Write how the object was de-identified, over whatever an earlier de-identification wrote."""
    dataset.PatientIdentityRemoved = "YES"
    method = METHOD.format(edition=edition)
    if profile.policy.rules or profile.policy.private.keep or profile.policy.private.csa_header:
        import hashlib  # noqa: PLC0415 - few projects have such rules

        rules = hashlib.sha256(profile.policy.model_dump_json().encode()).hexdigest()[:12]
        dataset.DeidentificationMethod = [method, f"and the project's own rules, {rules}"]
    else:
        dataset.DeidentificationMethod = method
    names = {"basic", *profile.options} | ({"pixels"} if pixels_rewritten else set())
    # Whatever kind of dataset this is, the items are of the same kind.
    new = getattr(dataset, "new_item", None) or _new_item
    dataset.DeidentificationMethodCodeSequence = [_code(new, *CODES[name]) for name in CODES if name in names]
    dataset.LongitudinalTemporalInformationModified = profile.dates
    if pixels_rewritten:
        dataset.BurnedInAnnotation = "NO"


def _new_item() -> Dataset:
    from pydicom.dataset import Dataset  # noqa: PLC0415 - who has a dataset of this kind has imported it

    return Dataset()


def _code(new: Callable[[], Dataset], value: str, meaning: str) -> Dataset:
    item = new()
    item.CodeValue = value
    item.CodingSchemeDesignator = "DCM"
    item.CodeMeaning = meaning
    return item


def _prepare_character_set(dataset: Dataset, text: str) -> None:
    """Turn the object to UTF-8 when what will be written into it cannot be written in its character set."""
    if text.isascii():
        return
    from pydicom.charset import convert_encodings  # noqa: PLC0415 - ASCII does without

    value = dataset.get("SpecificCharacterSet", None)
    try:
        if value and not isinstance(value, str):
            raise LookupError
        text.encode(convert_encodings(value or "")[0])
    except (LookupError, UnicodeEncodeError):
        _declare_utf8(dataset)


def _declare_utf8(dataset: Dataset) -> None:
    # Looking at an element decodes it with the old character set, before the new one is declared. pydicom's own way to
    # do so, `decode`, recurses.
    stack = [dataset]
    while stack:
        current = stack.pop()
        for tag in list(current.keys()):
            element = current[tag]
            if element.VR == "SQ":
                stack.extend(element.value or [])
        if current is dataset or "SpecificCharacterSet" in current:
            current.SpecificCharacterSet = "ISO_IR 192"
