"""One instance: read, de-identify, write. Runs in worker processes and in none."""

from __future__ import annotations

import re
from functools import cached_property

from airlock.deid.basis import Basis, shared_profile
from airlock.deid.marks import stamp_method, stamp_subject
from airlock.deid.recipe import Recipe, Written
from airlock.deid.stream.file import Place, Streamed, Streamer
from airlock.errors import InstanceNotUnderstood
from airlock.identity.identifiers import Identifiers
from airlock.identity.keyed import keyed_digest
from airlock.identity.uids import UidMap, is_registered
from airlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from pydicom.dataset import Dataset

    from airlock.deid.engine import Engine
    from airlock.dicomio.head import Head
    from airlock.dicomio.part10 import Instance
    from airlock.identity.stream import Teller

__all__ = ["Deidentifier", "Recipe", "Written"]

_STORAGE_ROOT = "1.2.840.10008.5.1.4."
_IDENTITY = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")


class Deidentifier:
    """De-identifies the instances of one patient.

    `left_to_plain` counts the files that only the plain engine could treat.

    :param asked_of: makes of evidence what is asked for identifiers.
    :param keys: tags that :meth:`stream` returns.
    :raises PolicyError: when the options cannot be used.
    """

    def __init__(self, recipe: Recipe, asked_of: type[Identifiers] = Identifiers, keys: tuple[int, ...] = ()) -> None:
        self._recipe, self._asked_of, self._keys = recipe, asked_of, keys
        self.left_to_plain = 0
        self._profile = shared_profile(recipe.edition, recipe.options, recipe.policy)
        self._uids = recipe.uids or UidMap(recipe.keys, recipe.project)

    @cached_property
    def identifiers(self) -> Identifiers:
        """What is cut from every text that is kept."""
        evidence, recipe = self._recipe.evidence, self._recipe
        if self._profile.keep_uids:
            evidence = evidence.without_uids()
        public = (recipe.subject, recipe.project, recipe.event)
        return self._asked_of(evidence, public, keep_dates=self._profile.full_dates)

    @cached_property
    def _basis(self) -> Basis:
        recipe = self._recipe
        key = recipe.keys.derive("value", recipe.project)
        return Basis(self._profile, self._uids, self.identifiers, recipe.days, key)

    @cached_property
    def _engine(self) -> Engine:
        from airlock.deid.engine import Engine  # noqa: PLC0415 - it imports pydicom, which few files need

        return Engine.on(self._basis)

    def process(self, source: Path, folder: Path, *, pixels_rewritten: bool, name: str | None = None) -> Written:
        """De-identify one file.

        :param folder: where the output goes, below it under its new UIDs.
        :param pixels_rewritten: whether burned-in text was removed from this instance.
        :param name: path below `folder` to use instead.
        :raises InstanceNotUnderstood: when it must be held; the text says why, free of values.
        :raises OSError: when a file cannot be read or written.
        """
        if self.can_stream:
            try:
                done = self._streamer.process(source, folder, _placer(name), pixels_rewritten=pixels_rewritten)
                return _written(done, _place(*done.uids))
            except Exception as error:
                if _is_final(error):
                    raise
                self.left_to_plain += 1
        from airlock.dicomio.part10 import open_instance  # noqa: PLC0415 - it imports pydicom, which few files need

        with open_instance(source) as instance:
            try:
                return self._plain(instance, folder, pixels_rewritten, name)
            except Exception as error:
                if _is_final(error) or isinstance(error, RecursionError):
                    raise
                raise InstanceNotUnderstood(
                    f"It could not be de-identified ({type(error).__name__} at {_where(error)})."
                ) from None

    def stream(
        self, head: Head, folder: str, name: str, teller: Teller | None = None
    ) -> tuple[Written, tuple[bytes, ...]]:
        """De-identify an open file with the streaming engine, without pixels that were rewritten.

        The file is written below a folder that nobody looks at meanwhile, under its new UIDs.

        :param name: path to use where there is a file under the same new UIDs.
        :param teller: is told of elements that were not seen before.
        :return: what was written, and the elements of `keys` as they were.
        :raises Exception: of any kind, when it cannot be done like this.
        """
        self._streamer.teller = teller
        done = self._streamer.process_head(head, folder, _by_uids, pixels_rewritten=False, otherwise=name)
        place = done.path if done.path != name else _place(*done.uids)
        return _written(done, place), done.keys

    @cached_property
    def can_stream(self) -> bool:
        """Whether what is done to an element depends on it and its place alone, for all but a few objects."""
        recipe, policy = self._recipe, self._recipe.policy
        asks_dataset = bool(policy.rules) or policy.private_mode != "remove" or policy.already_deidentified == "hold"
        return recipe.engine == "stream" and not asks_dataset and not recipe.accessions

    @cached_property
    def _streamer(self) -> Streamer:
        recipe = self._recipe
        written = recipe.subject + recipe.project + recipe.event
        # All that decides which attributes are stamped; of what is not ASCII, the character set may be, too.
        alike = (self._profile, bool(recipe.event)) if written.isascii() else None
        return Streamer(self._basis, check_identity, self._stamp, self._keys, alike)

    def _plain(self, instance: Instance, folder: Path, pixels_rewritten: bool, name: str | None) -> Written:
        dataset = instance.dataset
        check_identity(dataset)
        recipe = self._recipe
        accession = recipe.accessions.get(str(dataset.get("AccessionNumber", "")).strip())
        outcome = self._engine.apply(dataset)
        if accession is not None:
            dataset.AccessionNumber = accession
        self._stamp(dataset, pixels_rewritten)
        uids = [str(dataset[keyword].value) for keyword in _IDENTITY]
        place = _place(*uids)
        path = name or place
        from airlock.deid.remarks import spans_to_clear  # noqa: PLC0415 - as in `process`
        from airlock.dicomio.splice import write_instance  # noqa: PLC0415 - as in `process`

        size = write_instance(instance, folder / path, spans_to_clear(instance, self.identifiers))
        return Written(path, place, uids[0], uids[1], size, outcome.unreadable_dates)

    def _stamp(self, dataset: Dataset, pixels_rewritten: bool) -> None:
        """Write what every object carries: whose it is now, and how it was de-identified."""
        recipe = self._recipe
        stamp_subject(dataset, recipe.subject, recipe.project, recipe.event, self._study_id(dataset))
        stamp_method(dataset, self._profile, recipe.edition, pixels_rewritten=pixels_rewritten)

    def _study_id(self, dataset: Dataset) -> str:
        """Return a StudyID (SH, 16 characters) of digits, made from the new StudyInstanceUID."""
        if self._recipe.study_id is not None:
            return self._recipe.study_id
        key = self._recipe.keys.derive("study-id", self._recipe.project)
        digest = keyed_digest(key, str(dataset.StudyInstanceUID).encode())
        return f"{int.from_bytes(digest[:8], 'big') % 10**16:016d}"


def _placer(name: str | None) -> Place:
    return _by_uids if name is None else lambda _uids: name


def _by_uids(uids: tuple[str, str, str, str]) -> str:
    return _place(*uids)


def _written(done: Streamed, place: str) -> Written:
    sop_class, instance, _study, _series = done.uids
    return Written(done.path, place, sop_class, instance, done.size, done.unreadable_dates)


def _place(_sop_class_uid: str, instance_uid: str, study_uid: str, series_uid: str) -> str:
    return f"{study_uid}/{series_uid}/{instance_uid}.dcm"


def check_identity(dataset: Dataset) -> None:
    """Check that a dataset says what it is and where it belongs.

    :raises InstanceNotUnderstood: when it does not.
    """
    if "DirectoryRecordSequence" in dataset:
        raise InstanceNotUnderstood("It is a DICOMDIR, which describes other files. Send the files themselves.")
    for keyword in _IDENTITY:
        value = dataset.get(keyword, None)
        if not isinstance(value, str) or not value.strip(" \0"):
            raise InstanceNotUnderstood(f"It has no usable {keyword}.")
    sop_class = str(dataset.SOPClassUID).strip(" \0")
    if not re.fullmatch(r"[0-9.]+", sop_class):
        raise InstanceNotUnderstood("It has no usable SOPClassUID.")
    if not is_registered(sop_class) and not sop_class.startswith(_STORAGE_ROOT):
        raise InstanceNotUnderstood("Its SOP class is private: what its content means is not known.")


def _is_final(error: Exception) -> bool:
    """Whether an error says all that is to be said: it is our own, or the operating system's.

    What pydicom raises as an OSError of a damaged dataset has no number.
    """
    if isinstance(error, OSError):
        return error.errno is not None
    return isinstance(error, (InstanceNotUnderstood, MemoryError))


def _where(error: BaseException) -> str:
    """Return file and line of the innermost frame: they say where to look, and hold no values."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return "unknown place"
    return f"{trace.tb_frame.f_code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}"
