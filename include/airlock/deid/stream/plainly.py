"""One sequence, left to the plain engine."""

from __future__ import annotations

from io import BytesIO

from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset

from airlock.deid.basis import Basis
from airlock.deid.decide import TOP, Context
from airlock.deid.engine import Engine
from airlock.dicomio.quiet import quiet
from airlock.dicomio.splice import check_depth


def treat_plainly(
    basis: Basis, element: bytes, context: Context, sop_class_uid: str, encodings: list[str], *, implicit: bool
) -> tuple[bytes, int]:
    """Return what becomes of an encoded element, and how many dates in it could not be read.

    :param context: where it stands.
    :raises InstanceNotUnderstood: when something in it cannot be cleaned.
    """
    with quiet():
        dataset = read_dataset(BytesIO(element), implicit, True, parent_encoding=encodings, at_top_level=context == TOP)
        outcome = Engine.on(basis).apply(dataset, context, sop_class_uid)
        check_depth(dataset)
        buffer = DicomBytesIO()
        buffer.is_implicit_VR, buffer.is_little_endian = implicit, True
        write_dataset(buffer, dataset, encodings)
    return buffer.getvalue(), outcome.unreadable_dates
