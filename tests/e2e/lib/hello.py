"""The first message of a TLS client: a real one, and any other.

    hello("a.test")                      # as Python's TLS sends it
    message(server_name("a.test"))       # made by hand, without the heads of records
    records(message(…), 5, 20)           # in records of 5 and 20 bytes and the rest
"""
import ssl


def hello(name=None):
    """The whole flight, one record."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    out = ssl.MemoryBIO()
    try:
        context.wrap_bio(ssl.MemoryBIO(), out, server_hostname=name).do_handshake()
    except ssl.SSLWantReadError:
        pass
    return out.read()


def counted(data, size=2):
    return len(data).to_bytes(size, "big") + data


def extension(number, data):
    return number.to_bytes(2, "big") + counted(data)


def server_name(*names, kind=0):
    """The extension with these names, in one list."""
    entries = b"".join(bytes([kind]) + counted(n if isinstance(n, bytes) else n.encode()) for n in names)
    return extension(0, counted(entries))


def message(*extensions, version=b"\3\3", kind=1):
    body = version + b"r" * 32 + b"\0" + counted(b"\x13\x01\x13\x02") + b"\1\0"
    if extensions:
        body += counted(b"".join(extensions))
    return bytes([kind]) + counted(body, 3)


def record(data, kind=0x16, version=b"\3\1"):
    return bytes([kind]) + version + counted(data)


def records(data, *sizes):
    """Of these sizes; the last one holds the rest."""
    out = b""
    for size in sizes:
        out, data = out + record(data[:size]), data[size:]
    return out + record(data)
