# SPDX-License-Identifier: MIT
"""Python's http.client as a contender: the counterpart of contender.mjs and a client in one."""

import gc
import http.client
import json
import pathlib
import re
import resource
import ssl
import sys
import time

TIMEOUT = 30

task = json.loads(sys.argv[1])
load = task["load"]
pattern = pathlib.Path(task["body"]).read_bytes()


def connect():
    if task.get("ca"):
        context = ssl.create_default_context(cafile=task["ca"])
        return http.client.HTTPSConnection("127.0.0.1", task["port"], timeout=TIMEOUT, context=context)
    return http.client.HTTPConnection("127.0.0.1", task["port"], timeout=TIMEOUT)


def fetch(connection, method, path, body=None):
    connection.request(method, path, body)
    response = connection.getresponse()
    if response.status != 200:
        raise RuntimeError(f"status {response.status}")
    return response


def read_through(connection, view, visit=None):
    response = fetch(connection, "GET", load["path"])
    total = 0
    while count := response.readinto(view):
        total += count
        if visit:
            visit(view[:count])
    return total


def operation(connection):
    if load["kind"] == "upload":
        body = pattern * (load["upload"] // len(pattern))
        return lambda: len(fetch(connection, "POST", load["path"], body).read())
    if load["kind"] in ("stream", "peak", "open"):
        view = memoryview(bytearray(load["view"]))
        return lambda: read_through(connection, view)
    return lambda: len(fetch(connection, "GET", load["path"]).read())


class Verifier:
    """Compares pieces of a body with the repeated pattern."""

    def __init__(self):
        self.seen = 0

    def __call__(self, piece):
        done = 0
        while done < len(piece):
            start = (self.seen + done) % len(pattern)
            length = min(len(pattern) - start, len(piece) - done)
            if piece[done : done + length] != pattern[start : start + length]:
                raise RuntimeError(f"{load['path']}: the body differs after byte {self.seen + done}")
            done += length
        self.seen += done


def verify(connection):
    """Compares what is received, or what the server received, with what it should be."""
    visit = Verifier()
    expected = load["bytes"]
    if load["kind"] == "upload":
        body = pattern * (load["upload"] // len(pattern))
        visit(fetch(connection, "POST", load["check"], body).read())
    elif load["kind"] in ("stream", "peak", "open"):
        read_through(connection, memoryview(bytearray(load["view"])), visit)
    else:
        visit(fetch(connection, "GET", load["path"]).read())
    if visit.seen != expected:
        raise RuntimeError(f"{load['path']}: {visit.seen} bytes instead of {expected}")


def repeat(run, count):
    for _ in range(count):
        got = run()
        if got != load["bytes"]:
            raise RuntimeError(f"{got} bytes instead of {load['bytes']}")


def status(field):
    text = pathlib.Path("/proc/self/status").read_text(encoding="latin-1")
    return int(re.search(rf"^{field}:\s+(\d+) kB$", text, re.MULTILINE)[1])


def measure(run, count):
    before = resource.getrusage(resource.RUSAGE_SELF)
    start = time.perf_counter()
    repeat(run, count)
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_SELF)
    user = (after.ru_utime - before.ru_utime) * 1e6
    system = (after.ru_stime - before.ru_stime) * 1e6
    return {"requests": count, "wall": wall * 1e6, "user": user, "system": system}


def warm(run, limit):
    """There is no just-in-time compiler to wait for: a tenth of what Node warms up with."""
    count = max(1, load["warmup"] // 10)
    end = time.perf_counter() + limit / 1000
    pace = []
    requests = 0
    while requests < count and time.perf_counter() < end:
        sample = measure(run, max(1, count // 10))
        requests += sample["requests"]
        pace.append(sample["wall"] / sample["requests"])
    return {"requests": requests, "first": pace[0], "pace": min(pace[-3:]), "settled": True}


def open_all():
    gc.collect()
    before = status("VmRSS")
    connections = [connect() for _ in range(load["connections"])]
    for connection in connections:
        repeat(operation(connection), 1)
    gc.collect()
    opened = status("VmRSS")
    for connection in connections:
        connection.close()
    connections.clear()
    gc.collect()
    count = load["connections"]
    return {"open": (opened - before) / count, "closed": (status("VmRSS") - before) / count}


def raise_file_limit():
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def say(answer):
    print(json.dumps(answer), flush=True)


def main():
    raise_file_limit()
    connection = connect()
    run = operation(connection)
    if load["kind"] != "peak":
        verify(connection)
    say({"ready": True})
    for line in sys.stdin:
        command, *args = line.split()
        numbers = [int(argument) for argument in args]
        if command == "warm":
            say(warm(run, *numbers))
        elif command == "round":
            count, collect = numbers
            if collect:
                gc.collect()
            say(measure(run, count))
        elif command == "peak":
            repeat(run, *numbers)
            peak = status("VmHWM") * 1024 / 1e6
            verify(connection)
            say({"peak": peak})
        elif command == "open":
            say(open_all())
        elif command == "end":
            say({"rss": status("VmHWM") * 1024 / 1e6})
            return


def first_answer():
    """One answer, and how long that took since the interpreter began to read this file."""
    verify(connect())
    usage = resource.getrusage(resource.RUSAGE_SELF)
    say({"cpu": (usage.ru_utime + usage.ru_stime) * 1000})


if load["kind"] == "start":
    first_answer()
else:
    main()
