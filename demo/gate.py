"""A gate in front of a PACS that refuses the first associations, then lets everything through.

It shows what a restart from the failed task looks like: the refusal is permanent (PS3.8 section 9.3.4, result 1), so
Airlock doesn't try again by itself.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib

ASSOCIATE_RQ = 0x01
# A-ASSOCIATE-RJ: rejected-permanent (1), by the service user (1), called AE title not recognized (7).
ASSOCIATE_RJ = bytes([0x03, 0x00, 0x00, 0x00, 0x00, 0x04, 0x00, 0x01, 0x01, 0x07])


class Gate:
    """Forwards one loopback port to another.

    :param port: of the PACS behind.
    :param refuse: how many associations are refused before the first passes.
    """

    def __init__(self, port: int, refuse: int) -> None:
        self.port = port
        self.refuse = refuse

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readexactly(6)
            if head[0] == ASSOCIATE_RQ and self.refuse > 0:
                self.refuse -= 1
                await reader.readexactly(int.from_bytes(head[2:6], "big"))
                writer.write(ASSOCIATE_RJ)
                await writer.drain()
            else:
                await self._forward(head, reader, writer)
        writer.close()

    async def _forward(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind_reader, behind_writer = await asyncio.open_connection("127.0.0.1", self.port)
        behind_writer.write(head)
        await asyncio.gather(_pump(reader, behind_writer), _pump(behind_reader, writer))


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
        writer.close()


async def serve(listen: int, forward: int, refuse: int) -> None:
    """Run a gate until the process ends."""
    server = await asyncio.start_server(Gate(forward, refuse).handle, "127.0.0.1", listen)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--listen", type=int, required=True, help="port to listen on")
    parser.add_argument("--forward", type=int, required=True, help="port of the PACS behind")
    parser.add_argument("--refuse", type=int, default=1, help="associations to refuse first")
    arguments = parser.parse_args()
    asyncio.run(serve(arguments.listen, arguments.forward, arguments.refuse))
