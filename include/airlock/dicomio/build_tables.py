"""Make the shipped tables of PS3.6 from those of the installed pydicom: `python -m airlock.dicomio.build_tables`.

The files below `tables/` are read by :mod:`airlock.dicomio.dictionary`. Whoever installs another pydicom makes them
anew; a test says when that is needed.
"""

from __future__ import annotations

from pathlib import Path

from pydicom._dicom_dict import DicomDictionary, RepeatersDictionary
from pydicom._uid_dict import UID_dictionary

from airlock.dicomio.dictionary import Entry

FOLDER = Path(__file__).parent / "tables"


def tables() -> dict[str, str]:
    """Return the content of each file, by its name."""
    attributes = sorted(_line(f"{tag:08X}", found) for tag, found in DicomDictionary.items())
    repeating = sorted(_line(mask, found) for mask, found in RepeatersDictionary.items())
    uids = sorted(",".join((uid, found[1], found[4])) for uid, found in UID_dictionary.items())
    return {
        "attributes.csv": "\n".join(attributes),
        "repeating.csv": "\n".join(repeating),
        "uids.csv": "\n".join(uids),
    }


def _line(tag: str, found: Entry) -> str:
    vr, multiplicity, name, retired, keyword = found
    return ",".join((tag, vr, multiplicity, retired, keyword, name))


def main() -> None:
    """Write the files."""
    FOLDER.mkdir(exist_ok=True)
    for name, content in tables().items():
        (FOLDER / name).write_text(content, "utf-8", newline="\n")


if __name__ == "__main__":
    main()
