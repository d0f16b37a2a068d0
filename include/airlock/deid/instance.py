"""One instance: read, de-identify, write. Runs in worker processes and in none."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath

from pydicom.dataset import Dataset

from airlock.deid.engine import Engine
from airlock.deid.marks import stamp_method, stamp_subject
from airlock.deid.profile import Profile
from airlock.deidentify_policy import DeidentifyPolicy
from airlock.dicomio.part10 import Instance, open_instance
from airlock.dicomio.splice import write_instance
from airlock.errors import InstanceNotUnderstood
from airlock.identity.harvest import Evidence
from airlock.identity.identifiers import Identifiers
from airlock.identity.keys import KeyRing
from airlock.identity.uids import UidMap, is_registered

_STORAGE_ROOT = "1.2.840.10008.5.1.4."


@dataclass(frozen=True, repr=False)
class Recipe:
    """How the instances of one patient are de-identified. It holds patient data: never log it.

    :param days: offset of dates.
    :param uids: original to new UIDs; made with `keys` when None.
    :param accessions: original to new accession numbers; others are treated as the profile says.
    :param study_id: of the output; made from the new StudyInstanceUID when None.
    :param policy: what the project says beyond edition and options.
    """

    keys: KeyRing
    project: str
    subject: str
    event: str
    edition: str
    options: tuple[str, ...]
    days: int
    evidence: Evidence
    uids: UidMap | None = field(default=None, kw_only=True)
    accessions: Mapping[str, str] = field(default_factory=dict, kw_only=True)
    study_id: str | None = field(default=None, kw_only=True)
    policy: DeidentifyPolicy = field(default=DeidentifyPolicy(), kw_only=True)


@dataclass(frozen=True)
class Written:
    """An instance that was written.

    :param path: below the output folder: its place, or the name that was asked for.
    :param place: `<StudyInstanceUID>/<SeriesInstanceUID>/<SOPInstanceUID>.dcm` with the new UIDs.
    :param size: in bytes.
    :param unreadable_dates: dates that could not be moved and were emptied.
    """

    path: str
    place: str
    sop_class_uid: str
    sop_instance_uid: str
    size: int
    unreadable_dates: int


class Deidentifier:
    """De-identifies the instances of one patient.

    :raises PolicyError: when the options cannot be used.
    """

    def __init__(self, recipe: Recipe) -> None:
        self._recipe = recipe
        self._profile = Profile(recipe.edition, recipe.options, recipe.policy)
        self._uids = recipe.uids or UidMap(recipe.keys, recipe.project)

    @cached_property
    def identifiers(self) -> Identifiers:
        """What is cut from every text that is kept."""
        evidence, recipe = self._recipe.evidence, self._recipe
        if self._profile.keep_uids:
            evidence = Evidence(**{**vars(evidence), "uids": set()})
        public = (recipe.subject, recipe.project, recipe.event)
        return Identifiers(evidence, public, keep_dates=self._profile.full_dates)

    @cached_property
    def _engine(self) -> Engine:
        recipe = self._recipe
        key = recipe.keys.derive("value", recipe.project)
        return Engine(self._profile, self._uids, self.identifiers, recipe.days, key)

    def process(self, source: Path, folder: Path, *, pixels_rewritten: bool, name: str | None = None) -> Written:
        """De-identify one file.

        :param folder: where the output goes, below it under its new UIDs.
        :param pixels_rewritten: whether burned-in text was removed from this instance.
        :param name: path below `folder` to use instead.
        :raises InstanceNotUnderstood: when it must be held; the text says why, free of values.
        :raises OSError: when a file cannot be read or written.
        """
        with open_instance(source) as instance:
            try:
                return self._process(instance, folder, pixels_rewritten, name)
            except (InstanceNotUnderstood, OSError, MemoryError, RecursionError):
                raise
            except Exception as error:  # noqa: BLE001 - whatever a library says quotes values of the dataset
                raise InstanceNotUnderstood(
                    f"It could not be de-identified ({type(error).__name__} at {_where(error)})."
                ) from None

    def _process(self, instance: Instance, folder: Path, pixels_rewritten: bool, name: str | None) -> Written:
        dataset = instance.dataset
        check_identity(dataset)
        recipe = self._recipe
        accession = (
            recipe.accessions.get(str(dataset.get("AccessionNumber", "")).strip()) if recipe.accessions else None
        )
        outcome = self._engine.apply(dataset)
        if accession is not None:
            dataset.AccessionNumber = accession
        stamp_subject(dataset, recipe.subject, recipe.project, recipe.event, self._study_id(dataset))
        stamp_method(dataset, self._profile, recipe.edition, pixels_rewritten=pixels_rewritten)
        uids = [str(dataset.StudyInstanceUID), str(dataset.SeriesInstanceUID), str(dataset.SOPInstanceUID)]
        place = f"{uids[0]}/{uids[1]}/{uids[2]}.dcm"
        path = name or place
        size = write_instance(instance, folder / PurePosixPath(path))
        return Written(path, place, str(dataset.SOPClassUID), uids[2], size, outcome.unreadable_dates)

    def _study_id(self, dataset: Dataset) -> str:
        """Return a StudyID (SH, 16 characters) of digits, made from the new StudyInstanceUID."""
        if self._recipe.study_id is not None:
            return self._recipe.study_id
        key = self._recipe.keys.derive("study-id", self._recipe.project)
        digest = hmac.digest(key, str(dataset.StudyInstanceUID).encode(), "sha256")
        return f"{int.from_bytes(digest[:8], 'big') % 10**16:016d}"


def check_identity(dataset: Dataset) -> None:
    """Check that a dataset says what it is and where it belongs.

    :raises InstanceNotUnderstood: when it does not.
    """
    if "DirectoryRecordSequence" in dataset:
        raise InstanceNotUnderstood("It is a DICOMDIR, which describes other files. Send the files themselves.")
    for keyword in ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"):
        value = dataset.get(keyword, None)
        if not isinstance(value, str) or not value.strip(" \0"):
            raise InstanceNotUnderstood(f"It has no usable {keyword}.")
    sop_class = str(dataset.SOPClassUID)
    if not is_registered(sop_class) and not sop_class.startswith(_STORAGE_ROOT):
        raise InstanceNotUnderstood("Its SOP class is private: what its content means is not known.")


def _where(error: BaseException) -> str:
    """Return file and line of the innermost frame: they say where to look, and hold no values."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace is not None else "unknown place"
