# SPDX-License-Identifier: MIT
"""Runs a command under Python's wasmtime: run_wasmtime.py [--no-names | --no-network] COMPONENT ARGUMENT..."""

import sys

from wasmtime import Engine, Store, WasiConfig, _bindings
from wasmtime.component import Component, Linker

arguments = sys.argv[1:]
without = arguments.pop(0) if arguments[0].startswith("--") else ""
component, *rest = arguments

engine = Engine()
wasi = WasiConfig()
wasi.argv = ["command", *rest]
wasi.inherit_stdout()
wasi.inherit_stderr()
# The package has no public names for these.
if without != "--no-network":
    _bindings.wasi_config_inherit_network(wasi.ptr())
_bindings.wasi_config_allow_ip_name_lookup(wasi.ptr(), without == "")
store = Store(engine)
store.set_wasi(wasi)
linker = Linker(engine)
linker.add_wasip2()
instance = linker.instantiate(store, Component.from_file(engine, component))
interface = instance.get_export_index(store, "wasi:cli/run@0.2.12")
function = instance.get_func(store, instance.get_export_index(store, "run", interface))
result = function(store)
sys.exit(0 if result is None or getattr(result, "tag", "ok") == "ok" else 1)
