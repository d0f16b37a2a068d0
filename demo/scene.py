"""The four transfers of the demonstration: their studies, their requests, and how each must end."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydicom import dcmread
from pydicom.data import get_testdata_file

from airlock.dicomio.store import Outgoing, is_stored, send_files
from airlock.identity.keys import KeyRing
from airlock.ledger import TransferState
from airlock.request import TransferRequest
from airlock.workspace import write_atomically
from demo import phantoms
from demo.stack import Say, Stack

CT_STUDY = "dicomdirtests/98892001"
SAMPLES = ("MR_small.dcm", "CT_small.dcm", "dicomdirtests/77654033/CR1/6154", "examples_palette.dcm")


@dataclass(frozen=True)
class Case:
    """One transfer of the demonstration.

    :param title: what it shows.
    :param state: how it must end.
    :param restart: task to clear after it failed there, if any.
    :param picture: an original whose masked frame is shown before and after.
    :param boxes: whether text is masked.
    :param reviewed: whether a person is asked, twice.
    """

    title: str
    request: TransferRequest
    state: TransferState
    restart: str | None = None
    picture: Path | None = None
    frame: int = 0
    boxes: bool = False
    reviewed: bool = False

    def id(self, stack: Stack) -> str:
        """Return the transfer's id."""
        return self.request.transfer_id(KeyRing.load(stack.home / "secret" / "airlock.key"))


def prepare(stack: Stack, number: int, say: Say) -> list[Case]:
    """Make the studies, load the staging PACS, and return the four transfers.

    :param number: of this demonstration; its requests are new ones each time.
    """
    samples = [Path(str(get_testdata_file(name, download=False))) for name in SAMPLES]
    ct_folder = Path(str(get_testdata_file("CT_small.dcm", download=False))).parent / CT_STUDY
    ct_files = sorted(path for path in ct_folder.rglob("*") if path.is_file())
    loaded = _load_staging(stack, [*ct_files, *samples])
    say(f"Staging PACS: {loaded} sample instances loaded")

    cine = phantoms.ultrasound_cine(stack.home / "phantoms" / "us", phantoms.Patient.invent(1), frames=8)[0]
    capture = phantoms.ultrasound_cine(stack.home / "phantoms" / "us2", phantoms.Patient.invent(2), frames=3)[0]
    for file in (cine, capture):
        _put_into_raw(stack, file)
    say("Raw folder: two ultrasound cines with the patient's name burned in")

    def request(study: str, project: str, subject: str, **more: Any) -> TransferRequest:
        return TransferRequest.model_validate(
            {
                "study_instance_uid": study,
                "transfer_project_name": project,
                "transfer_name": subject,
                "redcap_repeat_instance": number,
                **more,
            }
        )

    ct_study = str(dcmread(ct_files[0], specific_tags=["StudyInstanceUID"]).StudyInstanceUID)
    us_study, us2_study = (str(dcmread(f, stop_before_pixels=True).StudyInstanceUID) for f in (cine, capture))
    from_pacs = {"source": {"method": "c-move", "connection": "staging_pacs"}}
    return [
        Case("CT series, by C-MOVE", request(ct_study, "demo", "DEMO-001", **from_pacs), TransferState.SENT),
        Case(
            "ultrasound with a name burned in, looked at by a person",
            request(us_study, "demo-reviewed", "DEMO-002"),
            TransferState.SENT,
            picture=cine,
            frame=5,
            boxes=True,
            reviewed=True,
        ),
        Case("unknown project", request(us_study, "not-a-project", "DEMO-003"), TransferState.REFUSED),
        Case(
            "research PACS refuses; restarted by Clear",
            request(us2_study, "demo-gated", "DEMO-004"),
            TransferState.SENT,
            restart="send_to_research",
            picture=capture,
            boxes=True,
        ),
    ]


def _load_staging(stack: Stack, files: list[Path]) -> int:
    outcomes = send_files(stack.staging, [Outgoing.of(str(number), path) for number, path in enumerate(files)])
    return sum(outcome.status is not None and is_stored(outcome.status) for outcome in outcomes)


def _put_into_raw(stack: Stack, file: Path) -> None:
    """Put an instance where a storage SCP would have left it."""
    header = dcmread(file, stop_before_pixels=True)
    folder = stack.home / "data" / "site" / "raw" / str(header.StudyInstanceUID) / str(header.SeriesInstanceUID)
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy2(file, folder / str(header.SOPInstanceUID))


def drop(stack: Stack, case: Case) -> None:
    """Drop the request file, as another program would."""
    content = json.loads(case.request.model_dump_json(exclude_none=True))
    folder = stack.home / "proc" / "transfer_requests"
    write_atomically(folder / case.request.file_name, json.dumps(content, indent=2, sort_keys=True))
