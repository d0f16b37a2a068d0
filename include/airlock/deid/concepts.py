"""What attributes mean to each other: codes, content items and their values, what is asked of animals."""

from __future__ import annotations

# The parts of a code (PS3.3 table 8.8-1) name a concept; without them its meaning is gone.
CODE_KEYWORDS = frozenset(
    (
        "CodeValue",
        "LongCodeValue",
        "URNCodeValue",
        "CodingSchemeDesignator",
        "CodingSchemeVersion",
        "CodeMeaning",
        "ExtendedCodeValue",
        "ExtendedCodeMeaning",
    )
)
# Sequences whose items are content items: a concept and its value (PS3.3 sections C.17.3 and 10.2).
CONTENT_SEQUENCES = frozenset(
    ("ContentSequence", "AcquisitionContextSequence", "SpecimenPreparationStepContentItemSequence")
)
CONTENT_VALUES = {
    "TEXT": "TextValue",
    "NUM": "MeasuredValueSequence",
    "NUMERIC": "NumericValue",
    "CODE": "ConceptCodeSequence",
    "PNAME": "PersonName",
    "DATE": "Date",
    "TIME": "Time",
    "DATETIME": "DateTime",
    "UIDREF": "UID",
    "IMAGE": "ReferencedSOPSequence",
    "COMPOSITE": "ReferencedSOPSequence",
    "WAVEFORM": "ReferencedSOPSequence",
}
"""Attribute that holds the value of a content item, by value type (PS3.3 section C.17.3.2.1)."""
ANIMALS = frozenset(("ResponsiblePerson", "ResponsibleOrganization", "PatientSexNeutered"))
"""Required of animals, allowed for people (PS3.3 section C.7.1.1)."""
SPECIES = ("PatientSpeciesDescription", "PatientSpeciesCodeSequence")
FOLLOWERS = {0x00102298: 0x00102297}
"""Attributes that may only be there while another one has a value: ResponsiblePersonRole (PS3.3 table C.7-1)."""
