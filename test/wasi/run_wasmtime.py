# SPDX-License-Identifier: MIT
"""Runs a command under Python's wasmtime: run_wasmtime.py OPTION... COMPONENT ARGUMENT...

--no-names, --no-network: that isn't allowed. --memory BYTES: more it doesn't get. --dir FOLDER[::NAME]: the folder is open to it by
the name, or as ".". A component that ends in .cwasm was compiled before.
"""

import sys

from wasmtime import Engine, ExitTrap, Store, WasiConfig, _bindings
from wasmtime.component import Component, Linker

arguments = sys.argv[1:]
without, folder, memory = "", None, None
while arguments[0].startswith("--"):
    option = arguments.pop(0)
    if option == "--dir":
        folder, _, name = arguments.pop(0).partition("::")
    elif option == "--memory":
        memory = int(arguments.pop(0))
    else:
        without = option
component, *rest = arguments

engine = Engine()
wasi = WasiConfig()
wasi.argv = ["command", *rest]
wasi.inherit_stdin()
wasi.inherit_stdout()
wasi.inherit_stderr()
# The package has no public names for these.
if without != "--no-network":
    _bindings.wasi_config_inherit_network(wasi.ptr())
_bindings.wasi_config_allow_ip_name_lookup(wasi.ptr(), without == "")
if folder is not None:
    wasi.preopen_dir(folder, name or ".")
store = Store(engine)
if memory is not None:
    store.set_limits(memory_size=memory)
store.set_wasi(wasi)
linker = Linker(engine)
linker.add_wasip2()
load = Component.deserialize_file if component.endswith(".cwasm") else Component.from_file
instance = linker.instantiate(store, load(engine, component))
interface = instance.get_export_index(store, "wasi:cli/run@0.2.12")
function = instance.get_func(store, instance.get_export_index(store, "run", interface))
try:
    result = function(store)
except ExitTrap as ended:
    sys.exit(ended.code)
sys.exit(0 if result is None or getattr(result, "tag", "ok") == "ok" else 1)
