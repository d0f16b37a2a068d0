"""PDUs and command sets: our own are read back, and nothing else does harm."""

import struct
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pynetdicom.dimse_messages import C_STORE_RQ
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RQ

from airlock.dicomio.wire import command, pdu
from airlock.dicomio.wire.command import Command
from airlock.dicomio.wire.items import Answer, Malformed, Proposal

EXPLICIT, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
CT = "1.2.840.10008.5.1.4.1.1.2"
uids = st.lists(st.integers(0, 10**9).map(str), min_size=2, max_size=5).map(".".join)
titles = st.text("ABCDEFGHIJ-_ 0123456789", min_size=1, max_size=16).map(str.strip).filter(bool)
proposals = st.builds(Proposal, uids, st.lists(uids, min_size=1, max_size=4).map(tuple))
requests = st.builds(
    pdu.Request,
    titles,
    titles,
    st.lists(proposals, max_size=5).map(lambda given: {2 * n + 1: p for n, p in enumerate(given)}),
    st.integers(0, 2**32 - 1),
)


@settings(max_examples=60, deadline=None)
@given(requests)
def test_a_request_is_read_back(request):
    data = pdu.encode_request(request)
    assert data[0] == pdu.ASSOCIATE_RQ
    assert struct.unpack(">L", data[2:6])[0] == len(data) - 6 <= pdu.MAX_NEGOTIATION_BYTES
    assert pdu.decode_request(memoryview(data)[6:]) == request


def test_another_implementation_reads_what_we_negotiate():
    request = pdu.Request(
        "PACS", "GATE", {1: Proposal(CT, (EXPLICIT, IMPLICIT)), 255: Proposal("1.2.3", (IMPLICIT,))}, 7
    )
    theirs = A_ASSOCIATE_RQ()
    theirs.decode(pdu.encode_request(request))
    assert (theirs.called_ae_title, theirs.calling_ae_title) == ("PACS", "GATE")
    assert [(c.context_id, c.abstract_syntax, c.transfer_syntax) for c in theirs.presentation_context] == [
        (1, CT, [EXPLICIT, IMPLICIT]),
        (255, "1.2.3", [IMPLICIT]),
    ]
    assert theirs.user_information.maximum_length == 7
    assert pdu.decode_request(memoryview(theirs.encode())[6:]) == request
    acceptance = pdu.Acceptance({1: Answer(0, IMPLICIT), 255: Answer(3, IMPLICIT)}, 16384)
    theirs = A_ASSOCIATE_AC()
    theirs.decode(pdu.encode_acceptance(request, acceptance))
    assert [(c.context_id, c.result) for c in theirs.presentation_context] == [(1, 0), (255, 3)]
    assert theirs.presentation_context[0].transfer_syntax == IMPLICIT
    read = pdu.decode_acceptance(memoryview(pdu.encode_acceptance(request, acceptance))[6:])
    assert (read.answers[1], read.answers[255].result, read.max_pdu) == (Answer(0, IMPLICIT), 3, 16384)


def test_another_implementation_reads_our_commands():
    theirs = C_STORE_RQ()
    theirs.primitive_to_message(_store())
    encoded = next(iter(theirs.encode_msg(1, 0))).presentation_data_value_list[0][1][1:]
    read = command.decode(encoded)
    assert (read.field, read.message_id, read.has_dataset, read.status) == (command.STORE_RQ, 9, True, None)
    assert (read.sop_class_uid, read.sop_instance_uid) == (CT, "1.2.3.4")
    ours = command.store_request(9, CT, "1.2.3.4")
    assert command.decode(ours) == read
    answer = command.decode(command.answer(read, 0xB007))
    assert (answer.field, answer.message_id, answer.status, answer.has_dataset) == (0x8001, 9, 0xB007, False)
    assert "1.2.3" not in repr(answer)


def _store():
    from io import BytesIO

    primitive = C_STORE()
    primitive.MessageID, primitive.Priority = 9, 0
    primitive.AffectedSOPClassUID, primitive.AffectedSOPInstanceUID = CT, "1.2.3.4"
    primitive.DataSet = BytesIO(b"12")
    return primitive


DECODERS = [pdu.decode_request, pdu.decode_acceptance, pdu.decode_rejection, lambda b: list(pdu.fragments(b))]


@pytest.mark.parametrize("decode", DECODERS)
@settings(max_examples=150, deadline=None)
@given(data=st.binary(max_size=400))
def test_garbage_is_malformed_and_nothing_else(decode, data):
    with suppress(Malformed):
        decode(memoryview(data))


@settings(max_examples=100, deadline=None)
@given(request=requests, cut=st.integers(0, 5000), flips=st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 255))))
def test_a_damaged_request_is_malformed_and_nothing_else(request, cut, flips):
    data = bytearray(pdu.encode_request(request)[6:])
    for place, value in flips:
        data[place % len(data)] = value
    for decode in (pdu.decode_request, pdu.decode_acceptance):
        with suppress(Malformed):
            decode(memoryview(data)[: cut % (len(data) + 1)])


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 200), st.integers(0, 200), st.integers(0, 255))
def test_a_damaged_command_is_malformed_and_nothing_else(garbage, cut, place, value):
    damaged = bytearray(command.store_request(1, CT, "1.2.3"))
    damaged[place % len(damaged)] = value
    for data in (garbage, bytes(damaged[: cut % (len(damaged) + 1)])):
        with suppress(Malformed):
            assert isinstance(command.decode(data), Command)


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=5))
def test_fragments_are_read_back(contents):
    body = b"".join(struct.pack(">LBB", len(c) + 2, 3, n % 4) + c for n, c in enumerate(contents))
    read = [(context, flags, bytes(data)) for context, flags, data in pdu.fragments(memoryview(body))]
    assert read == [(3, n % 4, c) for n, c in enumerate(contents)]
