"""A TCP proxy in a process of its own that cuts connections at any byte, in either direction.

`python -m chaos.proxy LISTEN TARGET` takes one JSON order a line on stdin, answers each with one
line, and ends with its stdin. `chaos.link` is its other end.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
import sys
from dataclasses import dataclass
from typing import Any

CHUNK = 65536


@dataclass(slots=True)
class Cut:
    """A cut that is due after ``left`` more bytes."""

    left: int
    reset: bool


class Link:
    """One connection through the proxy: two pumps, and one way to end."""

    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self.ends = (client, server)

    def sever(self, *, reset: bool) -> None:
        """Ends both sides at once; what was written before still arrives, unless reset."""
        for end in self.ends:
            if reset:
                connected = end.get_extra_info("socket")
                with contextlib.suppress(OSError):
                    linger = struct.pack("ii", 1, 0)
                    connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                end.transport.abort()
            else:
                end.close()


class Proxy:
    """Forwards what comes to one port to another one, as badly as it is told."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._cuts: dict[bool, list[Cut]] = {True: [], False: []}
        self._links: set[Link] = set()
        self._server: asyncio.Server | None = None
        self.port = 0
        self.fired = 0

    async def open(self, port: int = 0) -> None:
        """Listens; the same port again after `shut`."""
        if self._server is None:
            wanted = self.port or port
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", wanted)
            self.port = self._server.sockets[0].getsockname()[1]

    def shut(self) -> int:
        """Refuses new connections and drops the old ones."""
        if self._server is not None:
            self._server.close()
            self._server = None
        return self.drop(reset=False)

    def drop(self, *, reset: bool) -> int:
        """Ends every connection that is open now; how many."""
        dropped = len(self._links)
        for link in list(self._links):
            link.sever(reset=reset)
        return dropped

    def stall(self) -> None:
        """Holds every byte back; connections stay."""
        self._flowing.clear()

    def flow(self) -> None:
        """Lets the bytes go on."""
        self._flowing.set()

    def cut(self, after: int, *, up: bool, reset: bool) -> None:
        """Ends the connection that carries the byte that many bytes from now, right after it."""
        self._cuts[up].append(Cut(after, reset))

    def aim(self, target: int) -> int:
        """Forwards to another port, and drops what is connected to the one before."""
        self._target = target
        return self.drop(reset=False)

    def heal(self) -> None:
        """Forgets the cuts that did not come to pass, and forwards as it should."""
        self._cuts = {True: [], False: []}
        self.flow()

    async def _serve(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        try:
            upstream, server = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            client.close()
            return
        link = Link(client, server)
        self._links.add(link)
        pumps = (self._pump(reader, server, link, up=True), self._pump(upstream, client, link))
        try:
            await asyncio.gather(*pumps)
        finally:
            self._links.discard(link)
            link.sever(reset=False)

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        link: Link,
        *,
        up: bool = False,
    ) -> None:
        try:
            while data := await reader.read(CHUNK):
                await self._flowing.wait()
                cut = self._due(up, len(data))
                writer.write(data if cut is None else data[: cut.left])
                if cut is not None:
                    self.fired += 1
                    link.sever(reset=cut.reset)
                    return
                await writer.drain()
            writer.write_eof()
        except (OSError, RuntimeError):  # RuntimeError: written to what was severed meanwhile
            link.sever(reset=False)

    def _due(self, up: bool, size: int) -> Cut | None:
        """The cut that falls within the next ``size`` bytes, if one does."""
        for cut in self._cuts[up]:
            if cut.left <= size:
                self._cuts[up].remove(cut)
                return cut
            cut.left -= size
        return None


async def obey(proxy: Proxy, order: dict[str, Any]) -> dict[str, int]:
    """Carries out one order; what its answer says."""
    count = 0
    match order.pop("do"):
        case "open":
            await proxy.open()
        case "shut":
            count = proxy.shut()
        case "drop":
            count = proxy.drop(reset=order["reset"])
        case "aim":
            count = proxy.aim(order["target"])
        case "stall":
            proxy.stall()
        case "flow":
            proxy.flow()
        case "cut":
            proxy.cut(order["after"], up=order["up"], reset=order["reset"])
        case "heal":
            proxy.heal()
            await proxy.open()
    return {"port": proxy.port, "count": count, "fired": proxy.fired}


async def serve(port: int, target: int) -> None:
    """Forwards until stdin ends."""
    proxy = Proxy(target)
    await proxy.open(port)
    orders = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(orders)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
    while line := await orders.readline():
        sys.stdout.write(json.dumps(await obey(proxy, json.loads(line))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2])))
