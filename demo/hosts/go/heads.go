// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"fmt"
	"os"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// headChecker is porthole_check_head, out of porthole.wasm: a head of a request is read as porthole itself would read it, by
// every host. Its instance makes no connections, and is made when the first head is checked.
type headChecker struct {
	path    string
	runtime wazero.Runtime
	core    api.Module
	start   uint32
}

const hostMost = 256

var headWords = map[int32]string{
	-336: "this is no whole head of a request, or more than that",
	-337: "no guest may ask for a tunnel",
	-338: "Host and the target have to name the host that was opened",
	-339: "this head is not read by all in the same way",
}

func (checker *headChecker) load(ctx context.Context) error {
	code, err := os.ReadFile(checker.path)
	if err != nil {
		return err
	}
	checker.runtime = wazero.NewRuntime(ctx)
	compiled, err := checker.runtime.CompileModule(ctx, code)
	if err != nil {
		return err
	}
	builder := checker.runtime.NewHostModuleBuilder("porthole_host_v1")
	for _, one := range compiled.ImportedFunctions() {
		_, name, _ := one.Import()
		refuse := api.GoFunc(func(context.Context, []uint64) { panic("the check of a head makes no connection") })
		builder.NewFunctionBuilder().WithGoFunction(refuse, one.ParamTypes(), one.ResultTypes()).Export(name)
	}
	if _, err := builder.Instantiate(ctx); err != nil {
		return err
	}
	config := wazero.NewModuleConfig().WithStartFunctions("_initialize")
	if checker.core, err = checker.runtime.InstantiateModule(ctx, compiled, config); err != nil {
		return err
	}
	heap, err := checker.core.ExportedFunction("porthole_heap").Call(ctx)
	if err == nil {
		checker.start = (uint32(heap[0]) + 15) &^ 15
	}
	return err
}

func (checker *headChecker) close() {
	if checker.runtime != nil {
		_ = checker.runtime.Close(context.Background())
	}
}

// check answers whether this is a whole head of a request for a host.
func (checker *headChecker) check(ctx context.Context, head []byte, host string, port int, secure bool) error {
	if checker.core == nil {
		if err := checker.load(ctx); err != nil {
			return err
		}
	}
	memory := checker.core.Memory()
	at := checker.start + hostMost
	if end := at + uint32(len(head)); end > memory.Size() {
		memory.Grow((end - memory.Size() + pageSize - 1) / pageSize)
	}
	if !memory.WriteString(checker.start, host) || !memory.Write(at, head) {
		return failure{hostBusy, "the head has no room"}
	}
	tls := uint64(0)
	if secure {
		tls = 1
	}
	results, err := checker.core.ExportedFunction("porthole_flat_check_head").Call(
		ctx, uint64(at), uint64(len(head)), uint64(checker.start), uint64(len(host)), uint64(port), tls, 0, 0)
	if err != nil {
		return err
	}
	result := int32(results[0])
	if result >= 0 {
		return nil
	}
	if words, ok := headWords[result]; ok {
		return denied(words)
	}
	return denied(fmt.Sprintf("the head is refused: error %d of errors.def", result))
}
