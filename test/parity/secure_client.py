# SPDX-License-Identifier: MIT
"""Runs cases of HTTPS and of tunnels with CPython's http.client against real servers. JSON in, JSON out.

In: {ca, origin, proxy, cases: [{id, secure, tunnel: [host, port, headers] or null, name, requests: [[method, url, body,
headers]]}]}. A name is not looked up: all connections go to loopback. Out: for each case what each request gave.
"""

import http.client
import json
import socket
import ssl
import sys


def outcome(error):
    if isinstance(error, ssl.SSLCertVerificationError):
        return {"error": "certificate"}
    if isinstance(error, ssl.SSLError):
        return {"error": "TLS"}
    if isinstance(error, ConnectionResetError) and not isinstance(error, http.client.HTTPException):
        return {"error": "ECONNRESET"}
    if isinstance(error, OSError) and str(error).startswith("Tunnel"):
        return {"error": "tunnel", "message": str(error)}
    return {"error": type(error).__name__}


def run(case, context, ports):
    host, port = case["name"], ports["proxy" if case["tunnel"] else "origin"]
    if case["secure"]:
        connection = http.client.HTTPSConnection(host, port, timeout=60, context=context)
    else:
        connection = http.client.HTTPConnection(host, port, timeout=60)
    connection._create_connection = lambda address, *rest: socket.create_connection(("127.0.0.1", address[1]), 10)
    results = []
    try:
        if case["tunnel"]:
            connection.set_tunnel(*case["tunnel"])
        for method, url, body, headers in case["requests"]:
            connection.request(method, url, body, headers)
            response = connection.getresponse()
            results.append([response.status, response.reason, response.getheaders(), response.read().decode("latin-1")])
    except Exception as error:
        results.append(outcome(error))
    finally:
        connection.close()
    return results


def main():
    ports = json.load(sys.stdin)
    context = ssl.create_default_context(cafile=ports["ca"])
    json.dump([run(case, context, ports) for case in ports["cases"]], sys.stdout)


main()
