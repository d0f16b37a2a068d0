"""Runs a server that can't be told where to listen so that only this machine's loopback interface reaches it.

The server gets a network namespace of its own (`unshare` of util-linux, with a user namespace where we aren't root), in
which there is nothing but a loopback interface. Whatever address it listens on, it is reached through relays only:
`--listen` ports of our loopback interface lead in, `--connect` ports lead out.

    python -m demo.enclosed --listen 11112 --connect 11118 -- /usr/sbin/Orthanc orthanc.json
"""

from __future__ import annotations

import argparse
import array
import fcntl
import os
import shutil
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

LOOPBACK = "127.0.0.1"
_BLOCK = 1 << 16
# linux/sockios.h and linux/if.h
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 0x1


def can_enclose() -> bool:
    """Whether this user may make network namespaces here."""
    if not sys.platform.startswith("linux") or shutil.which("unshare") is None:
        return False
    return subprocess.run([*unshare(), "true"], capture_output=True, check=False).returncode == 0


def enclosed_command(command: Sequence[str], listen: Sequence[int], connect: Sequence[int]) -> list[str]:
    """Return the command that runs a server enclosed.

    :param listen: ports of the server that the loopback interface leads to.
    :param connect: ports of the loopback interface that the server may connect to.
    """
    ports = [word for port in listen for word in ("--listen", str(port))]
    ports += [word for port in connect for word in ("--connect", str(port))]
    return [sys.executable, "-m", "demo.enclosed", *ports, "--", *command]


def unshare() -> list[str]:
    """Return what runs a command in a network namespace of its own."""
    return ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--net"]


def _outside(listen: Sequence[int], connect: Sequence[int], command: Sequence[str]) -> int:
    """Listen where callers are, and make the connections that the server asks for."""
    doors = [socket.create_server((LOOPBACK, port)) for port in listen]
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    handed = [theirs.fileno(), *(door.fileno() for door in doors)]
    arguments = [*unshare(), sys.executable, "-m", "demo.enclosed", "--inside", ",".join(map(str, handed))]
    arguments += [word for port in connect for word in ("--connect", str(port))]
    process = subprocess.Popen([*arguments, "--", *command], pass_fds=handed)
    theirs.close()
    for door in doors:
        door.close()
    threading.Thread(target=_make_connections, args=(ours, frozenset(connect)), daemon=True).start()
    return process.wait()


def _make_connections(channel: socket.socket, allowed: frozenset[int]) -> None:
    while True:
        message, descriptors, _flags, _address = socket.recv_fds(channel, 4, 1)
        if not message:
            return
        near = socket.socket(fileno=descriptors[0])
        port = int.from_bytes(message, "big")
        if port in allowed:
            _join(near, port)
        else:
            near.close()


def _inside(descriptors: Sequence[int], connect: Sequence[int], command: Sequence[str]) -> int:
    """Run the server in the namespace; hand callers on to it, and its own calls to the outside."""
    raise_loopback()
    channel, *doors = (socket.socket(fileno=descriptor) for descriptor in descriptors)
    for door in doors:
        port = int(door.getsockname()[1])
        _serve(door, partial(_join, port=port))
    for port in connect:
        _serve(socket.create_server((LOOPBACK, port)), partial(_hand_out, channel, port=port))
    return subprocess.Popen(list(command)).wait()


def _hand_out(channel: socket.socket, caller: socket.socket, port: int) -> None:
    with caller:
        channel.sendmsg(
            [port.to_bytes(4, "big")],
            [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [caller.fileno()]).tobytes())],
        )


def raise_loopback() -> None:
    """Switch on the loopback interface of this namespace, which is all it has."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sH14x", b"lo", 0)
        flags = struct.unpack("16sH14x", fcntl.ioctl(control, _SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | _IFF_UP))


def _serve(door: socket.socket, take: Callable[[socket.socket], None]) -> None:
    def serve() -> None:
        while True:
            caller, _address = door.accept()
            take(caller)

    threading.Thread(target=serve, daemon=True).start()


def _join(near: socket.socket, port: int) -> None:
    """Pass bytes on between a connection and a port of the loopback interface, in both directions."""
    try:
        far = socket.create_connection((LOOPBACK, port), timeout=10)
    except OSError:
        near.close()
        return
    for one in (near, far):
        one.settimeout(None)
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    left = threading.Semaphore(0)
    for source, target in ((near, far), (far, near)):
        threading.Thread(target=_pass_on, args=(source, target, left), daemon=True).start()
    threading.Thread(target=_close, args=(near, far, left), daemon=True).start()


def _pass_on(source: socket.socket, target: socket.socket, left: threading.Semaphore) -> None:
    with suppress(OSError):
        while True:
            # A delayed acknowledgement would make a peer that has Nagle's algorithm on wait for 40 ms per message.
            source.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            data = source.recv(_BLOCK)
            if not data:
                break
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
    left.release()


def _close(near: socket.socket, far: socket.socket, left: threading.Semaphore) -> None:
    left.acquire()
    left.acquire()
    near.close()
    far.close()


def main() -> int:
    """Run the server; return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m demo.enclosed", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--listen", type=int, action="append", default=[], metavar="PORT")
    parser.add_argument("--connect", type=int, action="append", default=[], metavar="PORT")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    parser.add_argument("command", nargs="+")
    options = parser.parse_args()
    if options.inside:
        return _inside([int(number) for number in options.inside.split(",")], options.connect, options.command)
    return _outside(options.listen, options.connect, options.command)


if __name__ == "__main__":
    sys.exit(main())
