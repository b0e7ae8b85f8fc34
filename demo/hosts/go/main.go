// SPDX-License-Identifier: MIT

// Command host runs guests that import porthole_host_v1, and nothing else, under wazero.
//
//	host --rules FILE [--ca FILE] [--core FILE] GUEST.wasm ARGUMENT...    runs a program as demo/guests/guest.h says
//	host --rules FILE --explain URL...                      what would be allowed: a line of JSON for each
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/tetratelabs/wazero"
)

const (
	more          = -1
	statusTrapped = 3
	pageSize      = 65536
)

func tlsConfig(authority string) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if authority == "" {
		return config, nil
	}
	pem, err := os.ReadFile(authority)
	if err != nil {
		return nil, err
	}
	config.RootCAs = x509.NewCertPool()
	if !config.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("no certificate is in %s", authority)
	}
	return config, nil
}

// run runs a program: its output goes to ours. What takes longer than the policy allows is interrupted.
func run(path string, arguments []string, host *Host) (int, error) {
	limits := host.policy.limits
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(limits.Time*float64(time.Second)))
	defer cancel()
	code, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	runtime := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfig().
		WithCloseOnContextDone(true).
		WithMemoryLimitPages(uint32(limits.Memory/pageSize)))
	defer runtime.Close(context.Background())
	if err := host.Link(ctx, runtime); err != nil {
		return 0, err
	}
	guest, err := runtime.Instantiate(ctx, code)
	if err != nil {
		return 0, err
	}
	call := func(name string, numbers ...uint64) uint32 {
		var results []uint64
		function := guest.ExportedFunction(name)
		if err == nil && function == nil {
			err = errors.New("the guest has no " + name)
		}
		if err == nil {
			results, err = function.Call(ctx, numbers...)
		}
		if err != nil || len(results) == 0 {
			return 0
		}
		return uint32(results[0])
	}

	var text []byte
	for _, argument := range arguments {
		text = append(append(text, argument...), 0)
	}
	to := call("guest_arguments", uint64(len(text)))
	if err == nil && (to == 0 && len(text) > 0 || !guest.Memory().Write(to, text)) {
		err = errors.New("the guest takes no so long arguments")
	}
	status := int32(more)
	for err == nil && status == more {
		status = int32(call("guest_run"))
		said, ok := guest.Memory().Read(call("guest_output"), call("guest_output_size"))
		if !ok {
			err = errors.New("the guest's output is outside of its memory")
		} else if _, failed := os.Stdout.Write(said); failed != nil {
			err = failed
		}
	}
	return int(status), err
}

func command() (int, error) {
	rules := flag.String("rules", "", "the `FILE` that says where guests may go")
	authority := flag.String("ca", "", "a PEM `FILE` of the authorities to trust, instead of the system's")
	core := flag.String("core", "bindings/generated/porthole.wasm", "porthole.wasm, a `FILE` that checks heads")
	explain := flag.Bool("explain", false, "tell what would be allowed, and connect to nothing")
	flag.Parse()
	if *rules == "" || flag.NArg() == 0 {
		flag.Usage()
		return 2, nil
	}
	policy, err := LoadPolicy(*rules)
	if err != nil {
		return 2, err
	}
	if *explain {
		for _, text := range flag.Args() {
			line, _ := json.Marshal(policy.Explain(context.Background(), text))
			fmt.Println(string(line))
		}
		return 0, nil
	}
	config, err := tlsConfig(*authority)
	if err != nil {
		return 2, err
	}
	host := NewHost(policy, *core, config)
	defer host.Close()
	status, err := run(flag.Arg(0), flag.Args()[1:], host)
	if err != nil {
		return statusTrapped, fmt.Errorf("the guest has failed: %w", err)
	}
	return status, nil
}

func main() {
	status, err := command()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(status)
}
