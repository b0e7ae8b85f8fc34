# SPDX-License-Identifier: MIT
"""porthole_check_head, out of porthole.wasm: a head of a request is read as porthole itself would read it, by every host."""

import pathlib

from policy import Denied
from wasmtime import Engine, Func, Instance, Module, Store, Trap

CORE = pathlib.Path(__file__).parents[3] / "bindings" / "generated" / "porthole.wasm"
PAGE = 65536
HOST_MOST = 256
WORDS = {
    -336: "this is no whole head of a request, or more than that",
    -337: "no guest may ask for a tunnel",
    -338: "Host and the target have to name the host that was opened",
    -339: "this head is not read by all in the same way",
}


class HeadChecker:
    """An instance of the core that makes no connections. Its code is compiled when the first head is checked."""

    def __init__(self, path=CORE):
        self.path = path
        self.store = None

    def load(self):
        engine = Engine()
        self.store = Store(engine)
        module = Module.from_file(engine, str(self.path))
        imports = [Func(self.store, one.type, self.refuse) for one in module.imports]
        self.exports = Instance(self.store, module, imports).exports(self.store)
        if "_initialize" in self.exports:
            self.exports["_initialize"](self.store)
        self.start = (self.exports["porthole_heap"](self.store) + 15) & ~15

    @staticmethod
    def refuse(*_):
        raise Trap("the check of a head makes no connection")

    def check(self, head, host, port, secure):
        """Raises Denied for what is no head for this host."""
        if self.store is None:
            self.load()
        memory = self.exports["memory"]
        at = self.start + HOST_MOST
        missing = at + len(head) - memory.data_len(self.store)
        if missing > 0:
            memory.grow(self.store, -(-missing // PAGE))
        memory.write(self.store, host, self.start)
        memory.write(self.store, head, at)
        check = self.exports["porthole_flat_check_head"]
        result = check(self.store, at, len(head), self.start, len(host), port, int(secure), 0, 0)
        if result < 0:
            raise Denied(WORDS.get(result, f"the head is refused: error {result} of errors.def"))
