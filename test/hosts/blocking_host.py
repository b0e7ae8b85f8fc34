# SPDX-License-Identifier: MIT
"""A host that blocks: porthole_host_v1 (src/include/porthole/host.h) over the standard socket module.

Usage: blocking_host.py [--ca FILE] GUEST.wasm HOST PORT URL...
With --ca the URLs are fetched by TLS, and the peer is verified by that authority.
Prints a line of JSON for each URL: the guest's result, the length of the body and its SHA-256.
"""

import hashlib
import json
import re
import select
import socket
import ssl
import struct
import sys
import time

from wasmtime import Engine, FuncType, Linker, Module, Store, ValType

WANT_READ, WANT_WRITE = -1, -2
REFUSED, RESET, NOT_FOUND, TIMED_OUT, TLS_HANDSHAKE, TLS_VERIFY = -400, -401, -402, -403, -405, -406
CLOSED, BUSY, BAD_HANDLE, OTHER, UNSUPPORTED = -407, -410, -411, -412, -413
OPEN_TLS, OPEN_IPV4, OPEN_IPV6 = 1, 2, 4
READABLE, WRITABLE = 1, 2
INFO_ERROR, INFO_PEER, INFO_LOCAL, INFO_TLS, INFO_ALPN, INFO_MOST = 0, 1, 2, 3, 4, 200
MAX_CONNECTIONS = 64


def seconds(timeout_ms):
    """What the socket module takes: None waits without end, 0 doesn't wait."""
    return None if timeout_ms < 0 else timeout_ms / 1000


def address(end):
    """An end of a socket as a URL has it."""
    return f"[{end[0]}]:{end[1]}" if ":" in end[0] else f"{end[0]}:{end[1]}"


class Connection:
    """A socket, and what its host keeps of it."""

    def __init__(self, connection):
        self.socket = connection
        self.unsent = b""  # the rest of a head that the socket has not taken
        self.words = ""


class Host:
    """The imports of one instance; its handles mean nothing to another."""

    def __init__(self, context):
        self.memory = None
        self.store = None
        self.context = context
        self.connections = {}
        self.next_handle = 1
        self.words = ""

    def inside(self, pointer, length):
        """Checks a range of the guest's memory, as unsigned numbers."""
        pointer, length = pointer & 0xFFFFFFFF, length & 0xFFFFFFFF
        return pointer + length <= self.memory.data_len(self.store)

    def read(self, pointer, length):
        pointer &= 0xFFFFFFFF
        return bytes(self.memory.read(self.store, pointer, pointer + length))

    def write(self, pointer, data):
        self.memory.write(self.store, data, pointer & 0xFFFFFFFF)

    def failed(self, where, error):
        where.words = str(error)
        kinds = (
            (ConnectionRefusedError, REFUSED),
            (ConnectionResetError, RESET),
            (BrokenPipeError, CLOSED),
            (TimeoutError, TIMED_OUT),
            (socket.gaierror, NOT_FOUND),
            (ssl.SSLCertVerificationError, TLS_VERIFY),
            (ssl.SSLError, TLS_HANDSHAKE),
        )
        return next((code for kind, code in kinds if isinstance(error, kind)), OTHER)

    def open(self, host, length, port, flags, timeout_ms):
        if not 0 < length <= 255 or not self.inside(host, length) or not 0 <= port <= 65535:
            return OTHER
        if flags & ~(OPEN_TLS | OPEN_IPV4 | OPEN_IPV6):
            return UNSUPPORTED
        if timeout_ms == 0:
            return TIMED_OUT
        if len(self.connections) >= MAX_CONNECTIONS:
            return BUSY
        families = {OPEN_IPV4: socket.AF_INET, OPEN_IPV6: socket.AF_INET6}
        family = families.get(flags & (OPEN_IPV4 | OPEN_IPV6), socket.AF_UNSPEC)
        end = None if timeout_ms < 0 else time.monotonic() + timeout_ms / 1000
        try:
            name = self.read(host, length).decode("ascii")
            found = socket.getaddrinfo(name, port, family, socket.SOCK_STREAM)
            connection = self.connect_to_any([entry[4][:2] for entry in found], end)
        except (OSError, UnicodeError) as error:
            return self.failed(self, error)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        handle = self.next_handle
        self.next_handle += 1
        self.connections[handle] = Connection(connection)
        return handle

    @staticmethod
    def connect_to_any(addresses, end):
        """Tries each address, with an equal share of the time that is left."""
        for index, target in enumerate(addresses):
            left = None if end is None else max(end - time.monotonic(), 0.001) / (len(addresses) - index)
            try:
                return socket.create_connection(target, left)
            except OSError:
                if index == len(addresses) - 1:
                    raise

    def start_tls(self, handle, name, length, flags, timeout_ms):
        of = self.connections.get(handle)
        if of is None:
            return BAD_HANDLE
        if not 0 < length <= 255 or not self.inside(name, length):
            return OTHER
        if self.context is None:
            return UNSUPPORTED
        try:
            if not isinstance(of.socket, ssl.SSLSocket):
                name = self.read(name, length).decode("ascii")
                of.socket = self.context.wrap_socket(of.socket, server_hostname=name, do_handshake_on_connect=False)
            of.socket.settimeout(seconds(timeout_ms))
            of.socket.do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return WANT_READ
        except (OSError, ValueError) as error:
            return self.failed(of, error)
        return 0

    def send_some(self, of, data, timeout_ms):
        """Sends what is left of a head, then of these. Returns a count, 0 when no time is left."""
        of.socket.settimeout(seconds(timeout_ms))
        try:
            while of.unsent:
                of.unsent = of.unsent[of.socket.send(of.unsent):]
            return of.socket.send(data) if data else 0
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return 0

    def send_head(self, handle, head, length, timeout_ms):
        of = self.connections.get(handle)
        if of is None:
            return BAD_HANDLE
        if length <= 0 or not self.inside(head, length):
            return OTHER
        try:
            self.send_some(of, b"", timeout_ms)
            if of.unsent:
                return WANT_WRITE
            of.unsent = self.read(head, length)
            self.send_some(of, b"", timeout_ms)
        except OSError as error:
            return self.failed(of, error)
        return length

    def send(self, handle, data, length, timeout_ms):
        of = self.connections.get(handle)
        if of is None:
            return BAD_HANDLE
        if length <= 0 or not self.inside(data, length):
            return OTHER
        try:
            return self.send_some(of, self.read(data, length), timeout_ms) or WANT_WRITE
        except OSError as error:
            return self.failed(of, error)

    def recv(self, handle, buffer, capacity, timeout_ms):
        of = self.connections.get(handle)
        if of is None:
            return BAD_HANDLE
        if capacity <= 0 or not self.inside(buffer, capacity):
            return OTHER
        try:
            if of.unsent:
                self.send_some(of, b"", timeout_ms)
            of.socket.settimeout(seconds(timeout_ms))
            data = of.socket.recv(capacity)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return WANT_READ
        except ssl.SSLEOFError:
            return 0
        except OSError as error:
            return self.failed(of, error)
        self.write(buffer, data)
        return len(data)

    def wait(self, pairs, count, timeout_ms):
        count &= 0xFFFFFFFF
        if not self.inside(pairs, 8 * count):
            return OTHER
        if count > MAX_CONNECTIONS:
            return UNSUPPORTED
        asked = struct.iter_unpack("<iI", self.read(pairs, 8 * count))
        asked = [(self.connections.get(handle), handle, interest) for handle, interest in asked]
        if any(of is None for of, _, _ in asked):
            return BAD_HANDLE
        pending = any(interest & READABLE and self.decrypted(of) for of, _, interest in asked)
        reads = [of.socket for of, _, interest in asked if interest & READABLE]
        writes = [of.socket for of, _, interest in asked if interest & WRITABLE]
        readable, writable, _ = select.select(reads, writes, [], 0 if pending else seconds(timeout_ms))
        answer, ready = b"", 0
        for of, handle, interest in asked:
            bits = READABLE if of.socket in readable or self.decrypted(of) else 0
            bits = (bits | (WRITABLE if of.socket in writable else 0)) & interest
            answer += struct.pack("<iI", handle, bits)
            ready += bits != 0
        self.write(pairs, answer)
        return ready

    @staticmethod
    def decrypted(of):
        """Are there bytes that select knows nothing of?"""
        return isinstance(of.socket, ssl.SSLSocket) and of.socket.pending() > 0

    def close(self, handle):
        of = self.connections.pop(handle, None)
        if of is not None:
            of.socket.close()

    def info(self, handle, what, buffer, capacity):
        if not self.inside(buffer, capacity):
            return OTHER
        of = self.connections.get(handle)
        if of is None:
            text = self.words if handle == 0 and what == INFO_ERROR else ""
        else:
            text = self.text_of(of, what)
        line = re.sub(r"[\x00-\x1f\x7f]+", " ", text).encode()
        line = line[: min(INFO_MOST, capacity & 0xFFFFFFFF)].decode(errors="ignore").encode()
        self.write(buffer, line)
        return len(line)

    @staticmethod
    def text_of(of, what):
        if what == INFO_ERROR:
            return of.words
        if what == INFO_PEER:
            return address(of.socket.getpeername())
        if what == INFO_LOCAL:
            return address(of.socket.getsockname())
        if isinstance(of.socket, ssl.SSLSocket):
            if what == INFO_TLS:
                return of.socket.version() or ""
            if what == INFO_ALPN:
                return of.socket.selected_alpn_protocol() or ""
        return ""

    def now(self):
        milliseconds = int(time.monotonic() * 1000) & 0xFFFFFFFF
        return milliseconds - 0x100000000 if milliseconds > 0x7FFFFFFF else milliseconds


SIGNATURES = {
    "open": (5, True),
    "start_tls": (5, True),
    "send_head": (4, True),
    "send": (4, True),
    "recv": (4, True),
    "wait": (3, True),
    "close": (1, False),
    "info": (4, True),
    "now": (0, True),
}


def instantiate(path, context):
    engine = Engine()
    store = Store(engine)
    module = Module.from_file(engine, path)
    host = Host(context)
    linker = Linker(engine)
    for name, (arguments, answers) in SIGNATURES.items():
        kind = FuncType([ValType.i32()] * arguments, [ValType.i32()] * answers)
        linker.define_func("porthole_host_v1", f"porthole_host_{name}", kind, getattr(host, name))
    exports = linker.instantiate(store, module).exports(store)
    host.memory, host.store = exports["memory"], store
    return store, exports, host


def tls_context(authority):
    context = ssl.create_default_context(cafile=authority)
    context.set_alpn_protocols(["http/1.1"])
    return context


def main():
    arguments = sys.argv[1:]
    context = None
    if arguments[0] == "--ca":
        context = tls_context(arguments[1])
        arguments = arguments[2:]
    path, name, port, *urls = arguments
    store, exports, host = instantiate(path, context)
    for url in urls:
        text = exports["guest_text"](store)
        host.write(text, (name + url).encode())
        result = exports["guest_get"](store, len(name), int(port), len(url), int(context is not None))
        length = exports["guest_body_length"](store)
        body = host.read(exports["guest_body"](store), length)
        digest = hashlib.sha256(body).hexdigest()
        words = host.read(exports["guest_words"](store), exports["guest_words_length"](store)).decode()
        answer = {"url": url, "result": result, "length": length, "sha256": digest, "open": len(host.connections)}
        print(json.dumps({**answer, "words": words} if result < 0 else answer))


main()
