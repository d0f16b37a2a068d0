"""A PACS that misbehaves on demand, in this process."""

from __future__ import annotations

import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pydicom import Dataset, dcmread
from pynetdicom import AE, build_context, build_role, evt
from pynetdicom.presentation import StoragePresentationContexts

from airlock.dicomio.association import AnswerQueue
from airlock.dicomio.commit import COMMITMENT
from airlock.dicomio.peer import Peer
from airlock.dicomio.syntaxes import RECEIVED, STUDY_ROOT_FIND, STUDY_ROOT_GET, STUDY_ROOT_MOVE, VERIFICATION
from demo.services import free_port

# How often a server looks whether it is to end, in seconds. The default is 0.5, and there is a server per test.
socketserver.BaseServer.serve_forever.__defaults__ = (0.02,)


def _only_for_who_waits(event: evt.Event) -> None:
    event.assoc.dimse.msg_queue = AnswerQueue()


# For associations that pynetdicom asks for: otherwise it loses an answer now and then, and gives up.
NO_ANSWER_LOST = [(evt.EVT_CONN_OPEN, _only_for_who_waits)]


class SimulatedPacs:
    """Keeps what it is sent, by SOPInstanceUID, and answers queries about it.

    :param store_statuses: status of the n-th C-STORE (from 1) that is not success.
    :param comment: Error Comment of what is not success.
    :param abort_at: number of the C-STORE at which it aborts.
    :param drop: numbers of the C-STOREs that it acknowledges and forgets.
    :param on_store: called with the number of each C-STORE, after it was kept and before it is answered.
    :param withhold: SOPInstanceUIDs that it shows but never sends.
    :param extra: datasets that it sends besides what was asked for.
    :param strangers: C-FIND answers that nobody asked for.
    :param tells_class: whether it answers with SOPClassUID.
    :param find_status: status of the last C-FIND answer.
    :param limit: how many answers it gives to a query at most; it says success all the same.
    :param image_level: whether it answers queries at IMAGE level; else with a failure.
    :param tells_count: whether it tells numbers of instances.
    :param commits: whether it commits itself to what it has, `by` the association that asks (`same`), one of its own
        (`own`), or never reports (`silent`); None: it doesn't offer the service.
    :param matches_parts: whether a key matches values that begin with it.
    """

    def __init__(
        self,
        *,
        store_statuses: dict[int, int] | None = None,
        abort_at: int | None = None,
        drop: set[int] = frozenset(),
        on_store: Callable[[int], None] = lambda _: None,
        withhold: set[str] = frozenset(),
        extra: list[Dataset] | None = None,
        strangers: list[Dataset] | None = None,
        tells_class: bool = True,
        find_status: int = 0x0000,
        storage: list | None = None,
        find: bool = True,
        limit: int | None = None,
        image_level: bool = True,
        tells_count: bool = False,
        matches_parts: bool = False,
        commits: str | None = None,
        comment: str = "",
    ) -> None:
        self.comment = comment
        self.store_statuses = store_statuses or {}
        self.abort_at, self.drop, self.on_store = abort_at, drop, on_store
        self.withhold, self.extra, self.strangers = withhold, extra or [], strangers or []
        self.tells_class, self.find_status = tells_class, find_status
        self.on_retrieve: Callable[[int], None] = lambda _: None
        self.storage = storage
        self.find = find
        self.commits = commits
        self.limit, self.image_level = limit, image_level
        self.tells_count, self.matches_parts = tells_count, matches_parts
        self.instances: dict[str, Dataset] = {}
        self.stored: list[str] = []
        self.retrieved: list[str] = []
        self.retrievals: list[Dataset] = []
        self.destinations: dict[str, tuple[str, int]] = {}

    def hold(self, files: dict[str, Path]) -> None:
        """Keep files as if they had been sent."""
        self.instances |= {sop_uid: dcmread(path) for sop_uid, path in files.items()}

    @contextmanager
    def running(self, **peer_fields) -> Iterator[Peer]:
        peer = Peer("127.0.0.1", free_port(), called_aet="SIMULATED", move_port=free_port(), **peer_fields)
        self.destinations[peer.move_aet] = ("127.0.0.1", peer.move_port)
        entity = AE(ae_title="SIMULATED")
        entity.require_called_aet = True
        entity.acse_timeout = entity.dimse_timeout = 5
        entity.supported_contexts = []
        self.entity = entity
        entity.add_supported_context(VERIFICATION)
        for uid in ([STUDY_ROOT_FIND] if self.find else []) + [STUDY_ROOT_MOVE, STUDY_ROOT_GET]:
            entity.add_supported_context(uid)
        contexts = self.storage or [build_context(c.abstract_syntax, RECEIVED) for c in StoragePresentationContexts]
        for context in contexts:
            entity.add_supported_context(context.abstract_syntax, context.transfer_syntax, scu_role=True, scp_role=True)
        if self.commits:
            entity.add_supported_context(COMMITMENT)
        handlers = [
            (evt.EVT_N_ACTION, self._commit),
            (evt.EVT_C_STORE, self._store),
            (evt.EVT_C_FIND, self._find),
            (evt.EVT_C_MOVE, self._move),
            (evt.EVT_C_GET, self._get),
        ]
        server = entity.start_server(("127.0.0.1", peer.port), block=False, evt_handlers=handlers)
        try:
            yield peer
        finally:
            server.shutdown()

    def _store(self, event):
        sop_uid = str(event.request.AffectedSOPInstanceUID)
        self.stored.append(sop_uid)
        number = len(self.stored)
        if number == self.abort_at:
            event.assoc.abort()
            return 0xC000
        status = self.store_statuses.get(number, 0x0000)
        if number not in self.drop and (status == 0 or status >> 12 == 0xB):
            dataset = event.dataset
            dataset.file_meta = event.file_meta
            self.instances[sop_uid] = dataset
        self.on_store(number)
        if status and self.comment:
            answer = Dataset()
            answer.Status, answer.ErrorComment = status, self.comment
            return answer
        return status

    def _matching(self, query: Dataset) -> list[Dataset]:
        keys = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
        wanted = {}
        for key in keys:
            value = query.get(key)
            if value:
                wanted[key] = [value] if isinstance(value, str) else list(value)
        matching = [d for d in self.instances.values() if all(d[key].value in values for key, values in wanted.items())]
        for key in ("AccessionNumber", "PatientID", "StudyDate"):
            if value := query.get(key):
                fits = str.startswith if self.matches_parts else str.__eq__
                matching = [d for d in matching if fits(str(d.get(key, "")), str(value))]
        return matching

    def _numbers(self, match: Dataset, answer: Dataset) -> None:
        of_study = [d for d in self.instances.values() if d.StudyInstanceUID == match.StudyInstanceUID]
        of_series = [d for d in of_study if d.SeriesInstanceUID == match.SeriesInstanceUID]
        answer.NumberOfStudyRelatedInstances, answer.NumberOfSeriesRelatedInstances = len(of_study), len(of_series)

    def _find(self, event):
        query = event.identifier
        level = query.QueryRetrieveLevel
        key = {"STUDY": "StudyInstanceUID", "SERIES": "SeriesInstanceUID", "IMAGE": "SOPInstanceUID"}[level]
        if level == "IMAGE" and not self.image_level:
            yield 0xA900, None
            return
        for match in list({d[key].value: d for d in self._matching(query)}.values())[: self.limit]:
            answer = Dataset()
            answer.QueryRetrieveLevel = level
            answer.StudyInstanceUID = match.StudyInstanceUID
            answer.SeriesInstanceUID = match.SeriesInstanceUID
            answer.SOPInstanceUID = match.SOPInstanceUID
            for name in ("AccessionNumber", "PatientID", "StudyDate"):
                setattr(answer, name, match.get(name, ""))
            if self.tells_count:
                self._numbers(match, answer)
            if self.tells_class:
                answer.SOPClassUID = match.SOPClassUID
            yield 0xFF00, answer
        for answer in self.strangers:
            yield 0xFF00, answer
        if self.find_status:
            yield self.find_status, None

    def _commit(self, event):
        asked = event.action_information
        report = Dataset()
        report.TransactionUID = asked.TransactionUID
        kept = [i for i in asked.ReferencedSOPSequence if i.ReferencedSOPInstanceUID in self.instances]
        lost = [i for i in asked.ReferencedSOPSequence if i.ReferencedSOPInstanceUID not in self.instances]
        report.ReferencedSOPSequence = kept
        if lost:
            for item in lost:
                item.FailureReason = 0x0112
            report.FailedSOPSequence = lost
        if self.commits != "silent":
            threading.Thread(target=self._report, args=(event, report, 2 if lost else 1)).start()
        return 0x0000, None

    def _report(self, event, report, kind):
        instance = "1.2.840.10008.1.20.1.1"
        if self.commits == "same":
            time.sleep(0.1)
            event.assoc.send_n_event_report(report, kind, COMMITMENT, instance)
            return
        host, port = next(iter(self.destinations.values()))
        entity = AE("SIMULATED")
        entity.add_requested_context(COMMITMENT)
        role = build_role(COMMITMENT, scp_role=True)
        association = entity.associate(host, port, ae_title="AIRLOCK", ext_neg=[role], evt_handlers=NO_ANSWER_LOST)
        association.send_n_event_report(report, kind, COMMITMENT, instance)
        association.release()

    def _selection(self, event) -> list[Dataset]:
        self.retrievals.append(event.identifier)
        chosen = [d for d in self._matching(event.identifier) if d.SOPInstanceUID not in self.withhold]
        return chosen + self.extra

    def _send(self, datasets):
        yield len(datasets)
        for dataset in datasets:
            self.retrieved.append(str(dataset.SOPInstanceUID))
            self.on_retrieve(len(self.retrieved))
            yield 0xFF00, dataset

    def _get(self, event):
        yield from self._send(self._selection(event))

    def _move(self, event):
        if event.move_destination not in self.destinations:
            yield None, None
            return
        datasets = self._selection(event)
        contexts = {(d.SOPClassUID, d.file_meta.TransferSyntaxUID) for d in datasets}
        host, port = self.destinations[event.move_destination]
        yield host, port, {"contexts": [build_context(*pair) for pair in contexts], "evt_handlers": NO_ANSWER_LOST}
        yield from self._send(datasets)
