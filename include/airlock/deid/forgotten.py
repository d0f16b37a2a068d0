"""Attributes that table E.1-1 of PS3.15 does not list although they may identify somebody."""

from __future__ import annotations

# What the table forgets: text about what somebody drew; who is to be called; where the originals lie; dates of the
# patient's life in other calendars.
FORGOTTEN = {
    **dict.fromkeys(("GraphicLayerDescription", "ContentDescription"), "C"),
    **dict.fromkeys(
        (
            "ContactDisplayName",
            "ContactURI",
            "HangingProtocolCreator",
            "OwnerID",
            "PatientBirthDateInAlternativeCalendar",
            "PatientDeathDateInAlternativeCalendar",
            "BreedRegistrationNumber",
            "StoredInstanceBaseURI",
            "FolderAccessURI",
            "FileAccessURI",
            "RetrieveURL",
            "RetrieveURI",
            "StorageURL",
            "PixelDataProviderURL",
        ),
        "X/Z/D",
    ),
}
# Text of any length is what people type into, but for these, which programs fill.
_LONG_TEXT = frozenset(("ST", "LT", "UT"))
_BY_PROGRAMS = frozenset(
    (
        "CodingSchemeExternalID",
        "CodingSchemeName",
        "CodingSchemeResponsibleOrganization",
        "ExtendedCodeMeaning",
        "TrackingID",
        "ImageDisplayFormat",
        "EXIFVersion",
        "PrivateDataElementDescription",
        "PrivateDataElementEncoding",
        "ConceptualVolumeCombinationExpression",
        "SpectralSensitivity",
        "PositionAcquisitionTemplateID",
    )
)
_REMARKS = ("Comment", "Notes", "Reason")
_SHORT_TEXT = frozenset(("LO", "SH", "UC"))


def is_typed(vr: str, keyword: str) -> bool:
    """Whether a person types a text that the table does not list: then it may say anything."""
    if vr in _LONG_TEXT:
        return keyword not in _BY_PROGRAMS
    return vr in _SHORT_TEXT and any(word in keyword for word in _REMARKS)
