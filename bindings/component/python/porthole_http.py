# SPDX-License-Identifier: MIT
"""http.client over porthole:http/client, for programs that componentize-py makes components of.

Python there has no sockets. `HTTPConnection` and `HTTPResponse` are those of http.client, but for what goes over the network: that
is porthole's. `install()` puts them in http.client's place, for what uses that: urllib.request, for one.

What differs: several values of putheader() become one line, with commas; `sock` is always None; `chunked` and `length` of a response tell
nothing, as the body is framed and checked by porthole; HTTPSConnection has no context.
"""

import encodings.idna  # for set_tunnel, while modules can still be found: in the component there are only those imported before
import http.client
import io
import socket
import urllib.request

from componentize_py_types import Err
from wit_world.imports import client

__all__ = ["HTTPConnection", "HTTPResponse", "HTTPSConnection", "install"]

_CLASSES = {
    client.ErrorKind.NOT_CONNECTED: http.client.NotConnected,
    client.ErrorKind.INVALID_URL: http.client.InvalidURL,
    client.ErrorKind.UNKNOWN_PROTOCOL: http.client.UnknownProtocol,
    client.ErrorKind.UNKNOWN_TRANSFER_ENCODING: http.client.UnknownTransferEncoding,
    client.ErrorKind.CANNOT_SEND_REQUEST: http.client.CannotSendRequest,
    client.ErrorKind.CANNOT_SEND_HEADER: http.client.CannotSendHeader,
    client.ErrorKind.RESPONSE_NOT_READY: http.client.ResponseNotReady,
    client.ErrorKind.BAD_STATUS_LINE: http.client.BadStatusLine,
    client.ErrorKind.REMOTE_DISCONNECTED: http.client.RemoteDisconnected,
    client.ErrorKind.TIMEOUT_ERROR: TimeoutError,
    client.ErrorKind.TYPE_ERROR: ValueError,
    client.ErrorKind.TUNNEL_ERROR: OSError,
}

_OS_ERRORS = {
    "ECONNREFUSED": ConnectionRefusedError,
    "ECONNRESET": ConnectionResetError,
    "ENOTFOUND": socket.gaierror,
    "EACCES": PermissionError,
    "EPIPE": BrokenPipeError,
    "ABORT_ERR": ConnectionAbortedError,
}


def _raised(error):
    """The exception for an error: `porthole` of it has all that is known."""
    if error.kind is client.ErrorKind.INCOMPLETE_READ:
        made = http.client.IncompleteRead(b"")
    elif error.kind is client.ErrorKind.LINE_TOO_LONG:
        made = http.client.LineTooLong("line")
        made.args = (error.message,)
    elif error.kind is client.ErrorKind.OS_ERROR:
        made = _OS_ERRORS.get(error.name, OSError)(error.message)
    else:
        made = _CLASSES.get(error.kind, http.client.HTTPException)(error.message)
    made.porthole = error
    return made


def _call(function, *arguments):
    try:
        return function(*arguments)
    except Err as error:
        raise _raised(error.value) from None


def _drop(resource):
    resource.__exit__(None, None, None)


class _Body(io.RawIOBase):
    """A body as a file: it ends where porthole says."""

    def __init__(self, response):
        self._response = response

    def readable(self):
        return True

    def readinto(self, buffer):
        data = _call(self._response.read1, len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self):
        if not self.closed:
            _drop(self._response)
        super().close()


class HTTPResponse(http.client.HTTPResponse):
    """A response whose body http.client takes for one that ends with the connection."""

    def __init__(self, response, method):
        self.fp = io.BufferedReader(_Body(response))
        self.debuglevel = 0
        self._method = method
        self.status = self.code = response.status()
        self.version = response.version()
        self.reason = response.reason()
        self.headers = self.msg = http.client.HTTPMessage()
        for name, value in response.getheaders():
            self.headers[name] = value.decode("iso-8859-1")
        self.will_close = response.will_close()
        self.chunked = False
        self.chunk_left = self.length = None
        if response.isclosed():
            self._close_conn()

    def read(self, amt=None):
        if amt is not None and amt >= 0 or self.fp is None:
            return super().read(amt)
        pieces = []
        try:
            while piece := self.fp.read1(1 << 16):
                pieces.append(piece)
        except http.client.IncompleteRead as error:
            error.partial = b"".join(pieces) + error.partial
            self._close_conn()
            raise
        self._close_conn()
        return b"".join(pieces)


class HTTPConnection(http.client.HTTPConnection):
    """A connection that porthole makes; what it is made of is looked at when it is used first, and after close()."""

    _client = None
    _method = None
    _secure = False

    def _made(self):
        if self._client is None:
            made = client.Connection(self.host, self.port)
            timeout = socket.getdefaulttimeout() if self.timeout is socket._GLOBAL_DEFAULT_TIMEOUT else self.timeout
            if timeout is not None:
                made.set_timeout(max(1, round(timeout * 1000)))
            if self._secure:
                made.use_tls()
            if self._tunnel_host:
                headers = [(name, _bytes(value)) for name, value in self._tunnel_headers.items()]
                _call(made.set_tunnel, self._tunnel_host, self._tunnel_port, headers)
            self._client = made
        return self._client

    def connect(self):
        _call(self._made().connect)

    def close(self):
        if self._client is not None:
            self._client.close()
            _drop(self._client)
            self._client = None

    def putrequest(self, method, url, skip_host=False, skip_accept_encoding=False):
        skipped = client.Skipped.HOST if skip_host else client.Skipped(0)
        if skip_accept_encoding:
            skipped |= client.Skipped.ACCEPT_ENCODING
        self._method = method
        _call(self._made().putrequest, method, url or "/", skipped)

    def putheader(self, header, *values):
        name = header.decode("ascii") if isinstance(header, bytes) else header
        _call(self._made().putheader, name, b", ".join(map(_bytes, values)))

    def endheaders(self, message_body=None, *, encode_chunked=False):
        whole = isinstance(message_body, (bytes, bytearray, memoryview)) and not encode_chunked
        _call(self._made().endheaders, bytes(message_body) if whole else None)
        if message_body is None or whole:
            return
        for piece in _pieces(message_body, self.blocksize):
            if piece:
                self._send(b"%X\r\n%b\r\n" % (len(piece), piece) if encode_chunked else piece)
        if encode_chunked:
            self._send(b"0\r\n\r\n")

    def send(self, data):
        for piece in _pieces(data, self.blocksize):
            self._send(piece)

    def _send(self, piece):
        _call(self._made().send, piece)

    def getresponse(self):
        return HTTPResponse(_call(self._made().getresponse), self._method)


class HTTPSConnection(HTTPConnection):
    """The same over TLS, where the component has it. Whom to trust the runtime knows."""

    default_port = http.client.HTTPS_PORT
    _secure = True

    def __init__(self, host, port=None, *, context=None, **rest):
        if context is not None:
            raise ValueError("whom to trust the runtime knows: there can be no context")
        super().__init__(host, port, **rest)


def _bytes(value):
    if isinstance(value, (bytes, bytearray)):
        return bytes(value)
    return str(value).encode("iso-8859-1")


def _pieces(data, size):
    """Bytes, a file or an iterable of bytes, as pieces."""
    if hasattr(data, "read"):
        while piece := data.read(size):
            yield piece.encode("iso-8859-1") if isinstance(piece, str) else bytes(piece)
    elif isinstance(data, (bytes, bytearray, memoryview)):
        yield bytes(data)
    else:
        yield from map(bytes, data)


class _HTTPSHandler(urllib.request.AbstractHTTPHandler):
    """What urllib.request hasn't where there is no ssl, and looks for where http.client has HTTPSConnection."""

    https_request = urllib.request.AbstractHTTPHandler.do_request_

    def https_open(self, request):
        return self.do_open(HTTPSConnection, request)


def install():
    """Lets http.client have these classes."""
    http.client.HTTPConnection = HTTPConnection
    http.client.HTTPResponse = HTTPResponse
    http.client.HTTPSConnection = HTTPSConnection
    urllib.request.HTTPSHandler = _HTTPSHandler
