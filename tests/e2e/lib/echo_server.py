"""A plain, well-behaved origin in a process of its own, fast enough for load.

Run as a program: echo_server.py PORT [HOST] [CERT KEY]. What it answers:
  /               ok                       /bytes/N     N bytes with Content-Length
  /chunked/N      N bytes in chunks        /close/N     N bytes, ended by closing
  /slow/MS        ok after MS              /sse/N/MS    N events, one every MS
  /echo           the body of the request  /headers     the request head as text
  /status/N       an answer with status N  /drip/N/MS   N bytes, one every MS
  /count          how many requests came so far
The bytes of /bytes, /chunked and /close are pattern(N), so that a receiver can check them.
"""
import asyncio
import ssl
import sys

_PATTERN = bytes(range(256)) * 4096


def pattern(n):
    """The first n bytes of the test pattern."""
    whole, rest = divmod(n, len(_PATTERN))
    return _PATTERN * whole + _PATTERN[:rest]


def _head(status, *fields):
    return (f"HTTP/1.1 {status}\r\n" + "".join(f + "\r\n" for f in fields) + "\r\n").encode()


class Server:
    def __init__(self):
        self.count = 0

    async def body(self, reader, fields):
        if "chunked" in fields.get("transfer-encoding", "").lower():
            out = b""
            while True:
                size = int((await reader.readline()).split(b";")[0], 16)
                if size == 0:
                    while await reader.readline() not in (b"\r\n", b""):
                        pass
                    return out
                out += await reader.readexactly(size)
                await reader.readexactly(2)
        return await reader.readexactly(int(fields.get("content-length", 0)))

    async def serve(self, reader, writer):
        try:
            while True:
                try:
                    head = await reader.readuntil(b"\r\n\r\n")
                except asyncio.IncompleteReadError:
                    break
                self.count += 1
                line, *rest = head[:-4].decode("latin-1").split("\r\n")
                method, target, version = line.split(" ")
                fields = {k.lower(): v.strip() for k, _, v in (f.partition(":") for f in rest)}
                if fields.get("expect", "").lower() == "100-continue":
                    writer.write(_head("100 Continue"))
                body = await self.body(reader, fields)
                stay = await self.answer(writer, method, target.split("?")[0], head, body)
                await writer.drain()
                if not stay or version == "HTTP/1.0" or fields.get("connection") == "close":
                    break
        except (ConnectionError, asyncio.IncompleteReadError, ValueError):
            pass
        finally:
            writer.close()

    async def answer(self, writer, method, path, head, body):
        parts = path.strip("/").split("/")
        kind, numbers = parts[0], [int(p) for p in parts[1:] if p.isdigit()]
        send = writer.write

        def whole(data, status="200 OK", kind="application/octet-stream"):
            send(_head(status, f"Content-Length: {len(data)}", f"Content-Type: {kind}"))
            if method != "HEAD":
                send(data)

        if kind == "bytes":
            whole(pattern(numbers[0]))
        elif kind == "echo":
            whole(body)
        elif kind == "headers":
            whole(head, kind="text/plain")
        elif kind == "count":
            whole(str(self.count).encode(), kind="text/plain")
        elif kind == "status":
            whole(b"status", f"{numbers[0]} Status")
        elif kind == "slow":
            await asyncio.sleep(numbers[0] / 1000)
            whole(b"ok")
        elif kind == "chunked":
            send(_head("200 OK", "Transfer-Encoding: chunked"))
            data = pattern(numbers[0])
            for i in range(0, len(data), 16000):
                piece = data[i:i + 16000]
                send(b"%x\r\n%s\r\n" % (len(piece), piece))
                await writer.drain()
            send(b"0\r\n\r\n")
        elif kind == "close":
            send(_head("200 OK", "Connection: close"))
            send(pattern(numbers[0]))
            return False
        elif kind == "sse":
            send(_head("200 OK", "Content-Type: text/event-stream", "Transfer-Encoding: chunked"))
            for i in range(numbers[0]):
                event = f"data: {i}\n\n".encode()
                send(b"%x\r\n%s\r\n" % (len(event), event))
                await writer.drain()
                await asyncio.sleep(numbers[1] / 1000)
            send(b"0\r\n\r\n")
        elif kind == "drip":
            send(_head("200 OK", f"Content-Length: {numbers[0]}"))
            for byte in pattern(numbers[0]):
                send(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(numbers[1] / 1000)
        else:
            whole(b"ok", kind="text/plain")
        return True


async def _main(port, host="127.0.0.1", cert=None, key=None):
    context = None
    if cert:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
    server = await asyncio.start_server(Server().serve, host, int(port), ssl=context,
                                        backlog=4096, limit=1 << 20)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))
