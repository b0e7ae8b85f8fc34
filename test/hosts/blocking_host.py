# SPDX-License-Identifier: MIT
"""A host that blocks: porthole_host_v1 (src/include/porthole/host.h) over the standard socket module.

Usage: blocking_host.py GUEST.wasm HOST PORT URL...
Prints a line of JSON for each URL: the guest's result, the length of the body and its SHA-256.
"""

import hashlib
import json
import select
import socket
import sys

from wasmtime import Engine, FuncType, Linker, Module, Store, ValType

WANT_READ, WANT_WRITE = -1, -2
REFUSED, RESET, NOT_FOUND, TIMED_OUT = -400, -401, -402, -403
CLOSED, BUSY, BAD_HANDLE, OTHER = -407, -410, -411, -412
MAX_CONNECTIONS = 64


def seconds(timeout_ms):
    """What the socket module takes: None waits without end, 0 doesn't wait."""
    return None if timeout_ms < 0 else timeout_ms / 1000


class Host:
    """The imports of one instance; its handles mean nothing to another."""

    def __init__(self):
        self.memory = None
        self.store = None
        self.sockets = {}
        self.next_handle = 1
        self.text = b""

    def inside(self, pointer, length):
        """Checks a range of the guest's memory, as unsigned numbers."""
        pointer, length = pointer & 0xFFFFFFFF, length & 0xFFFFFFFF
        return pointer + length <= self.memory.data_len(self.store)

    def read(self, pointer, length):
        pointer &= 0xFFFFFFFF
        return bytes(self.memory.read(self.store, pointer, pointer + length))

    def failed(self, error):
        self.text = str(error).encode()
        if isinstance(error, ConnectionRefusedError):
            return REFUSED
        if isinstance(error, ConnectionResetError):
            return RESET
        if isinstance(error, BrokenPipeError):
            return CLOSED
        if isinstance(error, TimeoutError):
            return TIMED_OUT
        return NOT_FOUND if isinstance(error, socket.gaierror) else OTHER

    def open(self, host, length, port, timeout_ms):
        if not self.inside(host, length) or not 0 <= port <= 65535:
            return OTHER
        if len(self.sockets) >= MAX_CONNECTIONS:
            return BUSY
        timeout = seconds(timeout_ms)
        try:
            connection = socket.create_connection((self.read(host, length).decode("ascii"), port), timeout)
        except OSError as error:
            return self.failed(error)
        handle = self.next_handle
        self.next_handle += 1
        self.sockets[handle] = connection
        return handle

    def start_tls(self, handle, name, length, flags, timeout_ms):
        return OTHER

    def send(self, handle, data, length, timeout_ms):
        connection = self.sockets.get(handle)
        if connection is None:
            return BAD_HANDLE
        if length <= 0 or not self.inside(data, length):
            return OTHER
        try:
            connection.settimeout(seconds(timeout_ms))
            return connection.send(self.read(data, length))
        except BlockingIOError:
            return WANT_WRITE
        except OSError as error:
            return self.failed(error)

    def recv(self, handle, buffer, capacity, timeout_ms):
        connection = self.sockets.get(handle)
        if connection is None:
            return BAD_HANDLE
        if capacity <= 0 or not self.inside(buffer, capacity):
            return OTHER
        try:
            connection.settimeout(seconds(timeout_ms))
            data = connection.recv(capacity)
        except BlockingIOError:
            return WANT_READ
        except OSError as error:
            return self.failed(error)
        self.memory.write(self.store, data, buffer & 0xFFFFFFFF)
        return len(data)

    def wait(self, handle, interest, timeout_ms):
        connection = self.sockets.get(handle)
        if connection is None:
            return BAD_HANDLE
        timeout = seconds(timeout_ms)
        reads, writes = [connection] * (interest & 1), [connection] * (interest >> 1 & 1)
        readable, writable, _ = select.select(reads, writes, [], timeout)
        return len(readable) | len(writable) << 1

    def close(self, handle):
        connection = self.sockets.pop(handle, None)
        if connection is not None:
            connection.close()

    def last_error(self, handle, buffer, capacity):
        if capacity < 0 or not self.inside(buffer, capacity):
            return OTHER
        self.memory.write(self.store, self.text[:capacity], buffer & 0xFFFFFFFF)
        return min(len(self.text), capacity)


SIGNATURES = {
    "open": (4, True),
    "start_tls": (5, True),
    "send": (4, True),
    "recv": (4, True),
    "wait": (3, True),
    "close": (1, False),
    "last_error": (3, True),
}


def instantiate(path):
    engine = Engine()
    store = Store(engine)
    module = Module.from_file(engine, path)
    host = Host()
    linker = Linker(engine)
    for name, (arguments, answers) in SIGNATURES.items():
        kind = FuncType([ValType.i32()] * arguments, [ValType.i32()] * answers)
        linker.define_func("porthole_host_v1", f"porthole_host_{name}", kind, getattr(host, name))
    exports = linker.instantiate(store, module).exports(store)
    host.memory, host.store = exports["memory"], store
    return store, exports, host


def main():
    path, name, port, *urls = sys.argv[1:]
    store, exports, host = instantiate(path)
    for url in urls:
        text = exports["guest_text"](store)
        host.memory.write(store, (name + url).encode(), text)
        result = exports["guest_get"](store, len(name), int(port), len(url))
        length = exports["guest_body_length"](store)
        body = host.read(exports["guest_body"](store), length)
        digest = hashlib.sha256(body).hexdigest()
        print(json.dumps({"url": url, "result": result, "length": length, "sha256": digest, "open": len(host.sockets)}))


main()
