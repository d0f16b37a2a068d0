"""The conformance statement of a project's configuration: what PS3.15 section E.1.1 asks a de-identifier to document.

It is made from what runs: the profile's table with its options, the policy's rules, and the dummy values in use.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from airlock.deid.private import safe_elements
from airlock.deid.profile import CODES, Profile, dictionary_entry
from airlock.deid.table import Line, lines
from airlock.deid.values import DATE, DATETIME, TEXT, TIME
from airlock.identity.harvest import NUMBERS, PHONES, PHRASES
from airlock.identity.vocabulary import vocabulary
from airlock.project import ProjectPolicy
from airlock.rules import Rule
from airlock.selectors import PathSelector, TagSelector


@dataclass(frozen=True)
class Section:
    """A part of the statement: paragraphs, then list items."""

    title: str
    paragraphs: tuple[str, ...]
    items: tuple[str, ...] = ()


@dataclass(frozen=True)
class Statement:
    """The statement of one project."""

    project: str
    edition: str
    options: tuple[str, ...]
    digest: str
    sections: tuple[Section, ...]
    attributes: tuple[Line, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the statement as a JSON object."""
        return {
            "project": self.project,
            "edition": f"DICOM PS3.15 {self.edition}",
            "options": list(self.options),
            "policy_sha256": self.digest,
            "sections": [{"title": s.title, "text": list(s.paragraphs), "items": list(s.items)} for s in self.sections],
            "attributes": [line.as_dict() for line in self.attributes],
        }

    def as_markdown(self) -> str:
        """Return the statement as Markdown."""
        parts = [f"# De-identification of the project {self.project}", f"Policy SHA-256: `{self.digest}`"]
        for section in self.sections:
            parts += [f"## {section.title}", *section.paragraphs]
            if section.items:
                parts.append("\n".join(f"- {item}" for item in section.items))
        rows = ["| Tag | Attribute | VR | Action | Meaning |", "| --- | --- | --- | --- | --- |"]
        rows += [f"| {' | '.join([*line.cells(), line.meaning])} |" for line in self.attributes]
        return "\n\n".join([*parts, "## Attributes of table E.1-1", "\n".join(rows)]) + "\n"


def make_statement(policy: ProjectPolicy) -> Statement:
    """Return the conformance statement of a project.

    :raises PolicyError: when its options or lookup tables cannot be used.
    """
    profile = Profile.of(policy.deidentify)
    sections = (
        _profile_section(profile),
        _values_section(),
        _dates_section(profile),
        _descriptors_section(profile),
        _uids_section(profile, policy.name),
        _unlisted_section(profile),
        _private_section(profile),
        _pixels_section(policy),
        _rules_section(profile),
    )
    options = tuple(option for option in CODES if option in profile.options)
    return Statement(policy.name, profile.edition, options, policy.digest, sections, tuple(lines(profile)))


def _text(text: str) -> str:
    return " ".join(text.split())


def _profile_section(profile: Profile) -> Section:
    names = ["basic", *(name for name in CODES if name in profile.options)]
    counts = Counter(line.action for line in lines(profile))
    summary = ", ".join(f"{action} {number}" for action, number in counts.most_common())
    held = "held" if profile.policy.already_deidentified == "hold" else "accepted; the marks they carry are overwritten"
    introduction = f"""The Basic Application Level Confidentiality Profile of DICOM PS3.15 {profile.edition} with these
        method codes (CID 7050), written to every object; 113101 besides where text was removed from the pixels:"""
    composite = """Composite actions take the first alternative that leaves the object valid by the type that PS3.3
        gives the attribute in the object's IOD."""
    reports = "Structured reports are treated by table E.3.4-1, item by item; encapsulated documents are held."
    return Section(
        "Profile and options",
        (_text(introduction),),
        (
            *(" ".join(CODES[name]) for name in names),
            f"Attributes of the table by action: {summary}.",
            _text(composite),
            f"Instances that say that they were de-identified before are {held}.",
            reports,
        ),
    )


def _values_section() -> Section:
    return Section(
        "Dummy values",
        ("Where the object needs a value, these are written, whatever was there:",),
        (
            f"text `{TEXT}`; a date `{DATE}`, a time `{TIME}`, a date and time `{DATETIME}`; an age `000D`; numbers 0;",
            "binary values eight zero bytes; a code the code ANONYMIZED of the scheme 99AIRLOCK; a UID a mapped UID.",
            "PatientID and PatientName are the subject's research id; StudyID is made of the new StudyInstanceUID.",
        ),
    )


def _dates_section(profile: Profile) -> Section:
    policy = profile.policy
    text = "Dates and times are removed, emptied or replaced, also those of attributes that the table does not list."
    if profile.full_dates:
        text = "Dates and times are kept. Date of birth is not."
    if profile.modified_dates:
        whose = "of a patient within the project" if policy.shift_by == "patient" else "of a study"
        text = f"""All DA and DT values {whose} move by one keyed number of days, 1 to {policy.max_shift_days} into the
            past, unless the request names another; also those of attributes that the table does not list, at every
            level. Times of day, fractions and zones stay, so intervals and decay times do. A value that cannot be read,
            or is less precise than a day, is emptied and counted."""
    return Section("Dates and times", (_text(text), f"(0028,0303) says {profile.dates}."))


def _descriptors_section(profile: Profile) -> Section:
    text = "Descriptions are removed, emptied or replaced as the table says."
    if profile.clean_text:
        text = f"""Of descriptions, only words of a shipped list stay ({len(vocabulary())} of anatomy and imaging), and
            short measures; what follows is true of them as well."""
    cut = """From all text that stays, at every level and in every character set, the patient's and others' names, ids,
        numbers, addresses, telephone numbers and dates are cut, as they were found in any instance of the study, in
        their usual spellings."""
    ages = "Ages are treated as the table says."
    if "retain_patient_characteristics" in profile.options:
        ages = f"""Ages become the nearest multiple of {profile.policy.round_age_years} years; those of 90 and more
            become 90."""
    return Section("Descriptions and other text", (_text(text), _text(cut), _text(ages)))


def _uids_section(profile: Profile, project: str) -> Section:
    text = f"""A UID is replaced by `2.25.` and 128 bits of its keyed hash. The same original gives the same new UID in
        all transfers of the project {project}, in attributes and references alike, and another one in other projects.
        UIDs of classes, syntaxes, coding schemes and well-known frames stay."""
    return Section("UIDs", ("UIDs are kept." if profile.keep_uids else _text(text),))


def _unlisted_section(profile: Profile) -> Section:
    unknown = "removed" if profile.policy.unlisted == "remove" else "treated by their VR"
    known = """Of attributes that PS3.6 knows and the table does not list, names of persons are removed or emptied,
        dates and UIDs treated as above, all others kept without identifiers."""
    graphics = "Curves and overlays are removed, group lengths, trailing padding and digital signatures as well."
    if "clean_graphics" in profile.options:
        graphics = """Overlays that are regions of interest and curves are kept, their text cleaned; other overlays are
            removed, since text drawn into them is not told from the rest. Text of annotations is cleaned."""
    return Section(
        "Attributes that the table does not list",
        (
            _text(known),
            f"Attributes that neither knows, such as those of later editions, are {unknown}.",
            _text(graphics),
        ),
    )


def _private_section(profile: Profile) -> Section:
    policy = profile.policy
    texts = {
        "remove": "Private elements are removed.",
        "keep-list": "Private elements are removed but for those listed here.",
        "safe": f"""Private elements are removed but for {len(safe_elements())} that table E.3.10-1 or The Cancer
            Imaging Archive know to be safe, and those that the object itself declares in (0008,0300).""",
    }
    treated = "What is kept is treated by its VR, as all other text, dates and UIDs are."
    csa = ("Siemens CSA headers are kept, names, dates and UIDs in them overwritten.",)
    return Section(
        "Private attributes",
        (_text(texts[policy.private_mode]), treated),
        (*(f"kept: `{text}`" for text in policy.private.keep), *(csa if policy.private.csa_header else ())),
    )


def _pixels_section(policy: ProjectPolicy) -> Section:
    text = "Burned-in text is looked for in every frame and painted over." if policy.pixels.rewrite else "Not changed."
    return Section("Pixel data", (text, "Icon images are removed. Recognizable visual features are not cleaned."))


def _rules_section(profile: Profile) -> Section:
    rules = profile.policy.rules
    if not rules:
        return Section("Rules of the project", ("None.",))
    return Section(
        "Rules of the project",
        ("A path beats a tag, a tag beats a VR, and all beat the table. The first that applies is used.",),
        tuple(_said(rule) for rule in rules),
    )


def _said(rule: Rule) -> str:
    given = rule.model_dump(exclude_none=True, exclude={"tag", "vr", "private", "path", "action", "when", "table"})
    arguments = ", ".join(f"{name} {value!r}" for name, value in given.items())
    text = (
        f"`{rule.tag or rule.private or rule.path or rule.vr}`: {rule.action}{f' ({arguments})' if arguments else ''}"
    )
    if rule.when is not None:
        condition = rule.when.model_dump(exclude_none=True, exclude_defaults=True, by_alias=True)
        text += ", when " + ", ".join(f"{name} {value!r}" for name, value in condition.items())
    if rule.action == "keep" and _direct(rule):
        text += ". **This keeps a direct identifier.**"
    return text


def _direct(rule: Rule) -> bool:
    """Whether a rule keeps what names a person or a case."""
    selector = rule.selector
    if isinstance(selector, PathSelector):
        selector = selector.steps[-1]
    if not isinstance(selector, TagSelector):
        return selector == "PN"
    vr, keyword = dictionary_entry(selector.bits)
    return vr == "PN" or keyword.startswith("PatientBirth") or keyword in NUMBERS | PHRASES | PHONES
