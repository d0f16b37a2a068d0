"""The body of a worker process: does the tasks that come, one at a time, within its limits of memory.

Run as a program (`-m airlock.worker`), it is a fresh interpreter; a fork of the parent calls :func:`work`.
"""

from __future__ import annotations

# The C half of `signal`, whose other half makes enumerations of all that is in it.
import _signal as signal  # type: ignore[import-not-found]  # type checkers know the whole only
import ctypes
import gc
import marshal
import os
import resource
import struct
import sys
import time
from collections.abc import Callable
from contextlib import suppress

from airlock.errors import AirlockError
from airlock.typed import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    import mmap

Work = Callable[[Any], Any]

MEMORY_BYTES = 4 << 30
OBJECTS_PER_SEARCH = 100_000
"""New objects after which a process whose work is short looks for garbage, some 10 MB of them; usual are 700."""
_PR_SET_PDEATHSIG = 1
_TELL_EVERY_SECONDS = 0.1
STATE = struct.Struct("dQ")
"""When a worker began its latest task, by `time.monotonic()`, which is the same in all processes; and how many so far.

The number is written last: who reads in between sees a task that begins later than it did, not one that is overdue.
"""
# Reading and writing headers needs no codecs and no network; importing them is more than half of a worker's start.
_NOT_NEEDED = ("numpy", "gdcm", "PIL", "pylibjpeg", "jpeg_ls", "libjpeg", "openjpeg", "rle", "requests", "tqdm")
_PLAIN, _PICKLED = 0, 1
_head = struct.Struct("<QB")


def encode(told: object) -> bytes:
    """Return what goes through a pipe: plain values as they are, everything else pickled, which takes longer."""
    try:
        data, kind = marshal.dumps(told), _PLAIN  # type: ignore[arg-type]  # what it can't take, it says
    except ValueError:
        import pickle  # noqa: PLC0415 - mostly, plain values are told

        data, kind = pickle.dumps(told, pickle.HIGHEST_PROTOCOL), _PICKLED
    return _head.pack(len(data), kind) + data


class Channel:
    """What one process tells another through two pipes, in the order in which it was told.

    :param reading: descriptor to read from.
    :param writing: descriptor to write to.
    """

    __slots__ = ("_writing", "reading")

    def __init__(self, reading: int, writing: int) -> None:
        self.reading, self._writing = reading, writing

    def send(self, data: bytes) -> None:
        """Tell something that :func:`encode` encoded.

        :raises OSError: when nobody reads any more.
        """
        written = os.write(self._writing, data)
        while written < len(data):
            written += os.write(self._writing, memoryview(data)[written:])

    def receive(self) -> Any:
        """Wait for what the other says next.

        :raises EOFError: when it says nothing more.
        """
        size, kind = _head.unpack(self._read(_head.size))
        return _decoded(self._read(size), kind)

    def close(self) -> None:
        """End both directions."""
        os.close(self.reading)
        os.close(self._writing)

    def _read(self, size: int) -> bytes:
        data = os.read(self.reading, size)
        while len(data) < size:
            more = os.read(self.reading, size - len(data))
            if not more:
                raise EOFError
            data += more
        return data


def _decoded(data: bytes, kind: int) -> Any:
    if kind == _PLAIN:
        return marshal.loads(data)  # noqa: S302 - from our own process
    import pickle  # noqa: PLC0415 - mostly, plain values are told

    return pickle.loads(data)  # noqa: S301 - from our own process


def die_with(parent: int) -> None:
    """Have the kernel kill this process when its parent ends, however it ends."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        raise SystemExit(1)


def main() -> None:
    """Do what comes through inherited pipes until they close."""
    reading, writing, shared, parent = map(int, sys.argv[1:5])
    work(Channel(reading, writing), shared, parent)


def work(channel: Channel, shared: int, parent: int, do: Work | None = None) -> NoReturn:
    """Do what comes until nothing comes any more, and end the process.

    :param shared: descriptor of the memory for :data:`STATE`.
    :param parent: process that this one must not outlive.
    :param do: what to do with the first tasks, where it was made before this process was forked.
    """
    die_with(parent)
    # Whoever ends a whole service signals all its processes; the step decides what becomes of its workers.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    confine()
    search_less()
    import mmap  # noqa: PLC0415 - whoever does the work itself shares no memory

    with suppress(EOFError, OSError):
        _serve(channel, mmap.mmap(shared, STATE.size), do)
    os._exit(0)


def confine() -> None:
    """Bound for good what this process may take, before it does what may take more than there is."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for module in _NOT_NEEDED:
        sys.modules.setdefault(module, None)  # type: ignore[arg-type]  # so that importing it fails


def search_less() -> None:
    """Look for garbage seldom, and not in what there is by now: it stays.

    Looking through that would copy every page of a fork. What comes is kept or freed at once, mostly: looking as often
    as is usual finds little, and takes a twentieth of all the time.
    """
    gc.freeze()
    gc.set_threshold(OBJECTS_PER_SEARCH)
    gc.enable()


def _serve(channel: Channel, state: mmap.mmap, do: Work | None) -> None:
    job = b""
    count = 0
    while True:
        received = channel.receive()
        if isinstance(received, bytes):
            job, do = received, None
            continue
        answers: list[object] = []
        told = time.monotonic()
        for task in received:
            count += 1
            STATE.pack_into(state, 0, time.monotonic(), count)
            try:
                do = do or _make(job)
                answers.append((do(task),))
            except Exception as error:  # noqa: BLE001 - raised again in the parent
                answers.append(without_values(error))
            if time.monotonic() - told > _TELL_EVERY_SECONDS:
                channel.send(encode(answers))
                answers, told = [], time.monotonic()
        if answers:
            channel.send(encode(answers))


def without_values(error: Exception) -> Exception:
    """Return what others are told of a task's error: its text only where it is known to be free of values."""
    if isinstance(error, AirlockError):
        return type(error)(str(error))
    if isinstance(error, OSError):
        return OSError(error.errno, error.strerror)
    return MemoryError() if isinstance(error, MemoryError) else RuntimeError(f"{type(error).__name__} in a worker")


def _make(job: bytes) -> Work:
    """Return what does the tasks of a job, which is told as bytes to be told from tasks."""
    _, kind = _head.unpack_from(job)
    place, argument = _decoded(job[_head.size :], kind)
    return made_by(place, argument)


def made_by(place: str, argument: object) -> Work:
    """Return what a function makes, that is named as `module:name`."""
    from importlib import import_module  # noqa: PLC0415 - it imports `warnings`; not all work is told by its name

    module, name = place.split(":")
    made: Work = getattr(import_module(module), name)(argument)
    return made


if __name__ == "__main__":
    main()
