# SPDX-License-Identifier: MIT
"""Where a guest may go: the allow-list of demo/hosts/README.md.

Nothing is allowed but by a rule. A name is resolved here, every address of it is judged, and the connection goes to one of
those, so that a name that changes its mind between two look-ups gains nothing.
"""

import ipaddress
import json
import pathlib
import re
import socket
import threading
from dataclasses import dataclass, field
from urllib.parse import urlsplit

# Blocks, their names, and whether they are global after all: the longest that holds an address comes first.
SPECIAL = [
    (ipaddress.ip_network(block), name, is_global)
    for block, name, is_global in json.loads(pathlib.Path(__file__).with_name("special.json").read_text())["blocks"]
]
SPECIAL.sort(key=lambda entry: -entry[0].prefixlen)
PORTS = {"http": 80, "https": 443}
NAME = re.compile(r"(?=.{1,253}\.?$)[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_][a-z0-9_-]{0,62})*\.?")
NUMBER = re.compile(r"\d+|0x[0-9a-f]*")
RULE = re.compile(r"(?:(https?)://)?(\*|(?:\*\.)?[A-Za-z0-9_.-]+(?:/\d+)?|\[[0-9A-Fa-f:.]+(?:/\d+)?\])(?::(\d{1,5}|\*))?")
LIMITS = {
    "connections": 16,  # open at a time
    "total_connections": 1000,
    "lookups": 1000,
    "bytes_in": 1 << 30,
    "bytes_out": 1 << 30,
    "time": 300,  # seconds that the guest may run
    "timeout": 60,  # seconds that one operation may wait
    "memory": 64 << 20,  # bytes of the guest's memory
}


class Denied(Exception):
    """The policy says no; its words name the rule that is missing, or that forbids."""


class NoAddress(Exception):
    """Nobody has this name, or it has no address of the family that was asked for."""


def special(address):
    """Why an address is not one of the public internet, or None."""
    name, is_global = next(
        ((name, is_global) for block, name, is_global in SPECIAL if address in block),
        ("not given out", address.version == 4),
    )
    return None if is_global else name


def at(host, port):
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@dataclass
class Rule:
    """[scheme://]host[:port]: a name, *.name, *, an address or a block of addresses."""

    text: str
    schemes: tuple = ()
    port: object = None  # "*" is any; None that of the scheme
    host: str = ""
    block: object = None

    def __post_init__(self):
        match = RULE.fullmatch(self.text)
        if match is None:
            raise ValueError(f"{self.text} is no rule: a rule is [scheme://]host[:port]")
        scheme, host, port = match.groups()
        self.schemes = (scheme,) if scheme else ("http", "https")
        self.port = int(port) if port and port != "*" else port
        self.host = host.lower()
        if "/" in host or host.startswith("[") or NUMBER.fullmatch(host.rpartition(".")[2]):
            self.block = ipaddress.ip_network(host.strip("[]"))

    def covers(self, scheme, port):
        own = PORTS[scheme] if self.port is None else self.port
        return scheme in self.schemes and own in ("*", port)

    def names(self, name):
        """Does it name this name? What has a meaning of its own is named by the whole of it only."""
        if self.block is not None:
            return False
        if name.endswith(".") or name == "localhost" or name.endswith(".localhost"):
            return self.host == name
        return self.host in ("*", name) or (self.host.startswith("*.") and name.endswith(self.host[1:]))

    def holds(self, address):
        return self.block is not None and address in self.block


@dataclass
class Verdict:
    """What was decided: addresses to try, and whether bytes may go in clear or by TLS."""

    addresses: list
    rules: dict = field(default_factory=dict)  # scheme: the rule that allows it


class Policy:
    """The rules and limits of one file."""

    def __init__(self, allow=(), deny=(), limits=None, names=None):
        self.allow = [Rule(text) for text in allow]
        self.deny = [Rule(text) for text in deny]
        unknown = set(limits or {}) - set(LIMITS)
        if unknown:
            raise ValueError(f"there is no limit {', '.join(sorted(unknown))}: there are {', '.join(LIMITS)}")
        self.limits = {**LIMITS, **(limits or {})}
        self.known = names or {}  # as in /etc/hosts: for tests, and for names that no server knows

    @classmethod
    def load(cls, path):
        with open(path, encoding="utf-8") as file:
            rules = json.load(file)
        unknown = set(rules) - {"allow", "deny", "limits", "names"}
        if unknown:
            raise ValueError(f"there is no {', '.join(sorted(unknown))}: there are allow, deny, limits, names")
        for name in ("allow", "deny"):
            if not isinstance(rules.get(name, []), list):
                raise ValueError(f"{name} is a list of rules, and not {json.dumps(rules[name])}")
        return cls(**rules)

    def judge(self, host, port, schemes, family=socket.AF_UNSPEC, timeout=None, on_lookup=lambda: None):
        """Decides about a connection, before anything is sent to anybody. Raises Denied or NoAddress."""
        host = host.lower()
        literal = self.read_literal(host)
        verdict = Verdict([])
        found = []
        reasons = []
        for scheme in schemes:
            try:
                rule = self.by_host(literal or host, scheme, port)
                if literal is None and not found:
                    on_lookup()
                    found = self.resolve(host, timeout)
                for address in found if literal is None else [literal]:
                    self.by_address(host, address, scheme, port)
            except Denied as reason:
                reasons.append(reason)
            else:
                verdict.rules[scheme] = rule.text
        if not verdict.rules:
            raise reasons[0]
        version = {socket.AF_INET: 4, socket.AF_INET6: 6}.get(family)
        found = [literal] if literal is not None else found
        verdict.addresses = [str(address) for address in found if version in (None, address.version)]
        if not verdict.addresses:
            raise NoAddress(f"{host} has no address of that family")
        return verdict

    @staticmethod
    def read_literal(host):
        """An address, None for a name; what is neither, or an address in odd spelling, is denied."""
        try:
            if ":" in host and "%" not in host:
                return ipaddress.IPv6Address(host)
            if NUMBER.fullmatch(host.removesuffix(".").rpartition(".")[2]):
                return ipaddress.IPv4Address(host)
        except ValueError:
            raise Denied(f"{host[:60]!a} is no address as it is written") from None
        if NAME.fullmatch(host) is None:
            raise Denied(f"{host[:60]!a} is no name")
        return None

    def by_host(self, host, scheme, port):
        """The rule that allows a name or a literal address."""
        is_name = isinstance(host, str)
        for rule in self.deny:
            if rule.covers(scheme, port) and (rule.host == "*" or (rule.names(host) if is_name else rule.holds(host))):
                raise Denied(f"{scheme}://{at(str(host), port)} is denied by {rule.text}")
        for rule in self.allow:
            if not rule.covers(scheme, port):
                continue
            if rule.names(host) if is_name else rule.holds(host) or (rule.host == "*" and special(host) is None):
                return rule
        why = "" if is_name or special(host) is None else f" ({special(host)})"
        raise Denied(f"no rule allows {scheme}://{at(str(host), port)}{why}")

    def by_address(self, name, address, scheme, port):
        """Judges one address of a name: what isn't public needs a block of its own."""
        for rule in self.deny:
            if rule.covers(scheme, port) and rule.holds(address):
                raise Denied(f"{name} is at {address}, which is denied by {rule.text}")
        why = special(address)
        if why is not None and not any(rule.covers(scheme, port) and rule.holds(address) for rule in self.allow):
            raise Denied(f"{name} is at {address} ({why}): no rule allows {scheme}://{at(str(address), port)}")

    def resolve(self, name, timeout):
        """All addresses of a name, in the order of the system's resolver, which knows no limit of time itself."""
        if name in self.known:
            return [ipaddress.ip_address(address) for address in self.known[name]]
        answer = []

        def ask():
            try:
                answer.append(socket.getaddrinfo(name, None, type=socket.SOCK_STREAM))
            except (OSError, UnicodeError) as error:
                answer.append(error)

        thread = threading.Thread(target=ask, daemon=True)
        thread.start()
        thread.join(timeout)
        if not answer:
            raise TimeoutError(f"{name} was not resolved in time")
        if isinstance(answer[0], Exception):
            raise NoAddress(str(answer[0]))
        return [ipaddress.ip_address(entry[4][0].partition("%")[0]) for entry in answer[0]]

    def explain(self, url):
        """What would become of a connection for a URL, without making one."""
        verdict = {"allowed": False, "reason": None, "rule": None, "address": None}
        try:
            parts = urlsplit(url)
            if parts.scheme not in PORTS or parts.username is not None or not parts.hostname:
                raise Denied("only http:// and https:// URLs without user information can be allowed")
            port = PORTS[parts.scheme] if parts.port is None else parts.port
            judged = self.judge(parts.hostname, port, [parts.scheme])
        except (Denied, NoAddress, OSError, ValueError) as error:
            return {**verdict, "reason": str(error)}
        rule = judged.rules[parts.scheme]
        return {"allowed": True, "reason": f"allowed by {rule}", "rule": rule, "address": judged.addresses[0]}
