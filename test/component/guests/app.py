# SPDX-License-Identifier: MIT
import io
from urllib.request import urlopen

import porthole_http
from componentize_py_types import Err
from porthole_http import HTTPConnection, HTTPSConnection
from wit_world import WitWorld as World

porthole_http.install()


def by_urlopen(host, path):
    url = host + path if host.startswith("https://") else f"http://{host}{path}"
    with urlopen(url, timeout=60) as response:
        return f"{response.status} {response.reason} {response.headers['A']}\n{response.read().decode()}"


def upload(host, path):
    """Sends a body in all the ways of http.client, on one connection."""
    connection = HTTPConnection(host, timeout=60)
    answers = []
    for body in [b"bytes", "text", io.BytesIO(b"file"), iter([b"pie", b"ces"]), None]:
        connection.request("POST", path, body, {"A": 1})
        answers.append(connection.getresponse().read().decode())
    connection.putrequest("PUT", path, skip_accept_encoding=True)
    connection.putheader("Content-Length", "4")
    connection.endheaders()
    connection.send(b"hand")
    response = connection.getresponse()
    lines = [response.readline(), response.read1(2), response.read(1), response.read(9), response.read()]
    return f"{answers} {lines} {response.isclosed()}"


def tunnel(host, path):
    connection = HTTPConnection(host, timeout=60)
    connection.set_tunnel("end.test", 80, {"P": "q"})
    connection.request("GET", path)
    return connection.getresponse().read().decode()


def page(host, path):
    secure = host.startswith("https://")
    connection = HTTPSConnection(host[8:], timeout=60) if secure else HTTPConnection(host, timeout=60)
    connection.request("GET", path, headers={"Accept": "text/plain"})
    response = connection.getresponse()
    return f"{response.status} {response.reason}\n{response.read().decode()}"


class WitWorld(World):
    def get(self, host: str, path: str) -> str:
        try:
            return {"/urlopen": by_urlopen, "/upload": upload, "/tunnel": tunnel}.get(path, page)(host, path)
        except Exception as error:
            raise Err(f"{type(error).__name__}: {error}") from None
