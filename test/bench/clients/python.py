# SPDX-License-Identifier: MIT
"""Python's http.client under one load; the counterpart of harness.mjs and a client in one."""

import argparse
import http.client
import json
import pathlib
import re
import resource
import threading
import time

TIMEOUT = 30


def fetch(connection, method, load, body=None):
    connection.request(method, load["path"], body)
    response = connection.getresponse()
    if response.status != 200:
        raise RuntimeError(f"status {response.status}")
    return response


def read(connection, load):
    return lambda: len(fetch(connection, "GET", load).read())


def stream(connection, load):
    view = memoryview(bytearray(load["view"]))

    def operation():
        response = fetch(connection, "GET", load)
        total = 0
        while count := response.readinto(view):
            total += count
        return total

    return operation


def upload(connection, load):
    body = b"x" * load["upload"]
    return lambda: len(fetch(connection, "POST", load, body).read())


OPERATIONS = {"read": read, "stream": stream, "upload": upload}


def repeat(operation, count, expected):
    for _ in range(count):
        got = operation()
        if got != expected:
            raise RuntimeError(f"{got} bytes instead of {expected}")


def run(operations, count, load):
    """Gives each operation its share of `count`, in a thread of its own when there are several."""
    share = count // len(operations)
    if len(operations) == 1:
        repeat(operations[0], share, load["bytes"])
        return
    threads = [threading.Thread(target=repeat, args=(operation, share, load["bytes"])) for operation in operations]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def peak_memory():
    try:
        status = pathlib.Path("/proc/self/status").read_text(encoding="latin-1")
        return int(re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)[1])
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--load", default="small")
    parser.add_argument("--requests", type=int)
    parser.add_argument("--warmup", type=int)
    options = parser.parse_args()
    loads = json.loads(pathlib.Path(__file__).parent.parent.joinpath("loads.json").read_text(encoding="utf-8"))
    load = next(load for load in loads if load["name"] == options.load)
    requests = load["requests"] if options.requests is None else options.requests
    warmup = load["warmup"] if options.warmup is None else options.warmup

    connections = [
        http.client.HTTPConnection("127.0.0.1", options.port, timeout=TIMEOUT) for _ in range(load["connections"])
    ]
    operations = [OPERATIONS[load["kind"]](connection, load) for connection in connections]
    run(operations, warmup, load)
    before = resource.getrusage(resource.RUSAGE_SELF)
    start = time.perf_counter()
    run(operations, requests, load)
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_SELF)
    for connection in connections:
        connection.close()
    result = {
        "requests": requests,
        "wall": wall * 1e6,
        "user": (after.ru_utime - before.ru_utime) * 1e6,
        "system": (after.ru_stime - before.ru_stime) * 1e6,
        "rss": peak_memory(),
    }
    print(json.dumps(result))


main()
