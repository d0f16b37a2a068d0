"""Make the shipped list of safe private elements: `python -m airlock.deid.build_private --help`.

It joins table E.3.10-1 of PS3.15 with the dispositions that The Cancer Imaging Archive publishes of the private
elements that it has seen (Apache-2.0): those that it keeps, wherever it has seen them, and never removes.
"""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

import click

from airlock.deid.build_profile import read_rows, write_document

# A signature is the path of an element; its last part is the element itself: (gggg,"CREATOR",ee).
_SIGNATURE = re.compile(r'\(([0-9a-fA-F]{4}),"?([^"<>()]+)"?,([0-9a-fA-F]{2})\)$')
_STANDARD = re.compile(r"\(([0-9A-Fa-f]{4}),xx([0-9A-Fa-f]{2})\)")
_UNTYPED = frozenset(("", "UN", "OB"))
# What the archive keeps of these says where an object was: sites and projects, accession numbers, AE titles.
_OF_PLACES = frozenset(("CTP", "SECTRA_Ident_01", "INTELERAD MEDICAL SYSTEMS"))
Key = tuple[str, str, str]


def standard_elements(path: Path) -> dict[Key, set[str]]:
    """Return VRs by (creator, group, element) of table E.3.10-1."""
    found: dict[Key, set[str]] = {}
    for row in read_rows(path):
        match = _STANDARD.fullmatch(row["element"])
        if match:
            key = row["private_creator"].strip(), match[1].upper(), match[2].upper()
            found.setdefault(key, set()).add(row["vr"])
    return found


def archive_elements(path: Path) -> dict[Key, set[str]]:
    """Return VRs by (creator, group, element) of what the archive keeps in every case."""
    dispositions: dict[Key, set[str]] = defaultdict(set)
    vrs: dict[Key, set[str]] = defaultdict(set)
    for row in read_rows(path):
        match = _SIGNATURE.search(row["element_sig_pattern"])
        if match is None or not int(match[1], 16) & 1:
            continue
        if not match[2].startswith("Unnamed") and match[2] not in _OF_PLACES:
            key = match[2].strip(), match[1].upper(), match[3].upper()
            dispositions[key].add(row["private_disposition"].strip().lower())
            vrs[key].add(row["vr"].strip())
    return {key: vrs[key] for key, said in dispositions.items() if "k" in said and said <= {"k", "na", ""}}


def document(standard: Path, archive: Path) -> dict[str, object]:
    """Return the shipped list: `{creator: {group: "element:VR element:VR"}}`, VR empty when it is not known."""
    merged = archive_elements(archive)
    for key, vrs in standard_elements(standard).items():
        merged[key] = vrs | (merged.get(key, set()) - _UNTYPED if vrs <= _UNTYPED else set())
    creators: dict[str, dict[str, list[str]]] = {}
    for (creator, group, element), vrs in sorted(merged.items()):
        typed = sorted(vrs - _UNTYPED)
        vr = typed[0] if len(typed) == 1 else "" if typed else "UN"
        creators.setdefault(creator, {}).setdefault(group, []).append(f"{element}:{vr}")
    return {
        "source": "DICOM PS3.15 Table E.3.10-1; TCIA private tag knowledge base of 2024-02-01 (Apache-2.0)",
        "elements": {
            creator: {group: " ".join(elements) for group, elements in groups.items()}
            for creator, groups in creators.items()
        },
    }


@click.command()
@click.option("--standard", type=click.Path(exists=True, path_type=Path), required=True, help="Table E.3.10-1 as CSV.")
@click.option("--archive", type=click.Path(exists=True, path_type=Path), required=True, help="TCIA's signatures.")
@click.argument("folder", type=click.Path(file_okay=False, exists=True, path_type=Path))
def main(standard: Path, archive: Path, folder: Path) -> None:
    """Write safe_private.json into FOLDER."""
    write_document(folder / "safe_private.json", document(standard, archive))


if __name__ == "__main__":
    main()
