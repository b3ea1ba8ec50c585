"""Parts of the tests of the cache: a configuration, an origin's answers with dates, and who was asked."""
import email.utils
import re
import time

from . import conf
from .client import Client
from .origin import ok

CACHE = "cache main { memory 32m; }"


def forward(cache=CACHE, listener="cache main;", extra="", **more):
    return conf.forward(extra=cache + "\n" + extra, listener=listener, **more)


def date(ago=0):
    return email.utils.formatdate(time.time() - ago, usegmt=True)


def answer(body="ok", *fields, ago=0, **more):
    """As `ok`, with a Date so many seconds ago."""
    return ok(body, f"Date: {date(ago)}", *fields, **more)


def asked(origin, path):
    """Requests that the origin has seen for that path."""
    return [r for r in origin.requests if r.target == path]


def get(daemon, url, *fields, **more):
    with Client(daemon.port) as client:
        return client.get(url, *fields, **more)


def status(response):
    """Our member of Cache-Status as {"name": value}; a parameter without value is True."""
    lines = response.all("Cache-Status")
    assert lines, response
    member = re.split(r",\s*", lines[-1])[-1]
    name, *parameters = [part.strip() for part in member.split(";")]
    assert name == "proxyd", member
    pairs = (part.partition("=") for part in parameters)
    return {key: value if equals else True for key, equals, value in pairs}


def heard(client):
    """What has come by now; `response` reads it all the same."""
    client.sock.settimeout(0)
    try:
        while piece := client.sock.recv(1 << 20):
            client.reader.buffer += piece
    except OSError:
        pass
    return bytes(client.reader.buffer)


def is_hit(response):
    return status(response).get("hit") is True
