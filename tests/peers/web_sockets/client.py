"""A client of Python's websockets, for URL COOKIE ORIGIN. Each line that it prints is an event."""

import asyncio
import random
import sys

import websockets


def say(*words):
    print(*words, flush=True)


async def main():
    url, cookie, origin = sys.argv[1:]
    noise = random.Random(7).randbytes(300_000)  # does not compress
    async with websockets.connect(url, origin=origin, extra_headers={"Cookie": cookie}, max_size=2**22) as socket:
        say("client opened", ",".join(extension.name for extension in socket.extensions))
        for message in ["", "hello", "x" * 1_000_000, noise]:
            await socket.send(message)
            assert await socket.recv() == message
        await socket.send(["in ", "three ", "fragments"])
        assert await socket.recv() == "in three fragments"
        await (await socket.ping())
        say("client heard its echo")
        try:
            await socket.recv()
        except websockets.ConnectionClosed:
            say("client closed", socket.close_code, socket.close_reason)


asyncio.run(main())
