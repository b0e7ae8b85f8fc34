// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// The numbers of src/include/porthole/host.h and errors.def.
const (
	wantRead, wantWrite = -1, -2

	hostRefused, hostReset, hostNotFound, hostTimedOut, hostDenied   = -400, -401, -402, -403, -404
	hostTLSHandshake, hostTLSVerify, hostClosed, hostUnreachable     = -405, -406, -407, -408
	hostAborted, hostBusy, hostBadHandle, hostOther, hostUnsupported = -409, -410, -411, -412, -413
	openTLS, openIPv4, openIPv6                                      = 1, 2, 4
	tlsALPN                                                          = 1
	readable, writable                                               = 1, 2
	infoError, infoPeer, infoLocal, infoTLS, infoALPN, infoMost      = 0, 1, 2, 3, 4, 200
	nameMost, portMost, headMost                                     = 255, 65535, 1 << 20
)

// failure ends a call: a code, and words about it.
type failure struct {
	code  int32
	words string
}

func (f failure) Error() string { return f.words }

// Host has the imports of one instance; its handles mean nothing to another.
type Host struct {
	signal
	policy  *Policy
	heads   *headChecker
	tls     *tls.Config // nil for a host without TLS
	conns   map[int32]*connection
	last    int32
	words   string
	start   time.Time
	closing sync.WaitGroup

	connections, lookups, bytesIn, bytesOut int64
}

// NewHost makes the host of one guest. Core is the path of porthole.wasm, which checks heads.
func NewHost(policy *Policy, core string, config *tls.Config) *Host {
	host := &Host{policy: policy, heads: &headChecker{path: core}, tls: config, conns: map[int32]*connection{}, start: time.Now()}
	host.changed = make(chan struct{})
	return host
}

// Close ends all connections, once what was taken from the guest is gone.
func (h *Host) Close() {
	h.Lock()
	for handle := range h.conns {
		h.drop(handle)
	}
	h.Unlock()
	h.closing.Wait()
	h.heads.close()
}

func (h *Host) drop(handle int32) {
	if found := h.conns[handle]; found != nil {
		delete(h.conns, handle)
		found.close(&h.closing)
	}
}

// codeOf tells what an error of the network is to a guest.
func codeOf(err error) int32 {
	var own failure
	var no denied
	var nobody noAddress
	var verify *tls.CertificateVerificationError
	var timeout net.Error
	switch {
	case errors.As(err, &own):
		return own.code
	case errors.As(err, &no):
		return hostDenied
	case errors.As(err, &nobody):
		return hostNotFound
	case errors.As(err, &verify):
		return hostTLSVerify
	case errors.Is(err, syscall.ECONNREFUSED):
		return hostRefused
	case errors.Is(err, syscall.ECONNRESET):
		return hostReset
	case errors.Is(err, syscall.EPIPE), errors.Is(err, net.ErrClosed):
		return hostClosed
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return hostUnreachable
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return hostBusy
	case errors.Is(err, context.Canceled):
		return hostAborted
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded),
		errors.As(err, &timeout) && timeout.Timeout():
		return hostTimedOut
	default:
		return hostOther
	}
}

// ---- the guest's memory and its limits

func outside() error { return failure{hostOther, "a pointer outside of the memory"} }

// span is a range of the guest's memory, for this call.
func span(module api.Module, pointer, length uint32) ([]byte, error) {
	bytes, ok := module.Memory().Read(pointer, length)
	if !ok {
		return nil, outside()
	}
	return bytes, nil
}

func readName(module api.Module, pointer, length uint32) (string, error) {
	if length == 0 || length > nameMost {
		return "", failure{hostOther, "a name has 1 to 255 bytes"}
	}
	bytes, err := span(module, pointer, length)
	return string(bytes), err
}

// time is how long an operation may wait.
func (h *Host) time(ms int32) time.Duration {
	most := time.Duration(h.policy.limits.Timeout * float64(time.Second))
	if ms < 0 {
		return most
	}
	return min(time.Duration(ms)*time.Millisecond, most)
}

func use(used *int64, amount, most int64, what string) error {
	*used += amount
	if *used > most {
		return failure{hostDenied, "the limit of " + what + " is passed"}
	}
	return nil
}

func (h *Host) find(handle int32) (*connection, error) {
	found := h.conns[handle]
	if found == nil {
		return nil, failure{hostBadHandle, "bad handle"}
	}
	return found, nil
}

// ---- porthole_host_v1

func (h *Host) open(ctx context.Context, module api.Module, host, length, port, flags uint32, ms int32) (int32, error) {
	name, err := readName(module, host, length)
	if err != nil {
		return 0, err
	}
	if port > portMost {
		return 0, failure{hostOther, "a port is a number up to 65535"}
	}
	if flags&^(openTLS|openIPv4|openIPv6) != 0 || (flags&openTLS != 0 && h.tls == nil) {
		return 0, failure{hostUnsupported, "this host knows nothing of such a flag"}
	}
	if ms == 0 {
		return 0, failure{hostTimedOut, "nobody is connected in no time"}
	}
	if len(h.conns) >= h.policy.limits.Connections || h.last == math.MaxInt32 {
		return 0, failure{hostBusy, "too many connections are open"}
	}
	if err := use(&h.connections, 1, h.policy.limits.TotalConnections, "total_connections"); err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, h.time(ms))
	defer cancel()
	schemes := []string{"http", "https"}
	if flags&openTLS != 0 {
		schemes = schemes[1:]
	}
	family := map[uint32]int{openIPv4: 4, openIPv6: 6}[flags&(openIPv4|openIPv6)]
	judged, err := h.policy.judge(ctx, name, int(port), schemes, family, func() error {
		return use(&h.lookups, 1, h.policy.limits.Lookups, "lookups")
	})
	if err != nil {
		return 0, err
	}
	conn, err := connect(ctx, judged.addresses, uint16(port))
	if err != nil {
		return 0, err
	}
	h.last++
	h.conns[h.last] = &connection{
		signal: &h.signal, conn: conn, name: name, port: int(port), tlsFirst: flags&openTLS != 0, rules: judged.rules,
	}
	return h.last, nil
}

// connect tries each address, with an equal share of the time that is left.
func connect(ctx context.Context, addresses []netip.Addr, port uint16) (conn net.Conn, err error) {
	end, _ := ctx.Deadline()
	for index, address := range addresses {
		dialer := net.Dialer{Timeout: time.Until(end) / time.Duration(len(addresses)-index)}
		conn, err = dialer.DialContext(ctx, "tcp", netip.AddrPortFrom(address, port).String())
		if err == nil {
			break
		}
	}
	return conn, err
}

func (h *Host) startTLS(ctx context.Context, module api.Module, handle int32, pointer, length, flags uint32, ms int32) (int32, error) {
	c, err := h.find(handle)
	if err != nil {
		return 0, err
	}
	name, err := readName(module, pointer, length)
	if err != nil {
		return 0, err
	}
	if h.tls == nil || flags&^tlsALPN != 0 {
		return 0, failure{hostUnsupported, "this host can't do such TLS"}
	}
	if c.writing || c.told {
		return 0, failure{hostOther, "TLS begins what is sent"}
	}
	if !strings.EqualFold(name, c.name) {
		if c.tlsFirst {
			return 0, failure{hostOther, c.name + " was opened"}
		}
		return 0, denied(c.name + " was opened")
	}
	if err := c.allows("https"); err != nil {
		return 0, err
	}
	if c.secure == nil {
		if !c.stopReading(ctx) {
			return 0, failure{hostOther, "the peer has spoken, or gone, before TLS"}
		}
		config := h.tls.Clone()
		config.ServerName = name
		if flags&tlsALPN != 0 {
			config.NextProtos = []string{"http/1.1"}
		}
		c.shake(ctx, config)
	}
	if !h.until(ctx, h.time(ms), func() bool { return c.shaken }) {
		if ms == 0 {
			return wantRead, nil
		}
		return 0, os.ErrDeadlineExceeded
	}
	if err := c.shakenError; err != nil {
		if code := codeOf(err); code == hostOther {
			return 0, failure{hostTLSHandshake, err.Error()}
		}
		return 0, err
	}
	c.told = true
	return 0, nil
}

// allows tells whether the policy allows a scheme on this connection.
func (c *connection) allows(scheme string) error {
	if _, ok := c.rules[scheme]; !ok {
		return denied("no rule allows " + scheme + "://" + c.name)
	}
	return nil
}

func (c *connection) checkSending() error {
	if c.handshaking() {
		return failure{hostOther, "TLS is being started"}
	}
	if c.secure != nil {
		return c.allows("https")
	}
	return c.allows("http")
}

// take makes bytes the host's, once those before are gone.
func (h *Host) take(ctx context.Context, c *connection, data []byte, ms int32) (int32, error) {
	if !h.until(ctx, h.time(ms), func() bool { return !c.writing }) {
		if ms == 0 {
			return wantWrite, nil
		}
		return 0, os.ErrDeadlineExceeded
	}
	if c.outError != nil {
		return 0, c.outError
	}
	if err := use(&h.bytesOut, int64(len(data)), h.policy.limits.BytesOut, "bytes_out"); err != nil {
		return 0, err
	}
	c.startReading()
	c.write(append([]byte(nil), data...))
	return int32(len(data)), nil
}

func (h *Host) sendHead(ctx context.Context, module api.Module, handle int32, pointer, length uint32, ms int32) (int32, error) {
	c, err := h.find(handle)
	if err != nil {
		return 0, err
	}
	if length == 0 || length > headMost {
		return 0, failure{hostOther, "this is no head"}
	}
	head, err := span(module, pointer, length)
	if err == nil {
		err = c.checkSending()
	}
	if err == nil {
		err = h.heads.check(ctx, head, c.name, c.port, c.secure != nil)
	}
	if err != nil {
		return 0, err
	}
	c.headSeen = true
	return h.take(ctx, c, head, ms)
}

func (h *Host) send(ctx context.Context, module api.Module, handle int32, pointer, length uint32, ms int32) (int32, error) {
	c, err := h.find(handle)
	if err != nil {
		return 0, err
	}
	data, err := span(module, pointer, length)
	if err != nil {
		return 0, err
	}
	if length == 0 {
		return 0, failure{hostOther, "there is nothing to send"}
	}
	if err := c.checkSending(); err != nil {
		return 0, err
	}
	if !c.headSeen {
		return 0, denied("a head comes first")
	}
	return h.take(ctx, c, data[:min(len(data), piece)], ms)
}

func (h *Host) recv(ctx context.Context, module api.Module, handle int32, pointer, capacity uint32, ms int32) (int32, error) {
	c, err := h.find(handle)
	if err != nil {
		return 0, err
	}
	room, err := span(module, pointer, capacity)
	if err != nil {
		return 0, err
	}
	if capacity == 0 {
		return 0, failure{hostOther, "there is no room to receive into"}
	}
	if c.handshaking() {
		return 0, failure{hostOther, "TLS is being started"}
	}
	c.startReading()
	if !h.until(ctx, h.time(ms), c.readable) {
		if ms == 0 {
			return wantRead, nil
		}
		return 0, os.ErrDeadlineExceeded
	}
	if len(c.in) == 0 {
		// The core knows whether something is missing where TLS was cut off.
		if errors.Is(c.inError, io.EOF) || errors.Is(c.inError, io.ErrUnexpectedEOF) {
			return 0, nil
		}
		return 0, c.inError
	}
	count := min(len(c.in), len(room))
	if err := use(&h.bytesIn, int64(count), h.policy.limits.BytesIn, "bytes_in"); err != nil {
		return 0, err
	}
	return int32(c.receive(room)), nil
}

func (h *Host) wait(ctx context.Context, module api.Module, pointer, count uint32, ms int32) (int32, error) {
	if count == 0 {
		h.until(ctx, h.time(ms), func() bool { return false })
		return 0, nil
	}
	if int(count) > 4*h.policy.limits.Connections {
		return 0, failure{hostUnsupported, "so many can't be waited for"}
	}
	list, err := span(module, pointer, 8*count)
	if err != nil {
		return 0, err
	}
	found := make([]*connection, count)
	interests := make([]uint32, count)
	for index := range found {
		interests[index] = binary.LittleEndian.Uint32(list[8*index+4:])
		if found[index], err = h.find(int32(binary.LittleEndian.Uint32(list[8*index:]))); err != nil {
			return 0, err
		}
	}
	for index, interest := range interests {
		if interest < readable || interest > readable|writable {
			return 0, failure{hostOther, "no such interest"}
		}
		if interest&readable != 0 {
			found[index].startReading()
		}
	}
	bits := func(index int) (ready uint32) {
		if found[index].readable() {
			ready |= readable
		}
		if found[index].writable() {
			ready |= writable
		}
		return ready & interests[index]
	}
	h.until(ctx, h.time(ms), func() bool {
		for index := range found {
			if bits(index) != 0 {
				return true
			}
		}
		return false
	})
	ready := int32(0)
	for index := range found {
		now := bits(index)
		binary.LittleEndian.PutUint32(list[8*index+4:], now)
		if now != 0 {
			ready++
		}
	}
	return ready, nil
}

func (h *Host) info(module api.Module, handle int32, what, pointer, capacity uint32) (int32, error) {
	room, err := span(module, pointer, capacity)
	if err != nil {
		return 0, err
	}
	text := ""
	if c := h.conns[handle]; c != nil {
		text = c.textOf(what)
	} else if handle == 0 && what == infoError {
		text = h.words
	}
	return int32(copy(room, cut(text, min(len(room), infoMost)))), nil
}

func (c *connection) textOf(what uint32) string {
	switch {
	case what == infoError:
		return c.words
	case what == infoPeer:
		return c.conn.RemoteAddr().String()
	case what == infoLocal:
		return c.conn.LocalAddr().String()
	case what == infoTLS && c.told:
		return strings.Replace(tls.VersionName(c.secure.ConnectionState().Version), "TLS ", "TLSv", 1)
	case what == infoALPN && c.told:
		return c.secure.ConnectionState().NegotiatedProtocol
	default:
		return ""
	}
}

// cut makes one line of a text, without control characters, of so many bytes at most.
func cut(text string, most int) string {
	line := strings.Map(func(one rune) rune {
		if one < ' ' || (one >= 0x7f && one < 0xa0) {
			return ' '
		}
		return one
	}, text)
	return strings.ToValidUTF8(line[:min(len(line), most)], "")
}

// ---- linking

// answer is what the guest gets: whatever went wrong is a code, and words for porthole_host_info.
func (h *Host) answer(handle int32, result int32, err error) int32 {
	if err == nil {
		return result
	}
	words := err.Error()
	if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) {
		words = "timed out"
	}
	if handle == 0 {
		h.words = words
	} else if c := h.conns[handle]; c != nil {
		c.words = words
	}
	return codeOf(err)
}

// Link defines the module porthole_host_v1 for a guest.
func (h *Host) Link(ctx context.Context, runtime wazero.Runtime) error {
	type (
		four func(context.Context, api.Module, int32, uint32, uint32, int32) (int32, error)
		m    = api.Module
	)
	onHandle := func(call four) any {
		return func(ctx context.Context, module m, handle int32, pointer, length uint32, ms int32) int32 {
			h.Lock()
			defer h.Unlock()
			result, err := call(ctx, module, handle, pointer, length, ms)
			return h.answer(handle, result, err)
		}
	}
	functions := map[string]any{
		"open": func(ctx context.Context, module m, host, length, port, flags uint32, ms int32) int32 {
			h.Lock()
			defer h.Unlock()
			result, err := h.open(ctx, module, host, length, port, flags, ms)
			return h.answer(0, result, err)
		},
		"start_tls": func(ctx context.Context, module m, handle int32, name, length, flags uint32, ms int32) int32 {
			h.Lock()
			defer h.Unlock()
			result, err := h.startTLS(ctx, module, handle, name, length, flags, ms)
			return h.answer(handle, result, err)
		},
		"send_head": onHandle(h.sendHead),
		"send":      onHandle(h.send),
		"recv":      onHandle(h.recv),
		"wait": func(ctx context.Context, module m, list, count uint32, ms int32) int32 {
			h.Lock()
			defer h.Unlock()
			result, err := h.wait(ctx, module, list, count, ms)
			return h.answer(-1, result, err)
		},
		"close": func(_ context.Context, _ m, handle int32) {
			h.Lock()
			defer h.Unlock()
			h.drop(handle)
		},
		"info": func(_ context.Context, module m, handle int32, what, buffer, capacity uint32) int32 {
			h.Lock()
			defer h.Unlock()
			result, err := h.info(module, handle, what, buffer, capacity)
			return h.answer(-1, result, err)
		},
		"now": func() uint32 { return uint32(time.Since(h.start).Milliseconds()) },
	}
	builder := runtime.NewHostModuleBuilder("porthole_host_v1")
	for name, function := range functions {
		builder.NewFunctionBuilder().WithFunc(function).Export("porthole_host_" + name)
	}
	_, err := builder.Instantiate(ctx)
	return err
}
