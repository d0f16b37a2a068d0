"""The pickled model (`AnonymizerModel.pkl`) of the RSNA anonymizer, version 17, read without running any of it.

A pickle is a program. Here nothing that it names is looked up: every class and function becomes a place-holder that
keeps what it is given, so that only dictionaries, lists, texts and numbers come out.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from airlock.identity.mappings import Mappings, OldStudy, UnreadableMappings

_LARGEST = 4 << 30
_ODD = "The file is not the model of an RSNA anonymizer of version 17 (AnonymizerModel.pkl)."


class Inert:
    """Stands for an object of a class that is not looked up."""

    def __init__(self, *given: Any, **_named: Any) -> None:
        self.given = given
        self.items: dict[Any, Any] = {}
        self.listed: list[Any] = []
        self.state: Any = None

    def __new__(cls, *_given: Any, **_named: Any) -> Inert:
        """Make one that keeps what it is given."""
        made = super().__new__(cls)
        # A pickle may make an object without calling __init__.
        made.given, made.items, made.listed, made.state = _given, {}, [], None
        return made

    def __call__(self, *given: Any, **_named: Any) -> Inert:
        """Stand for what a function would return."""
        return Inert(*given)

    def __setitem__(self, key: Any, value: Any) -> None:
        self.items[key] = value

    def append(self, value: Any) -> None:
        """Keep a member of what would be a list."""
        self.listed.append(value)

    def extend(self, values: Any) -> None:
        """Keep members of what would be a list."""
        self.listed.extend(values)

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def __hash__(self) -> int:
        return id(self)

    def __eq__(self, other: object) -> bool:
        return self is other


class _Reader(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str, /) -> Any:
        if (module_name, global_name) == ("collections", "OrderedDict"):
            return dict
        return type("Inert", (Inert,), {})

    def persistent_load(self, pid: Any, /) -> Any:
        raise UnreadableMappings(_ODD)


def read_v17(path: Path) -> Mappings:
    """Read patients, studies, accession numbers and UIDs.

    :raises UnreadableMappings: when the file is something else.
    """
    model = _attributes(_load(path))
    mappings = Mappings("rsna-v17")
    subjects, people = _pairs(model.get("_patient_id_lookup")), _pairs(model.get("_phi_lookup"))
    uids, accessions = _pairs(model.get("_uid_lookup")), _pairs(model.get("_acc_no_lookup"))
    if not subjects or not people:
        raise UnreadableMappings(_ODD)
    for patient_id, subject in subjects.items():
        person = _attributes(people.get(subject))
        studies = [_attributes(study) for study in person.get("studies") or []]
        offsets = [study.get("anon_date_delta") for study in studies]
        offset = next((days for days in offsets if isinstance(days, int)), None)
        if mappings.add_patient(str(patient_id), str(subject), str(person.get("patient_name") or ""), offset):
            for study in studies:
                _add_study(mappings, str(patient_id), study, uids, accessions)
    for original, new in uids.items():
        mappings.add_uid(str(original), str(new))
    return mappings


def _load(path: Path) -> Any:
    if path.stat().st_size > _LARGEST:
        raise UnreadableMappings("The file is larger than 4 GiB.")
    try:
        with path.open("rb") as stream:
            return _Reader(stream).load()
    except UnreadableMappings:
        raise
    except Exception:  # noqa: BLE001 - a pickle that was not written by the program can fail in any way
        raise UnreadableMappings(_ODD) from None


def _attributes(value: Any) -> dict[str, Any]:
    """Return what would be the attributes of an object; those in slots come as the second of two."""
    state = value.state if isinstance(value, Inert) else None
    if isinstance(state, tuple):
        state = {name: part for half in state if isinstance(half, dict) for name, part in half.items()}
    return state if isinstance(state, dict) else {}


def _pairs(value: Any) -> dict[Any, Any]:
    """Return the content of a dictionary or of a two-way one (bidict), which pickles as a call with a dictionary.

    Later builds of version 17 used the latter.
    """
    if isinstance(value, dict):
        return value
    if not isinstance(value, Inert):
        return {}
    found = next((_pairs(part) for part in _parts(value) if _pairs(part)), {})
    inverted = any(part is True for part in value.given)
    return {new: old for old, new in found.items()} if inverted else found


def _parts(value: Inert) -> Iterator[Any]:
    yield from value.given
    yield value.items
    if isinstance(value.state, dict):
        yield value.state.get("_fwdm")


def _add_study(
    mappings: Mappings, patient_id: str, study: dict[str, Any], uids: dict[Any, Any], accessions: dict[Any, Any]
) -> None:
    uid, accession = str(study.get("study_uid") or ""), str(study.get("accession_number") or "")
    series = [_attributes(one) for one in study.get("series") or []]
    date = str(study.get("study_date") or "")
    days = study.get("anon_date_delta")
    if uid in uids:
        old = OldStudy(
            patient_id=patient_id.strip(),
            study_uid=uid,
            offset_days=days if isinstance(days, int) else None,
            study_date=date if date.isascii() and date.isdigit() and len(date) == 8 else "",
            accession=accession,
            series=len(series),
            instances=sum(n for one in series if isinstance(n := one.get("instance_count"), int)),
        )
        mappings.add_study(old, str(uids[uid]))
        for one in series:
            series_uid = str(one.get("series_uid") or "")
            if series_uid in uids:
                mappings.add_uid(series_uid, str(uids[series_uid]), patient_id)
    mappings.add_accession(patient_id, accession, str(accessions.get(accession) or ""))
