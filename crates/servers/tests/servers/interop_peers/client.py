"""A client of Python's websockets that answers pings and says how it was closed."""

import asyncio
import sys

import websockets


async def main(url):
    # Its own keepalive is off: this is about the server's.
    async with websockets.connect(url, ping_interval=None) as socket:
        print("connected", flush=True)
        await socket.send("hello")
        print("echo", await socket.recv(), flush=True)
        try:
            async for _ in socket:
                pass
        except websockets.ConnectionClosed:
            pass
        print("closed", socket.close_code, flush=True)


asyncio.run(main(sys.argv[1]))
