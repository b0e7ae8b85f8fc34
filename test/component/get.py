# SPDX-License-Identifier: MIT
"""Calls get() of a composed component under wasmtime: get.py COMPONENT [BYTES]. See get.mjs.

BYTES are what each memory in it can have."""

import json
import sys

from wasmtime import Config, Engine, Store, WasiConfig, _bindings
from wasmtime.component import Component, Linker

config = Config()
config.cranelift_opt_level = "none"  # the engines of languages in guests are large
engine = Engine(config)
wasi = WasiConfig()
wasi.inherit_stderr()
# The package has no public names for these.
_bindings.wasi_config_inherit_network(wasi.ptr())
_bindings.wasi_config_allow_ip_name_lookup(wasi.ptr(), True)
store = Store(engine)
store.set_wasi(wasi)
if len(sys.argv) > 2:
    store.set_limits(memory_size=int(sys.argv[2]))
linker = Linker(engine)
linker.add_wasip2()
instance = linker.instantiate(store, Component.from_file(engine, sys.argv[1]))
get = instance.get_func(store, "get")


def call(host, path):
    result = get(store, host, path)
    get.post_return(store)
    return [result.tag, result.payload]


print(json.dumps([call(*arguments) for arguments in json.load(sys.stdin)]))
