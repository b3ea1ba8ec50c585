"""The ways to try a message that should be refused: where on its connection it stands, and in what
pieces it comes. Two parsers that disagree do so at an edge, and these are the edges. That pieces mean
nothing is shown for each message by tests/fuzz/fuzz_splits.c, whose seeds the tables are; here each is
tried in one way, the ways in turn, and a few in all of them.
"""
import pytest

FIRST = b"GET http://@/first HTTP/1.1\r\nHost: @\r\n\r\n"
SMUGGLED = b"GET http://@/smuggled HTTP/1.1\r\nHost: @\r\n\r\n"

#: (position, delivery, seed)
WAYS = [("first", "whole", 0), ("first", "bytes", 0), ("first", "random", 1), ("first", "random", 2),
        ("second", "whole", 0), ("second", "random", 3), ("pipelined", "whole", 0),
        ("pipelined", "random", 4)]


def named(way):
    return f"{way[0]}-{way[1]}{way[2] or ''}"


def tried(cases, edges):
    """What to parametrize "case,way" with: `cases` is {name: case}, `edges` names some of them."""
    assert not edges - cases.keys(), edges - cases.keys()
    for number, (name, case) in enumerate(cases.items()):
        turn = WAYS[number % len(WAYS)]
        yield pytest.param(case, turn, id=f"{name}-{named(turn)}")
        for way in WAYS if name in edges else ():
            if way != turn:
                yield pytest.param(case, way, id=f"{name}-{named(way)}", marks=pytest.mark.once)


def fill(data, authority):
    """@ is the origin's authority, @AT@ a literal @."""
    return data.replace(b"@AT@", b"\x00AT\x00").replace(b"@", authority).replace(b"\x00AT\x00", b"@")


def send(client, message, authority, way):
    """Send `message` this way, with a tidy request right behind it, which is what a smuggler would
    want to be served. The answer to a good request before it, if there is one, is read."""
    position, how, seed = way
    if how == "bytes" and len(message) > 5000:
        how, seed = "random", 5
    message = fill(message, authority) + fill(SMUGGLED, authority)
    first = fill(FIRST, authority)
    if position == "first":
        client.send(message, how, seed)
    elif position == "second":
        assert client.ask(first).status == 200
        client.send(message, how, seed)
    else:
        client.send(first + message, how, seed)
        assert client.response().status == 200
