"""Whom we accept, and what for (PS3.8 section 7.1.1.9, PS3.4 annex B)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from airlock.dicomio.encodings import EXPLICIT, IMPLICIT, is_known
from airlock.dicomio.wire import pdu
from airlock.dicomio.wire.items import ABSTRACT_SYNTAX_REFUSED, ACCEPTED, TRANSFER_SYNTAXES_REFUSED, Answer, Proposal
from airlock.dicomio.wire.sink import COMMITMENT

VERIFICATION = "1.2.840.10008.1.1"
_STANDARD, _STORAGE = "1.2.840.10008.", "1.2.840.10008.5.1.4.1.1."
# The branch of storage classes (PS3.6 table A-1) has a few other services, and a few classes are elsewhere. A class
# that is newer than this program is taken, as all new ones are in the branch.
_OTHER_SERVICES = frozenset(
    f"{_STORAGE}{branch}"
    for branch in ("200.4", "200.5", "200.6", "201.2", "201.3", "201.4", "201.5", "201.6", "201.1.1", "12.77", "40")
)
_ELSEWHERE = frozenset(
    [f"{_STANDARD}5.1.1.{n}" for n in (27, 29, 30)]
    + [f"{_STANDARD}5.1.4.34.{n}" for n in (1, 7, 10)]
    + [f"{_STANDARD}5.1.4.{n}.1" for n in (38, 39, 43, 44, 45)]
)
# Not datasets, or datasets whose pixels are elsewhere: JPIP, MIME, XML, SMPTE real-time video.
_NOT_STORED = ("1.2.840.10008.1.2.6.", "1.2.840.10008.1.2.7.")
_REFERENCED = frozenset(f"1.2.840.10008.1.2.4.{n}" for n in (94, 95, 204, 205))


@dataclass(frozen=True)
class Admission:
    """Whom a storage provider accepts, and what for.

    :param ae_title: associations that call another title are rejected.
    :param callers: calling AE titles that are accepted; empty accepts all.
    :param private_classes: whether SOP classes outside the standard are accepted, as storage.
    :param private_syntaxes: whether transfer syntaxes are accepted of which nobody knows how they encode. What comes
        in one cannot be looked at.
    :param reports: whether reports of storage commitment are accepted (PS3.4 section J.3.3).
    """

    ae_title: str
    callers: Collection[str] = ()
    private_classes: bool = True
    private_syntaxes: bool = False
    reports: bool = False

    def rejection(self, request: pdu.Request) -> pdu.Rejection | None:
        """Return why a request is rejected; None when it is not."""
        if request.called != self.ae_title:
            return pdu.Rejection(pdu.PERMANENT, pdu.BY_USER, pdu.CALLED_UNKNOWN)
        if self.callers and request.calling not in self.callers:
            return pdu.Rejection(pdu.PERMANENT, pdu.BY_USER, pdu.CALLING_UNKNOWN)
        return None

    def acceptance(self, request: pdu.Request) -> pdu.Acceptance:
        """Return the answer to a request that is not rejected."""
        answers = {number: self.answer(proposal) for number, proposal in request.proposals.items()}
        # Who reports is the provider of the service, though it asks for the association: it is what it says it is.
        roles = {uid: flags for uid, flags in request.roles.items() if uid == COMMITMENT and self.reports}
        return pdu.Acceptance(answers, pdu.MAX_PDU_BYTES, roles)

    def answer(self, proposal: Proposal) -> Answer:
        """Answer a proposal. Of several transfer syntaxes, the first that we take is chosen."""
        uid = proposal.abstract_syntax
        if uid == VERIFICATION or (self.reports and uid == COMMITMENT):
            taken = [s for s in proposal.transfer_syntax if s in (IMPLICIT, EXPLICIT)]
        elif self._is_storage(uid):
            taken = [s for s in proposal.transfer_syntax if self._is_taken(s)]
        else:
            return Answer(ABSTRACT_SYNTAX_REFUSED, proposal.transfer_syntax[0])
        if not taken:
            return Answer(TRANSFER_SYNTAXES_REFUSED, proposal.transfer_syntax[0])
        return Answer(ACCEPTED, taken[0])

    def _is_storage(self, uid: str) -> bool:
        if not uid.startswith(_STANDARD):
            return self.private_classes
        return uid in _ELSEWHERE or (uid.startswith(_STORAGE) and uid not in _OTHER_SERVICES)

    def _is_taken(self, uid: str) -> bool:
        if is_known(uid):
            return not uid.startswith(_NOT_STORED) and uid not in _REFERENCED
        return self.private_syntaxes and not uid.startswith(_STANDARD)
