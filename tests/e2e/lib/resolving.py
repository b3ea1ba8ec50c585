"""What is asked of a proxy that resolves names, for the tests of names and addresses (test_21x)."""
import threading

from lib.client import Client, fetch


def ask(daemon, name, origin, path="/", **how):
    return fetch(daemon.port, f"http://{name}:{origin.port}{path}", **how)


def served(daemon, name, origin, path="/"):
    answer = ask(daemon, name, origin, path)
    assert answer.status == 200, answer
    return answer


def connects(daemon, name, origin):
    """The status of a CONNECT: a tunnel rides no idle connection, so the name is looked up each time."""
    with Client(daemon.port) as client:
        return client.ask(f"CONNECT {name}:{origin.port} HTTP/1.1\r\nHost: x\r\n\r\n").status


def together(n, function):
    """Run function(i) in n threads at once; their results."""
    results, start = [None] * n, threading.Barrier(n)

    def one(i):
        start.wait()
        results[i] = function(i)
    threads = [threading.Thread(target=one, args=(i,)) for i in range(n)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return results
