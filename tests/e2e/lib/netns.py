"""A network of one's own for one test: what is public, private or metadata in the world is then an
address on loopback, and nothing can leave.

    @network("93.184.216.0/24", "10.0.0.0/8", "2a00:1450:4001::/64")
    def test_public(proxyd): …

The test's body runs in a thread that has left the machine's network namespace. Sockets, threads and
programs that it makes live in the new one, which ends with them. The networks named are delivered to
loopback without being addresses of an interface (a local route), so that they keep their class.
"""
import ctypes
import functools
import os
import subprocess
import threading

from .skip import need, skip

CLONE_NEWNET = 0x40000000


def ip(*words):
    subprocess.run([need("ip"), *words], check=True, capture_output=True)


def route(network):
    """Deliver a network to loopback."""
    ip("-6" if ":" in network else "-4", "route", "add", "local", network, "dev", "lo")


def _enter(networks):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "no network namespace to be had")
    ip("link", "set", "lo", "up")
    for network in networks:
        route(network)


def network(*networks):
    def decorate(test):
        @functools.wraps(test)
        def run(*args, **kwargs):
            if os.geteuid() != 0:
                skip("network namespaces need root")
            failure = []

            def body():
                try:
                    _enter(networks)
                    test(*args, **kwargs)
                except BaseException as error:   # pytest's own outcomes are no Exceptions
                    failure.append(error)
            thread = threading.Thread(target=body)
            thread.start()
            thread.join()
            if failure:
                raise failure[0]
        return run
    return decorate
