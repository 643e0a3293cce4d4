"""An echo server of Python's websockets, at ADDRESS PORT. Each line that it prints is an event."""

import asyncio
import sys

import websockets


def say(*words):
    print(*words, flush=True)


async def echo(socket):
    extensions = ",".join(extension.name for extension in socket.extensions)
    say("server opened", socket.request_headers["X-Forwarded-User"], extensions)
    try:
        async for message in socket:
            await socket.send(message)
    except websockets.ConnectionClosedError:
        pass  # what closed it is said below
    say("server closed", socket.close_code, socket.close_reason)


async def main():
    address, port = sys.argv[1:]
    async with websockets.serve(echo, address, int(port), max_size=2**22):
        say("server listening")
        await asyncio.Future()


asyncio.run(main())
