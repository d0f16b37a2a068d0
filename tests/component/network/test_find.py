"""Answers are never lost between two queries of an association."""

import queue
import threading
import time

from pydicom.uid import generate_uid
from pynetdicom import build_context

from airlock.dicomio import find
from airlock.dicomio.association import AnswerQueue, associate
from airlock.dicomio.syntaxes import STUDY_ROOT_FIND
from tests.simulated_pacs import SimulatedPacs
from tests.studies import make_study


class LateEvent(threading.Event):
    """Wakes up whoever waits, late."""

    def wait(self, timeout=None):
        woken = super().wait(timeout)
        time.sleep(0.02)
        return woken


def test_a_thread_that_wakes_up_late_takes_no_answer(tmp_path):
    study_uid = generate_uid()
    pacs = SimulatedPacs()
    pacs.hold(make_study(tmp_path, study_uid, 1, 3))
    with pacs.running() as peer, associate(peer, [build_context(STUDY_ROOT_FIND)]) as association:
        late = LateEvent()
        late.set()
        # The thread waits in the plain event until it is released once; from then on it is late.
        before, association._reactor_checkpoint = association._reactor_checkpoint, late
        before.set()
        for _ in range(20):
            query = find._query("IMAGE", StudyInstanceUID=study_uid, SOPInstanceUID="")
            assert len(list(find._ask(peer, association, query))) == 3


def test_an_answer_is_only_for_who_waits():
    answers = AnswerQueue()
    answers.put("answer")
    try:
        answers.get(block=False)
        raise AssertionError("taken without waiting")
    except queue.Empty:
        pass
    assert answers.get(timeout=1) == "answer"


def test_patience_starts_again_with_every_sign_of_life():
    start = time.monotonic()
    answers = AnswerQueue(lambda: min(time.monotonic(), start + 0.5))
    try:
        answers.get(timeout=0.2)
    except queue.Empty:
        assert time.monotonic() - start > 0.65
    start = time.monotonic()
    try:
        AnswerQueue().get(timeout=0.1)
    except queue.Empty:
        assert time.monotonic() - start < 20
