"""Picture: what must be known of an image to show it to a reviewer and to check what was drawn into it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from pydicom import Dataset, dcmread

from airlock.errors import InstanceNotUnderstood
from airlock.workspace import Workspace

TAGS = [
    "SOPClassUID",
    "SeriesInstanceUID",
    "SeriesNumber",
    "InstanceNumber",
    "Modality",
    "Manufacturer",
    "ManufacturerModelName",
    "Rows",
    "Columns",
    "NumberOfFrames",
]


@dataclass(frozen=True)
class Picture:
    """One image.

    :param series: original SeriesInstanceUID; never shown.
    :param device: Manufacturer and ManufacturerModelName; shown in proposals only.
    """

    series: str
    order: tuple[int, int]
    modality: str
    device: tuple[str, str]
    rows: int
    columns: int
    frames: int


def picture_of(workspace: Workspace, instance_id: str) -> Picture | None:
    """Return what is known of an instance's image; None when it has no pixels or cannot be read."""
    path = workspace.folder("incoming") / f"{instance_id}.dcm"
    try:
        return _read(path, path.stat().st_mtime_ns)
    except (InstanceNotUnderstood, OSError):
        return None


@lru_cache(maxsize=4096)
def _read(path: Path, _changed: int) -> Picture | None:
    try:
        return _picture(dcmread(path, stop_before_pixels=True, specific_tags=TAGS))
    except Exception as error:  # noqa: BLE001 - a hostile file makes the parser raise almost anything
        raise InstanceNotUnderstood(f"the file cannot be parsed ({type(error).__name__})") from None


def _picture(header: Dataset) -> Picture | None:
    if not header.get("Rows") or not header.get("Columns"):
        return None
    number = [int(header.get(keyword) or 0) for keyword in ("SeriesNumber", "InstanceNumber")]
    return Picture(
        series=str(header.get("SeriesInstanceUID") or ""),
        order=(number[0], number[1]),
        modality=str(header.get("Modality") or ""),
        device=(str(header.get("Manufacturer") or ""), str(header.get("ManufacturerModelName") or "")),
        rows=int(header.Rows),
        columns=int(header.Columns),
        frames=int(header.get("NumberOfFrames") or 1),
    )
