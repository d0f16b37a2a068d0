"""Decode JPEG of 12 bits (process 4, JPEG Extended), which pydicom leaves out.

GDCM does it as DCMTK's decoder does, value by value. It does not tell what a damaged stream gives from pixels: the
stream's own header is read here, and a stream that has no end is refused.
"""

from __future__ import annotations

import struct

import gdcm
import numpy as np
import numpy.typing as npt
from pydicom import Dataset

from airlock.errors import InstanceNotUnderstood

_EXTENDED = 0xC1
_STANDALONE = {0x01, *range(0xD0, 0xD9)}
_END = b"\xff\xd9"


def decode_12_bits(content: bytes, header: Dataset) -> npt.NDArray[np.uint16]:
    """Return a grey frame, `(rows, columns)`.

    :param content: one JPEG picture (ISO/IEC 10918-1).
    :param header: the image pixel module.
    :raises InstanceNotUnderstood: when the picture is not what the header says, or is cut off.
    """
    rows, columns, stored = int(header.Rows), int(header.Columns), int(header.BitsStored)
    if int(header.get("SamplesPerPixel") or 1) != 1:
        raise InstanceNotUnderstood("it has JPEG colours of more than 8 bits")
    if int(header.get("PixelRepresentation") or 0):
        raise InstanceNotUnderstood("it has signed values in JPEG of 12 bits")
    if _frame_header(content) != (_EXTENDED, 12, rows, columns, 1):
        raise InstanceNotUnderstood("its JPEG picture is not the one that its header says")
    if not content.rstrip(b"\0").endswith(_END):
        raise InstanceNotUnderstood("its JPEG picture is cut off")
    values = np.frombuffer(_decode(content, header), "<u2")
    if values.size != rows * columns or int(values.max()) >> stored:
        raise InstanceNotUnderstood("its JPEG picture is not the one that its header says")
    return values.reshape(rows, columns)


def _frame_header(content: bytes) -> tuple[int, int, int, int, int] | None:
    """Return marker, precision, lines, columns and components of the frame header (ISO/IEC 10918-1 section B.2.2)."""
    position = 2
    while position + 10 <= len(content) and content[position] == 0xFF:
        marker = content[position + 1]
        if marker == 0xFF:  # a fill byte
            position += 1
        elif marker in _STANDALONE:
            position += 2
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return (marker, *struct.unpack(">BHHB", content[position + 4 : position + 10]))
        else:
            position += 2 + int.from_bytes(content[position + 2 : position + 4], "big")
    return None


def _decode(content: bytes, header: Dataset) -> bytes:
    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(content)
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((int(header.Columns), int(header.Rows), 1))
    image.SetDataElement(element)
    kind = gdcm.PhotometricInterpretation
    image.SetPhotometricInterpretation(kind(kind.GetPIType(str(header.PhotometricInterpretation))))
    image.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.JPEGExtendedProcess2_4))
    image.SetPixelFormat(gdcm.PixelFormat(1, 16, 12, 11, 0))
    # Bytes come as text, each byte that is not UTF-8 as a surrogate.
    return bytes(image.GetBuffer().encode("utf-8", "surrogateescape"))
