# SPDX-License-Identifier: MIT
"""Runs cases with CPython's http.client against a socket in memory. JSON in, JSON out; bytes are ISO-8859-1 strings.

A case: {host, port, calls: [[name, ...]], response, close}. What was sent and what came out of each call is the result.
"""

import contextlib
import http.client
import io
import json
import sys


class FakeSocket:
    """Keeps what is sent; what is received is the canned response, then the end of the stream."""

    def __init__(self, response):
        self.sent = b""
        self.file = io.BytesIO(response)

    def sendall(self, data):
        self.sent += bytes(data)

    def makefile(self, *args, **kwargs):
        return io.BufferedReader(Raw(self.file))

    def setsockopt(self, *args):
        pass

    def close(self):
        pass


class Raw(io.RawIOBase):
    def __init__(self, file):
        self.inner = file

    def readable(self):
        return True

    def readinto(self, buffer):
        return self.inner.readinto(memoryview(buffer)[:7])


def value(item):
    """Bytes, iterables and files as JSON has them."""
    if isinstance(item, dict):
        if "bytes" in item:
            return item["bytes"].encode("latin-1")
        if "pieces" in item:
            return [piece.encode("latin-1") for piece in item["pieces"]]
        if "file" in item:
            return io.BytesIO(item["file"].encode("latin-1"))
        if "text" in item:
            return io.StringIO(item["text"])
    return item


def outcome(error):
    result = {"error": type(error).__name__}
    if isinstance(error, http.client.IncompleteRead):
        result["partial"] = error.partial.decode("latin-1")
        result["expected"] = error.expected
    return result


def text(result):
    if isinstance(result, (bytes, bytearray)):
        return bytes(result).decode("latin-1")
    if isinstance(result, list):
        return [text(item) for item in result]
    return result


def head(response):
    return {
        "status": response.status,
        "reason": response.reason,
        "version": response.version,
        "headers": [list(pair) for pair in response.getheaders()],
        "length": response.length,
        "chunked": response.chunked,
        "will_close": response.will_close,
        "type": response.msg.get_content_type(),
        "charset": response.msg.get_content_charset(),
        "joined": response.getheader("x-a", "none"),
    }


def run(case, created):
    connection = http.client.HTTPConnection(case["host"], case["port"])
    socket = FakeSocket(case["response"].encode("latin-1"))
    connection._create_connection = lambda *args: socket
    connection.set_debuglevel(case["debug"])
    created.append(socket)
    response = None
    results = []
    for name, *args in case["calls"]:
        try:
            if name == "getresponse":
                response = connection.getresponse()
                results.append(head(response))
            elif name == "request":
                method, url, body, headers, chunked = args
                connection.request(method, url, value(body), {k: value(v) for k, v in headers}, encode_chunked=chunked)
                results.append(None)
            elif name == "putrequest":
                connection.putrequest(args[0], args[1], *args[2])
                results.append(None)
            elif name == "putheader":
                connection.putheader(args[0], *[value(item) for item in args[1]])
                results.append(None)
            elif name == "endheaders":
                connection.endheaders(value(args[0]), encode_chunked=args[1])
                results.append(None)
            elif name == "send":
                connection.send(value(args[0]))
                results.append(None)
            elif name == "readinto":
                buffer = bytearray(args[0])
                count = response.readinto(buffer)
                results.append(bytes(buffer[:count]).decode("latin-1"))
            elif name == "isclosed":
                results.append(response.isclosed())
            else:
                results.append(text(getattr(response, name)(*args)))
        except Exception as error:
            results.append(outcome(error))
            if name not in ("putheader", "send"):
                break
    return results


def main():
    outcomes = []
    for case in json.load(sys.stdin):
        created = []
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            try:
                results = run(case, created)
            except Exception as error:
                results = [outcome(error)]
        sent = created[0].sent.decode("latin-1") if created else ""
        outcomes.append({"sent": sent, "results": results, "printed": printed.getvalue()})
    json.dump(outcomes, sys.stdout)


main()
