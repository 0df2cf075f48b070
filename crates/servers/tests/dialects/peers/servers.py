"""The official server of a protocol: `servers.py PACKAGE`. It says where it listens, when a client has come, and that it was closed."""

import asyncio
import sys

from aiohttp import web


def python_socketio(app):
    import socketio

    server = socketio.AsyncServer(async_mode="aiohttp", ping_interval=0.3, ping_timeout=3)

    @server.event
    async def connect(client, environment):
        print("connected")

    @server.event
    async def disconnect(client, reason):
        # With which code is not told, and on waking the reason is its own as often as not.
        print("closed the end")

    @server.on("*")
    async def echo(name, client, *message):
        await server.emit(name, *message, to=client)

    server.attach(app)


async def main():
    app = web.Application()
    {"python-socketio": python_socketio}[sys.argv[1]](app)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print("listening on", runner.addresses[0][1])
    await asyncio.Event().wait()


asyncio.run(main())
