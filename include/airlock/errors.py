"""The exception classes that alone decide whether a step is retried, fails, or waits for a person.

A message names an instance by its pseudonymous id and says what to do next. It never carries a value that
came from a DICOM file or a request: these texts reach task logs, the metadata database and REDCap.
"""

from __future__ import annotations

from airlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from airlock.dicomio.turns import Line


class AirlockError(Exception):
    """Base of every error that Airlock raises on purpose.

    :param message: what happened and what to do next, free of patient data.
    """


class RetryableError(AirlockError):
    """The same step may succeed later without anybody changing anything."""


class PeerUnavailable(RetryableError):
    """A PACS, REDCap or another service did not answer, or answered that it is busy."""


class PeerDown(PeerUnavailable):
    """Nobody answers there, or takes associations: it can be waited for without trying.

    :param connections: which destinations, once it is known that the others have nothing to do.
    :param seconds: how long until another one has something to do, in any case.

    `lines` are those in which the transfer waits for its turn at others.
    """

    def __init__(self, message: str, connections: tuple[str, ...] = (), seconds: float | None = None) -> None:
        super().__init__(message)
        self.connections = connections
        self.seconds = seconds
        self.lines: tuple[Line, ...] = ()


class TurnAwaited(RetryableError):
    """As many transfers as may use a connection do, or others have waited for longer.

    :param lines: in which the transfer waits from now on.

    `seconds` is how long until there is something to do at another destination, in any case.
    """

    def __init__(self, message: str, lines: tuple[Line, ...]) -> None:
        super().__init__(message)
        self.lines = lines
        self.seconds: float | None = None


class OutsideHours(PeerUnavailable):
    """The destination takes nothing at this time of day.

    :param seconds: how long until it does.
    """

    lines: tuple[Line, ...] = ()

    def __init__(self, message: str, seconds: float = 0.0) -> None:
        super().__init__(message)
        self.seconds: float | None = seconds


class DiskFull(RetryableError):
    """There is too little room to begin, or to go on; what was done by then is known."""


class AssociationAborted(RetryableError):
    """The peer (or the network) ended an association in the middle of the work."""


class TransferIncomplete(RetryableError):
    """Fewer instances than expected arrived, or are found at the destination."""


class UnexpectedFailure(RetryableError):
    """Something that Airlock did not foresee; only the kind and the place are told, never the library's message."""


class RefusedError(AirlockError):
    """Trying again cannot help until somebody changes the request, the policy or the configuration."""


class InvalidRequest(RefusedError):
    """The request is not understood, or lacks something."""


class DuplicateRequest(RefusedError):
    """The same transfer already belongs to another run."""


class Cancelled(RefusedError):
    """A person stopped the transfer."""


class NotPossibleNow(RefusedError):
    """The state of a transfer does not allow what was asked for."""


class UnknownProject(RefusedError):
    """No policy exists for the project that the request names."""


class NotApproved(RefusedError):
    """The project may not receive this now: it is not active, or outside its ethics approval."""


class PolicyError(RefusedError):
    """A project policy, profile or setting is not valid; the message names file, line and reason."""


class StudyNotFound(RefusedError):
    """The source does not have the study."""


class AssociationRejected(RefusedError):
    """The peer refused the association for good (AE title or address not accepted)."""


class DeliveryRefused(RefusedError):
    """The destination refused instances with a failure status (PS3.4 annex B.2.3, 0xA9xx or 0xCxxx)."""


class StatusRefused(RefusedError):
    """REDCap refused a status update (bad token, unknown field or record)."""


class HeldError(AirlockError):
    """A person must look before anything is sent."""


class IdentifierFound(HeldError):
    """Verification found a known identifier in an output."""


class PixelsNotCleaned(HeldError):
    """Burned-in text could not be removed, or it could not be shown that it was."""


class DetectorUnavailable(HeldError):
    """The burned-in text detector or its model cannot be used; nothing goes on without it."""


class InstanceNotUnderstood(HeldError):
    """One instance cannot be processed. Steps catch it, hold that instance, and go on with the others."""
