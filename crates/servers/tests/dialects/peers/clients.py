"""The official client of a protocol: `clients.py PACKAGE URL [talks]`. It says when it is connected, and that it was closed."""

import asyncio
import contextlib
import sys

PACKAGE, URL, *TALKS = sys.argv[1:]


async def python_socketio():
    import socketio

    client = socketio.AsyncClient(reconnection=False)

    @client.event
    def connect():
        print("connected")

    @client.event
    def disconnect(reason):
        # With which code is not told.
        print("closed the end")

    await client.connect(URL, transports=["websocket"])
    while True:
        await asyncio.sleep(0.1)
        if TALKS and client.connected:
            await client.emit("hello")


async def gql():
    from gql.transport.exceptions import TransportError
    from gql.transport.websockets import WebsocketsTransport

    transport = WebsocketsTransport(
        url=URL,
        subprotocols=["graphql-transport-ws"],
        ping_interval=0.5,
        pong_timeout=3,
    )
    await transport.connect()
    print("connected")
    socket = transport.adapter.websocket
    with contextlib.suppress(TransportError):
        while socket.close_code is None:
            await asyncio.sleep(0.1)
            if TALKS:
                await transport._send('{"id":"2","type":"complete"}')
    await socket.wait_closed()
    print("closed", socket.close_code)


asyncio.run({"python-socketio": python_socketio, "gql": gql}[PACKAGE]())
