"""What a DICOM file says of itself: the few attributes that tell where it belongs, read in bounded time and memory.

This is for the steps that pass files on as they are (retrieve, screen, deliver): it reads eight attributes, decodes
nothing else and stops early. The walk follows lengths only (PS3.5 section 7, PS3.10 section 7.1) and never reads more
than the file holds, so that an element that declares 3 GB in a file of 1 KB costs nothing. Errors name a category,
never a value. For a whole dataset that can be changed and written again, see :mod:`airlock.dicomio.part10`.
"""

from __future__ import annotations

import enum
import io
import os
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from airlock.dicomio.encodings import BIG_ENDIAN, DEFLATED, IMPLICIT, NotInflatable, inflate, is_known
from airlock.dicomio.walker import Broken, Walker
from airlock.errors import InstanceNotUnderstood

DICOMDIR = "1.2.840.10008.1.3.10"

_UID = re.compile(r"[0-9]+(\.[0-9]+)*")
_WANTED = {
    0x00080008: "image_type",
    0x00080016: "sop_class_uid",
    0x00080018: "sop_instance_uid",
    0x00080060: "modality",
    0x00080064: "conversion_type",
    0x00100020: "patient_id",
    0x0020000D: "study_instance_uid",
    0x0020000E: "series_instance_uid",
}
_LAST_WANTED = max(_WANTED)
_MAX_INFLATED_BYTES = 64 << 20
_MAX_EXTRA_BYTES = 4096


class Category(enum.StrEnum):
    """Why an instance is held before anything is done to it: six words of the RSNA DICOM Anonymizer, and our own."""

    INVALID_DICOM = "Invalid_DICOM"
    DICOM_READ_ERROR = "DICOM_Read_Error"
    MISSING_ATTRIBUTES = "Missing_Attributes"
    INVALID_STORAGE_CLASS = "Invalid_Storage_Class"
    CAPTURE_PHI_ERROR = "Capture_PHI_Error"
    STORAGE_ERROR = "Storage_Error"
    NOT_ALLOWED = "Not_Allowed"  # neither of the modalities nor of the SOP classes that the project lists
    VENDOR_REPORT = "Vendor_Report"
    SUSPICIOUS = "Suspicious_Header"
    CLASSIFIED = "Classified"


class UnreadableInstance(InstanceNotUnderstood):
    """A file is not DICOM, or cannot be read.

    :param category: one of the fixed words.
    :param detail: what is wrong, free of values.
    """

    def __init__(self, category: Category, detail: str) -> None:
        super().__init__(f"{category}: {detail}")
        self.category = category


@dataclass(frozen=True)
class Header:
    """The few attributes that decide where an instance goes; empty when absent. Its repr shows none of them.

    :param extra: VR (empty in implicit VR) and bytes of the attributes that were asked for besides; None instead of the
        bytes of a sequence, and of a value that is too long to be compared.
    """

    transfer_syntax_uid: str
    media_sop_class_uid: str
    media_sop_instance_uid: str
    values: Mapping[str, str]
    extra: Mapping[int, tuple[str, bytes | None]] = field(default_factory=dict)

    def __repr__(self) -> str:
        return "<Header>"

    def __getitem__(self, name: str) -> str:
        """Return `sop_class_uid`, `sop_instance_uid`, `study_instance_uid`, `series_instance_uid`, `modality`, ...

        Values of multi-valued attributes are joined with a backslash.
        """
        return self.values.get(name, "")


def read_header(path: Path, *, whole: bool = False, also: Collection[int] = ()) -> Header:
    """Read the header of a file (PS3.10).

    :param whole: follow the file to its end, so that a truncated one is found out.
    :param also: tags of further attributes of the top level to hand on undecoded; only with `whole`.
    :raises UnreadableInstance: when it is not DICOM or broken.
    :raises OSError: when the file cannot be opened or read.
    """
    with path.open("rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        if size == 0:
            raise UnreadableInstance(Category.INVALID_DICOM, "the file is empty")
        if stream.read(132)[128:] != b"DICM":
            raise UnreadableInstance(Category.INVALID_DICOM, "not a DICOM file (PS3.10 section 7.1)")
        try:
            meta = _read_meta(stream, size)
        except Broken as error:
            raise UnreadableInstance(Category.DICOM_READ_ERROR, f"file meta information: {error}") from None
        syntax = meta.get(0x00020010, "")
        if not syntax:
            raise UnreadableInstance(Category.MISSING_ATTRIBUTES, "no transfer syntax")
        extra: dict[int, tuple[str, bytes | None]] = {}
        values = read_values(stream, size, syntax, whole=whole, also=also, extra=extra)
        return Header(syntax, meta.get(0x00020002, ""), meta.get(0x00020003, ""), values, extra)


def read_values(
    stream: BinaryIO,
    size: int,
    transfer_syntax_uid: str,
    *,
    whole: bool = False,
    also: Collection[int] = (),
    extra: dict[int, tuple[str, bytes | None]] | None = None,
) -> dict[str, str]:
    """Read the wanted attributes of a dataset that starts where the stream stands.

    :param size: bytes from the start of the stream to its end.
    :param extra: gets the attributes `also`.
    :raises UnreadableInstance: when it is broken, or in an encoding that is not known.
    """
    if not is_known(transfer_syntax_uid):
        raise UnreadableInstance(Category.DICOM_READ_ERROR, "private or unknown transfer syntax")
    try:
        if transfer_syntax_uid == DEFLATED:
            data = inflate(stream, _MAX_INFLATED_BYTES)
            stream, size = io.BytesIO(data), len(data)
        walker = Walker(
            stream,
            size,
            implicit=transfer_syntax_uid == IMPLICIT,
            little_endian=transfer_syntax_uid != BIG_ENDIAN,
        )
        return _walk(walker, whole, also, {} if extra is None else extra)
    except (Broken, NotInflatable) as error:
        raise UnreadableInstance(Category.DICOM_READ_ERROR, str(error)) from None


def _read_meta(stream: BinaryIO, size: int) -> dict[int, str]:
    walker = Walker(stream, size, implicit=False, little_endian=True)
    meta: dict[int, str] = {}
    while _next_is_meta(stream) and (element := walker.next()) is not None:
        if element.tag in (0x00020002, 0x00020003, 0x00020010):
            meta[element.tag] = _text(walker.value(element), uid=True)
        else:
            walker.skip(element)
    return meta


def _next_is_meta(stream: BinaryIO) -> bool:
    # The dataset after the meta information may be in another encoding: look at the group only.
    position = stream.tell()
    group = stream.read(2)
    stream.seek(position)
    return group == b"\x02\x00"


def _walk(
    walker: Walker, whole: bool, also: Collection[int], extra: dict[int, tuple[str, bytes | None]]
) -> dict[str, str]:
    values: dict[str, str] = {}
    last = -1
    while (element := walker.next()) is not None:
        if element.tag <= last:
            raise Broken("its elements are not in order")
        last = element.tag
        if not whole and last > _LAST_WANTED:
            break
        name = _WANTED.get(element.tag)
        if name is None and last not in also:
            walker.skip(element)
            continue
        # Longer ones are read when the header needs them only, and then refused.
        raw = walker.value(element) if name is not None or element.length <= _MAX_EXTRA_BYTES else None
        if raw is None:
            walker.skip(element)
        if last in also:
            extra[last] = ((element.vr or b"").decode("latin-1"), raw)
        if name is not None and raw is not None:
            values[name] = _text(raw, uid=name.endswith("_uid"))
    return values


def _text(raw: bytes, *, uid: bool) -> str:
    text = raw.decode("latin-1").strip(" \0")
    if uid and text and (len(text) > 64 or not _UID.fullmatch(text)):
        raise Broken("a UID has characters that no UID has, or more than 64")
    return text
