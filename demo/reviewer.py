"""The person of the demonstration: answers the review gates through what the review page itself calls."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from demo.airflow import Airflow

RELEASE, MASK = "Release", "Mask and check again"
COLOURS = {"reviewer": (90, 200, 255)}
FOUND = (255, 170, 60)
GAP, BAR = 12, 36
CONFLICT = 409


@dataclass
class Reviewer:
    """Draws a rectangle at the first gate and wants to see the result, releases what the second gate shows.

    :param say: prints one line.
    :param sheets: a picture of what was decided, as PNG, by transfer id: it shows what was burned in.
    """

    airflow: Airflow
    say: Callable[[str], None]
    sheets: dict[str, bytes] = field(default_factory=dict)
    _given: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)

    def __call__(self, transfer_id: str, gate: str) -> None:
        """Answer one question; asked again, the same."""
        if (transfer_id, gate) in self._given:
            self._send(transfer_id, gate)
            return
        facts = self._call("GET", f"review/{transfer_id}").json()
        if not facts["waiting"] or facts["gate"] != gate:
            return
        [instance] = facts["instances"]
        counts = f"{facts['counts']['boxes']} rectangles in {instance['frames']} frames"
        if gate == "review_findings":
            digest = self._draw(transfer_id, instance)
            self._answer(transfer_id, gate, MASK, "not given", digest)
            self.say(f"    {gate}: {counts} shown; the reviewer draws one more in every frame and answers “{MASK}”")
            return
        self.sheets[transfer_id] = self._sheet(transfer_id, instance)
        self._answer(transfer_id, gate, RELEASE, "everything is masked", facts["digest"])
        self.say(f"    {gate}: {counts} masked, nothing else was found; the reviewer answers “{RELEASE}”")

    def _draw(self, transfer_id: str, instance: dict[str, Any]) -> str:
        """Draw a rectangle into the right half of every frame; return the digest of what was saved."""
        rows, columns = instance["rows"], instance["columns"]
        drawn = [columns * 5 // 8, rows // 2, columns * 3 // 4, rows * 5 // 8]
        known = {int(number): [box[:4] for box in boxes] for number, boxes in instance["boxes"].items()}
        frames = {number: [*known.get(number, []), drawn] for number in range(instance["frames"])}
        body = {"instances": {instance["id"]: {"frames": frames}}}
        return str(self._call("PUT", f"review/{transfer_id}/rectangles", json=body).json()["digest"])

    def _answer(self, transfer_id: str, gate: str, option: str, reason: str, digest: str) -> None:
        params = {"reason": reason, "rectangles": digest}
        self._given[transfer_id, gate] = {"chosen_options": [option], "params_input": params}
        self._send(transfer_id, gate)

    def _send(self, transfer_id: str, gate: str) -> None:
        path = f"dags/transfer/dagRuns/{transfer_id}/taskInstances/{gate}/-1/hitlDetails"
        answer = self.airflow.api("PATCH", path, json=self._given[transfer_id, gate], check=False)
        if answer.status_code != CONFLICT:  # it was answered, and Airflow has not gone on yet
            answer.raise_for_status()

    def _sheet(self, transfer_id: str, instance: dict[str, Any]) -> bytes:
        """Return the middle frame as the page shows it: with the rectangles, and masked."""
        number = instance["frames"] // 2
        before, after = (self._picture(transfer_id, instance["id"], number, which) for which in ("original", "masked"))
        draw = ImageDraw.Draw(before)
        for x0, y0, x1, y1, source, *_ in instance["boxes"].get(str(number), []):
            draw.rectangle((x0, y0, x1 - 1, y1 - 1), outline=COLOURS.get(source, FOUND), width=2)
        sheet = Image.new("RGB", (2 * before.width + 3 * GAP, before.height + BAR + GAP), (32, 36, 42))
        labels = ImageDraw.Draw(sheet)
        named = (("found, and drawn by the reviewer", before), ("masked", after))
        for place, (label, picture) in enumerate(named):
            left = GAP + place * (before.width + GAP)
            labels.text((left, 8), label, fill=(235, 235, 235), font=ImageFont.load_default(18))
            sheet.paste(picture, (left, BAR))
        content = io.BytesIO()
        sheet.save(content, "PNG")
        return content.getvalue()

    def _picture(self, transfer_id: str, instance: str, frame: int, which: str) -> Image.Image:
        answer = self._call("GET", f"review/{transfer_id}/{instance}/{frame}.png", params={"which": which})
        return Image.open(io.BytesIO(answer.content)).convert("RGB")

    def _call(self, method: str, path: str, **arguments: Any) -> Any:
        return self.airflow.page(method, f"airlock/api/{path}", **arguments)
