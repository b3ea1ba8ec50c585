"""A WebSocket echo server by Debian's python3-websockets. Run as: ws_server.py PORT [CERT KEY]."""
import asyncio
import ssl
import sys

import websockets


async def _echo(socket):
    async for message in socket:
        await socket.send(message)


async def _main(port, cert=None, key=None):
    context = None
    if cert:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
    async with websockets.serve(_echo, "127.0.0.1", int(port), ssl=context, max_size=None):
        await asyncio.Future()


asyncio.run(_main(*sys.argv[1:]))
