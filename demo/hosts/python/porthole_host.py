# SPDX-License-Identifier: MIT
"""porthole_host_v1 (src/include/porthole/host.h) over the standard socket and ssl modules, for the wasmtime package.

One Host is one instance of a guest. Sockets never block: an operation is tried, and poll() waits for the next try until the
time is up.
"""

import re
import select
import socket
import ssl
import struct
import time

from policy import Denied, NoAddress

WANT_READ, WANT_WRITE = -1, -2
REFUSED, RESET, NOT_FOUND, TIMED_OUT, DENIED, TLS_HANDSHAKE, TLS_VERIFY, CLOSED = range(-400, -408, -1)
UNREACHABLE, ABORTED, BUSY, BAD_HANDLE, OTHER, UNSUPPORTED = range(-408, -414, -1)
OPEN_TLS, OPEN_IPV4, OPEN_IPV6 = 1, 2, 4
TLS_ALPN_HTTP1 = 1
READABLE, WRITABLE = 1, 2
INFO_ERROR, INFO_PEER, INFO_LOCAL, INFO_TLS, INFO_ALPN, INFO_MOST = 0, 1, 2, 3, 4, 200
PIECE = 65536  # bytes that one call takes or gives
HEAD_MOST = 1 << 20
LINGER = 2  # seconds that a closed connection has for what was taken from the guest
FAMILIES = {OPEN_IPV4: socket.AF_INET, OPEN_IPV6: socket.AF_INET6}


class Failure(Exception):
    """Ends a call: a code, and words about it."""

    def __init__(self, code, words=""):
        super().__init__(words)
        self.code = code


def code_of(error):
    kinds = (
        (Denied, DENIED),
        (NoAddress, NOT_FOUND),
        (ConnectionRefusedError, REFUSED),
        (ConnectionResetError, RESET),
        ((BrokenPipeError, ConnectionAbortedError), CLOSED),
        (TimeoutError, TIMED_OUT),
        (ssl.SSLCertVerificationError, TLS_VERIFY),
        (ssl.SSLError, TLS_HANDSHAKE),
    )
    numbers = {101: UNREACHABLE, 113: UNREACHABLE, 24: BUSY, 23: BUSY}
    found = next((code for kind, code in kinds if isinstance(error, kind)), OTHER)
    return numbers.get(getattr(error, "errno", None), found) if found == OTHER else found


def address(end):
    """An end of a socket as a URL has it."""
    return f"[{end[0]}]:{end[1]}" if ":" in end[0] else f"{end[0]}:{end[1]}"


class Connection:
    """A socket, and what its host keeps of it."""

    def __init__(self, made, name, port, tls, rules):
        self.socket = made
        self.name, self.port = name, port
        self.tls_announced = tls
        self.rules = rules  # the schemes that the policy allows here
        self.secure = False
        self.head_seen = False
        self.unsent = b""  # what was taken from the guest and not by the socket yet
        self.wants_write = False  # TLS has to write before it can read
        self.words = ""

    def handshaking(self):
        return isinstance(self.socket, ssl.SSLSocket) and not self.secure

    def decrypted(self):
        """Are there bytes that poll() knows nothing of?"""
        return self.secure and self.socket.pending() > 0

    def events(self, interest):
        """What poll() has to wait for, so that something can go on."""
        events = select.POLLIN if interest & READABLE else 0
        return events | (select.POLLOUT if interest & WRITABLE or self.unsent or self.wants_write else 0)


class Host:
    """The imports of one instance; its handles mean nothing to another."""

    def __init__(self, policy, heads, context=None):
        self.policy = policy
        self.heads = heads
        self.context = context
        self.memory = self.store = None  # set once the guest is instantiated
        self.connections = {}
        self.next_handle = 1
        self.words = ""
        self.used = dict.fromkeys(("total_connections", "lookups", "bytes_in", "bytes_out"), 0)

    # The guest's memory. Numbers of a guest arrive signed.

    def span(self, pointer, length):
        """Checks a range of the guest's memory. Returns its ends."""
        start, end = pointer & 0xFFFFFFFF, (pointer & 0xFFFFFFFF) + (length & 0xFFFFFFFF)
        if end > self.memory.data_len(self.store):
            raise Failure(OTHER, "a pointer outside of the memory")
        return start, end

    def read(self, pointer, length):
        return bytes(self.memory.read(self.store, *self.span(pointer, length)))

    def read_name(self, pointer, length):
        if not 0 < length <= 255:
            raise Failure(OTHER, "a name has 1 to 255 bytes")
        return self.read(pointer, length).decode("latin-1")

    def write(self, pointer, data):
        self.memory.write(self.store, data, self.span(pointer, len(data))[0])

    # Limits of time and of everything else.

    def end_of(self, timeout_ms):
        """When an operation has to be over; None when it may not wait at all."""
        most = self.policy.limits["timeout"]
        return None if timeout_ms == 0 else time.monotonic() + (most if timeout_ms < 0 else min(timeout_ms / 1000, most))

    def use(self, what, amount=1):
        self.used[what] += amount
        if self.used[what] > self.policy.limits[what]:
            raise Failure(DENIED, f"the limit of {self.policy.limits[what]} {what} is passed")

    def find(self, handle):
        found = self.connections.get(handle)
        if found is None:
            raise Failure(BAD_HANDLE)
        return found

    def until(self, of, end, attempt, interest):
        """Tries until it works or the time is up. Returns what the attempt does, or None in no time."""
        while True:
            try:
                of.wants_write = False
                return attempt()
            except (BlockingIOError, ssl.SSLWantReadError):
                pass
            except ssl.SSLWantWriteError:
                of.wants_write = True
            left = 0 if end is None else end - time.monotonic()
            if left <= 0:
                if end is None:
                    return None
                raise TimeoutError("timed out")
            poller = select.poll()
            poller.register(of.socket, of.events(interest))
            poller.poll(left * 1000)

    # porthole_host_v1

    def open(self, host, length, port, flags, timeout_ms):
        flags &= 0xFFFFFFFF
        name = self.read_name(host, length)
        if not 0 <= port <= 65535:
            raise Failure(OTHER, "a port is a number up to 65535")
        if flags & ~(OPEN_TLS | OPEN_IPV4 | OPEN_IPV6) or (flags & OPEN_TLS and self.context is None):
            raise Failure(UNSUPPORTED, "this host knows nothing of such a flag")
        if timeout_ms == 0:
            raise TimeoutError("nobody is connected in no time")
        if len(self.connections) >= self.policy.limits["connections"]:
            raise Failure(BUSY, "too many connections are open")
        self.use("total_connections")
        end = self.end_of(timeout_ms)
        schemes = ["https"] if flags & OPEN_TLS else ["http", "https"]
        family = FAMILIES.get(flags & (OPEN_IPV4 | OPEN_IPV6), socket.AF_UNSPEC)
        verdict = self.policy.judge(
            name, port, schemes, family, end - time.monotonic(), on_lookup=lambda: self.use("lookups")
        )
        made = self.connect([(one, port) for one in verdict.addresses], end)
        handle = self.next_handle
        self.next_handle += 1
        self.connections[handle] = Connection(made, name, port, bool(flags & OPEN_TLS), verdict.rules)
        return handle

    @staticmethod
    def connect(targets, end):
        """Tries each address, with an equal share of the time that is left."""
        for index, target in enumerate(targets):
            left = max(end - time.monotonic(), 0.001) / (len(targets) - index)
            try:
                made = socket.create_connection(target, left)
            except OSError:
                if index == len(targets) - 1:
                    raise
            else:
                made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                made.setblocking(False)
                return made

    def start_tls(self, handle, name, length, flags, timeout_ms):
        of = self.find(handle)
        name = self.read_name(name, length)
        if self.context is None or flags & ~TLS_ALPN_HTTP1:
            raise Failure(UNSUPPORTED, "this host can't do such TLS")
        if of.secure or of.unsent:
            raise Failure(OTHER, "TLS begins what is sent")
        if name.lower() != of.name.lower():
            raise Failure(OTHER if of.tls_announced else DENIED, f"{of.name} was opened")
        if "https" not in of.rules:
            raise Failure(DENIED, f"no rule allows https://{of.name}:{of.port}")
        if not of.handshaking():
            try:
                said = of.socket.recv(1, socket.MSG_PEEK)
            except BlockingIOError:
                pass
            else:
                raise Failure(OTHER if said else CLOSED, "the peer has spoken, or gone, before TLS")
            of.socket = self.context(flags).wrap_socket(of.socket, server_hostname=name, do_handshake_on_connect=False)
        if self.until(of, self.end_of(timeout_ms), lambda: of.socket.do_handshake() or True, READABLE) is None:
            return WANT_READ
        of.secure = True
        return 0

    def flush(self, of, end):
        """Sends what was taken. Returns whether all of it is gone."""

        def attempt():
            while of.unsent:
                of.unsent = of.unsent[of.socket.send(of.unsent) :]
            return True

        return self.until(of, end, attempt, WRITABLE) is not None

    def take(self, of, data, end):
        """Takes bytes once those before are gone, and sends what the socket has room for."""
        if not self.flush(of, end):
            return WANT_WRITE
        self.use("bytes_out", len(data))
        of.unsent = data
        self.flush(of, None)
        return len(data)

    def send_head(self, handle, head, length, timeout_ms):
        of = self.find(handle)
        if not 0 < length <= HEAD_MOST:
            raise Failure(OTHER, "this is no head")
        head = self.read(head, length)
        self.check_sending(of)
        self.heads.check(head, of.name.encode(), of.port, of.secure)
        of.head_seen = True
        return self.take(of, head, self.end_of(timeout_ms))

    def send(self, handle, data, length, timeout_ms):
        of = self.find(handle)
        if length == 0:
            raise Failure(OTHER, "there is nothing to send")
        start, end = self.span(data, length)
        self.check_sending(of)
        if not of.head_seen:
            raise Failure(DENIED, "a head comes first")
        return self.take(of, self.read(start, min(end - start, PIECE)), self.end_of(timeout_ms))

    @staticmethod
    def check_sending(of):
        if of.handshaking():
            raise Failure(OTHER, "TLS is being started")
        scheme = "https" if of.secure else "http"
        if scheme not in of.rules:
            raise Failure(DENIED, f"no rule allows {scheme}://{of.name}:{of.port}")

    def recv(self, handle, buffer, capacity, timeout_ms):
        of = self.find(handle)
        start, end = self.span(buffer, capacity)
        if start == end:
            raise Failure(OTHER, "there is no room to receive into")
        if of.handshaking():
            raise Failure(OTHER, "TLS is being started")

        def attempt():
            if of.unsent:
                self.flush(of, None)  # half of a head gets no answer
            try:
                return of.socket.recv(min(end - start, PIECE))
            except ssl.SSLEOFError:  # the core knows whether something is missing
                return b""

        data = self.until(of, self.end_of(timeout_ms), attempt, READABLE)
        if data is None:
            return WANT_READ
        self.use("bytes_in", len(data))
        self.write(start, data)
        return len(data)

    def wait(self, pairs, count, timeout_ms):
        count &= 0xFFFFFFFF
        most = self.policy.limits["timeout"] * 1000
        left = min(timeout_ms, most) if timeout_ms >= 0 else most
        if count == 0:
            time.sleep(left / 1000)
            return 0
        self.span(pairs, min(8 * count, 0xFFFFFFFF))
        if count > 4 * self.policy.limits["connections"]:
            raise Failure(UNSUPPORTED)
        asked = list(struct.iter_unpack("<ii", self.read(pairs, 8 * count)))
        found = [self.find(handle) for handle, _ in asked]
        if not all(READABLE <= interest <= READABLE | WRITABLE for _, interest in asked):
            raise Failure(OTHER, "no such interest")
        end = time.monotonic() + left / 1000
        while True:
            ready = self.look(asked, found, end)
            if any(ready) or time.monotonic() >= end:
                break
        self.write(pairs, b"".join(struct.pack("<ii", handle, bits) for (handle, _), bits in zip(asked, ready)))
        return sum(bits != 0 for bits in ready)

    def look(self, asked, found, end):
        """The bits that are ready, at once or when poll() says so; none when only what was taken went on."""
        poller = select.poll()
        events = {}
        for of, (_, interest) in zip(found, asked):
            number = of.socket.fileno()
            events[number] = events.get(number, 0) | of.events(interest)
            poller.register(number, events[number])
        pending = any(interest & READABLE and of.decrypted() for of, (_, interest) in zip(found, asked))
        got = dict(poller.poll(0 if pending else max(0, end - time.monotonic()) * 1000))
        ready = []
        for of, (_, interest) in zip(found, asked):
            event = got.get(of.socket.fileno(), 0)
            over = event & (select.POLLERR | select.POLLHUP | select.POLLNVAL)
            if of.unsent and event & select.POLLOUT:
                try:
                    self.flush(of, None)
                except OSError:
                    pass  # the next send or receive tells
            readable = event & select.POLLIN or over or of.decrypted() or (of.wants_write and event & select.POLLOUT)
            writable = (event & select.POLLOUT and not of.unsent) or over
            ready.append(((READABLE if readable else 0) | (WRITABLE if writable else 0)) & interest)
        return ready

    def close(self, handle):
        of = self.connections.pop(handle, None)
        if of is not None:
            try:
                self.flush(of, time.monotonic() + LINGER)
            except OSError:
                pass
            of.socket.close()

    def close_all(self):
        for handle in list(self.connections):
            self.close(handle)

    def info(self, handle, what, buffer, capacity):
        start, end = self.span(buffer, capacity)
        of = self.connections.get(handle)
        if of is None:
            text = self.words if handle == 0 and what == INFO_ERROR else ""
        else:
            text = self.text_of(of, what)
        line = re.sub(r"[\x00-\x1f\x7f-\x9f]+", " ", text).encode()
        line = line[: min(INFO_MOST, end - start)].decode(errors="ignore").encode()
        self.write(start, line)
        return len(line)

    @staticmethod
    def text_of(of, what):
        try:
            if what == INFO_ERROR:
                return of.words
            if what == INFO_PEER:
                return address(of.socket.getpeername())
            if what == INFO_LOCAL:
                return address(of.socket.getsockname())
        except OSError:
            return ""
        if of.secure and what == INFO_TLS:
            return of.socket.version() or ""
        if of.secure and what == INFO_ALPN:
            return of.socket.selected_alpn_protocol() or ""
        return ""

    def now(self):
        return struct.unpack("<i", struct.pack("<I", int(time.monotonic() * 1000) & 0xFFFFFFFF))[0]

    # Linking

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

    def answer(self, name):
        """One function as the guest sees it: whatever goes wrong is a code, and words for porthole_host_info."""
        function = getattr(self, name)

        def call(*numbers):
            try:
                return function(*numbers)
            except (Failure, Denied, NoAddress, OSError, ValueError) as error:
                of = self.connections.get(numbers[0]) if name != "open" else self
                if of is not None:
                    of.words = str(error)
                return error.code if isinstance(error, Failure) else code_of(error)

        return call
