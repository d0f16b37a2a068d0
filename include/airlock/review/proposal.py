"""A decision becomes a rule: a file for the location library, proposed for review like code.

The file is a pixel script in CTP's syntax, as `config/pixel_locations` holds them: a signature of tests joined by `*`,
then rectangles `(left, top, width, height)`.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from airlock.errors import InvalidRequest
from airlock.findings import Box
from airlock.review.pictures import Picture
from airlock.workspace import write_atomically

FOLDER = "proposals"


def propose_location(home: Path, picture: Picture, boxes: list[Box], person: str) -> Path:
    """Write a proposal to mask rectangles in every picture of this device and size; return its file.

    :param home: `AIRLOCK_HOME`; the same proposal is written once.
    :param boxes: in pixels; it names no instance, and nothing of a patient.
    :raises InvalidRequest: when the header doesn't tell the device, or tells it in signs that a script can't hold.
    """
    manufacturer, model = picture.device
    values = (picture.modality, manufacturer, model)
    if not boxes or not all(values):
        raise InvalidRequest("The header does not tell modality, manufacturer and model, or there is no rectangle.")
    if any(sign in value for value in values for sign in '"{}\\\n\r'):
        raise InvalidRequest("The device's name has signs that a location file cannot hold. Write the rule by hand.")
    tests = [
        f'Modality.equals("{picture.modality}")',
        f'Manufacturer.equals("{manufacturer}")',
        f'ManufacturerModelName.equals("{model}")',
        f'Rows.equals("{picture.rows}")',
        f'Columns.equals("{picture.columns}")',
    ]
    places = [f"({x0}, {y0}, {x1 - x0}, {y1 - y0})" for x0, y0, x1, y1 in sorted(set(boxes))]
    rule = "{ " + "\n  * ".join(tests) + " }\n" + "\n".join(places) + "\n"
    name = f"review-{hashlib.sha256(rule.encode()).hexdigest()[:12]}"
    target = home / FOLDER / f"{name}.script"
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not target.exists():
        safe_person = "".join(c for c in person if c.isalnum() or c in "._@-")
        write_atomically(target, f"{name}, proposed by {safe_person or 'a reviewer'}\n{rule}")
    return target
