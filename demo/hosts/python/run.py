# SPDX-License-Identifier: MIT
"""Runs guests that import porthole_host_v1, and nothing else, under Python's wasmtime.

run.py --rules FILE [--ca FILE] [--core FILE] GUEST.wasm ARGUMENT...    runs a program as demo/guests/guest.h says
run.py --rules FILE --explain URL...                      what would be allowed: a line of JSON for each
"""

import argparse
import json
import ssl
import sys
import threading

from heads import CORE, HeadChecker
from policy import Policy
from porthole_host import TLS_ALPN_HTTP1, Host

from wasmtime import Config, Engine, FuncType, Linker, Module, Store, Trap, ValType, WasmtimeError

MORE = -1


def tls_contexts(authority):
    """TLS by the system's authorities or by one file's, of version 1.2 or later, with ALPN or without."""
    plain, alpn = (ssl.create_default_context(cafile=authority) for _ in range(2))
    alpn.set_alpn_protocols(["http/1.1"])
    return lambda flags: alpn if flags & TLS_ALPN_HTTP1 else plain


def instantiate(path, host):
    """Links a guest to its host. What takes longer than the policy allows is interrupted."""
    limits = host.policy.limits
    config = Config()
    config.epoch_interruption = True
    engine = Engine(config)
    store = Store(engine)
    store.set_limits(memory_size=limits["memory"], instances=1, memories=1)
    store.set_epoch_deadline(1)
    timer = threading.Timer(limits["time"], engine.increment_epoch)
    timer.daemon = True
    timer.start()
    linker = Linker(engine)
    for name, (arguments, answers) in Host.SIGNATURES.items():
        kind = FuncType([ValType.i32()] * arguments, [ValType.i32()] * answers)
        linker.define_func("porthole_host_v1", f"porthole_host_{name}", kind, host.answer(name))
    exports = linker.instantiate(store, Module.from_file(engine, path)).exports(store)
    host.memory, host.store = exports["memory"], store
    return store, exports


def run(path, arguments, host):
    """Runs a program: its output goes to ours. Returns its status."""
    store, exports = instantiate(path, host)
    text = b"".join(argument.encode() + b"\0" for argument in arguments)
    pointer = exports["guest_arguments"](store, len(text))
    if text and pointer == 0:
        raise ValueError("the guest takes no so long arguments")
    host.write(pointer, text)
    status = MORE
    while status == MORE:
        status = exports["guest_run"](store)
        said = host.read(exports["guest_output"](store), exports["guest_output_size"](store))
        sys.stdout.buffer.write(said)
        sys.stdout.buffer.flush()
    return status


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rules", required=True, metavar="FILE")
    parser.add_argument("--ca", metavar="FILE")
    parser.add_argument("--core", metavar="FILE", default=CORE, help="porthole.wasm, which checks heads")
    parser.add_argument("--explain", action="store_true")
    parser.add_argument("words", nargs="+", metavar="GUEST.wasm ARGUMENT | URL")
    options = parser.parse_args()
    try:
        policy = Policy.load(options.rules)
        tls = tls_contexts(options.ca)
    except (OSError, TypeError, ValueError) as error:
        parser.exit(2, f"run.py: {options.rules}: {error}\n")
    if options.explain:
        for url in options.words:
            print(json.dumps(policy.explain(url)))
        return 0
    host = Host(policy, HeadChecker(options.core), tls)
    try:
        return run(options.words[0], options.words[1:], host)
    except (OSError, Trap, WasmtimeError, ValueError) as error:
        print(f"the guest has failed: {error}", file=sys.stderr)
        return 3
    finally:
        host.close_all()


sys.exit(main())
