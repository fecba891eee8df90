"""A network that carries little: datagrams wait in line, and are lost where the line is long."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

Address = tuple[str, int]
_LINE_S = 0.5  # how long a datagram waits at most, as in many a router
_MOST_BYTES = 65_536


class SlowLink:
    """Passes datagrams from its port on to a target, and the answers back; made by `slow_link`.

    Attributes:
        port: Where it listens, on loopback.
        bits_per_s: What it carries each way; may be changed.
    """

    def __init__(self, target: Address, bits_per_s: float) -> None:
        self.bits_per_s = bits_per_s
        self._target = target
        self._near = socket.socket(type=socket.SOCK_DGRAM)
        self._near.bind(("127.0.0.1", 0))
        self.port: int = self._near.getsockname()[1]
        self._far: dict[Address, socket.socket] = {}  # for each sender, as behind a router
        self._free_s = {"up": 0.0, "down": 0.0}  # when all that waits will have gone

    async def run(self) -> None:
        """Pass datagrams on until it is cancelled."""
        asyncio.get_running_loop().add_reader(self._near, self._go_up)
        try:
            await asyncio.Event().wait()
        finally:
            for end in (self._near, *self._far.values()):
                end.close()

    def _go_up(self) -> None:
        data, sender = self._near.recvfrom(_MOST_BYTES)
        if sender not in self._far:
            far = self._far[sender] = socket.socket(type=socket.SOCK_DGRAM)
            far.connect(self._target)
            asyncio.get_running_loop().add_reader(far, self._come_down, far, sender)
        self._wait_in_line("up", data, self._far[sender].send)

    def _come_down(self, far: socket.socket, sender: Address) -> None:
        with suppress(OSError):  # the target may have closed its end
            data = far.recv(_MOST_BYTES)
            self._wait_in_line("down", data, lambda data: self._near.sendto(data, sender))

    def _wait_in_line(self, way: str, data: bytes, send: Callable[[bytes], object]) -> None:
        loop = asyncio.get_running_loop()
        begin_s = max(loop.time(), self._free_s[way])
        if begin_s - loop.time() < _LINE_S:
            self._free_s[way] = begin_s + 8 * len(data) / self.bits_per_s
            loop.call_at(self._free_s[way], send, data)


@contextmanager
def slow_link(target: Address, bits_per_s: float) -> Iterator[SlowLink]:
    """Run a slow link in a thread of its own."""
    link, loop = SlowLink(target, bits_per_s), asyncio.new_event_loop()
    running = loop.create_task(link.run())
    thread = threading.Thread(target=loop.run_until_complete, args=(asyncio.wait([running]),))
    thread.start()
    try:
        yield link
    finally:
        loop.call_soon_threadsafe(running.cancel)
        thread.join()
        loop.close()
