# SPDX-License-Identifier: MIT
"""Makes the calls of standard input on porthole-client.wasm under wasmtime: drive.py COMPONENT. See drive.mjs."""

import json
import sys

from wasmtime import Engine, Store, WasiConfig, _bindings
from wasmtime.component import Component, Linker, Record, ResourceAny, Variant

INTERFACE = "porthole:http/client@0.1.0"
MEMORY_MOST = 2 << 20

engine = Engine()
wasi = WasiConfig()
# The package has no public names for these.
_bindings.wasi_config_inherit_network(wasi.ptr())
_bindings.wasi_config_allow_ip_name_lookup(wasi.ptr(), True)
store = Store(engine)
store.set_wasi(wasi)
task = json.load(sys.stdin)
if task.get("limited"):
    store.set_limits(memory_size=MEMORY_MOST)
linker = Linker(engine)
linker.add_wasip2()
instance = linker.instantiate(store, Component.from_file(engine, sys.argv[1]))
interface = instance.get_export_index(store, INTERFACE)
functions = {}
resources = {}


def call(name, *arguments):
    if name not in functions:
        functions[name] = instance.get_func(store, instance.get_export_index(store, name, interface))
    result = functions[name](store, *arguments)
    functions[name].post_return(store)
    return result


def argument(value):
    if isinstance(value, list):
        return [tuple(map(argument, field)) for field in value]
    if isinstance(value, dict):
        if "bytes" in value:
            return value["bytes"].encode("latin-1")
        return set(value["flags"]) if "flags" in value else value["u64"]
    return value


def shown(value, name):
    if isinstance(value, ResourceAny):
        resources[name] = value
        return "resource"
    if isinstance(value, bytes):
        return {"bytes": value.decode("latin-1")}
    if isinstance(value, (list, tuple)):
        return [shown(item, name) for item in value]
    if isinstance(value, Variant):
        return shown(value.payload, name)
    if isinstance(value, Record):
        record = {key: shown(item, name) for key, item in vars(value).items()}
        return {"error": record} if "kind" in record else record
    return value


def perform(step):
    if "repeat" in step:
        for _ in range(step["repeat"]):
            last = [perform(inner) for inner in step["steps"]]
        return last
    if "again" in step:
        while True:
            result = perform(step["again"])
            if not isinstance(result, dict) or result.get("error", {}).get("kind") != "would-block":
                return result
            call("[method]connection.wait", resources[step["again"]["on"].replace("r", "c")], 60000)
    on, method, arguments = step["on"], step["call"], [argument(value) for value in step["arguments"]]
    if method == "new":
        resources[on] = call("[constructor]connection", *arguments)
        return "resource"
    if method == "memory":
        return MEMORY_MOST  # which can't be passed
    if on not in resources:
        return "missing"
    if method == "drop":
        resources.pop(on).drop(store)
        return None
    kind = "response" if on.startswith("r") else "connection"
    return shown(call(f"[method]{kind}.{method}", resources[on], *arguments), step.get("as"))


print(json.dumps([perform(step) for step in task["steps"]]))
