// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"sync"
	"time"
)

const (
	piece  = 65536           // bytes that one call takes or gives
	linger = 2 * time.Second // for what was taken from the guest before it closed
)

// signal wakes all who wait for something to change under a lock.
type signal struct {
	sync.Mutex
	changed chan struct{}
}

// notify wakes all who wait; the lock is held.
func (s *signal) notify() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// until waits, with the lock held, until something holds or the time is up. A time of 0 only looks.
func (s *signal) until(ctx context.Context, most time.Duration, holds func() bool) bool {
	if holds() || most == 0 {
		return holds()
	}
	timer := time.NewTimer(most)
	defer timer.Stop()
	for !holds() {
		changed := s.changed
		s.Unlock()
		over := false
		select {
		case <-changed:
		case <-timer.C:
			over = true
		case <-ctx.Done():
			over = true
		}
		s.Lock()
		if over {
			return holds()
		}
	}
	return true
}

// connection is a socket, and what its host keeps of it. One goroutine reads ahead, by one piece; another one writes what was
// taken from the guest. So nothing here waits for the network but until, and a handshake or a read is never cut in two.
type connection struct {
	signal   *signal
	conn     net.Conn
	name     string
	port     int
	tlsFirst bool              // by PORTHOLE_OPEN_TLS
	rules    map[string]string // by scheme: what the policy allows here
	headSeen bool
	words    string

	reading bool   // the goroutine is there
	in      []byte // what it has read, and nobody has received yet
	inError error  // what ended it

	writing  bool
	outError error

	secure      *tls.Conn
	shaken      bool // the handshake is over …
	shakenError error
	told        bool // … and the guest knows that it went well
}

func (c *connection) handshaking() bool {
	return c.secure != nil && !c.told
}

func (c *connection) readable() bool {
	if c.handshaking() {
		return c.shaken
	}
	return len(c.in) > 0 || c.inError != nil
}

func (c *connection) writable() bool {
	if c.handshaking() {
		return c.shaken
	}
	return !c.writing
}

// startReading begins to read ahead; the lock is held, as in all that follows.
func (c *connection) startReading() {
	if c.reading || c.inError != nil || c.handshaking() {
		return
	}
	c.reading = true
	conn := c.conn
	go func() {
		buffer := make([]byte, piece)
		for {
			count, err := conn.Read(buffer)
			c.signal.Lock()
			c.in, c.inError = buffer[:count], err
			c.reading = err == nil
			c.signal.notify()
			for len(c.in) > 0 && c.reading {
				changed := c.signal.changed
				c.signal.Unlock()
				<-changed
				c.signal.Lock()
			}
			again := c.reading
			c.signal.Unlock()
			if !again {
				return
			}
		}
	}()
}

// stopReading ends what startReading began. It answers whether nothing was read, and nothing has ended.
func (c *connection) stopReading(ctx context.Context) bool {
	if !c.reading {
		return len(c.in) == 0 && c.inError == nil
	}
	if len(c.in) > 0 {
		return false
	}
	_ = c.conn.SetReadDeadline(time.Unix(1, 0))
	c.signal.until(ctx, linger, func() bool { return !c.reading })
	if len(c.in) > 0 || !errors.Is(c.inError, os.ErrDeadlineExceeded) {
		return false
	}
	c.inError = nil
	return c.conn.SetReadDeadline(time.Time{}) == nil
}

// receive takes what was read.
func (c *connection) receive(to []byte) int {
	count := copy(to, c.in)
	c.in = c.in[count:]
	if len(c.in) == 0 {
		c.signal.notify()
	}
	return count
}

// write sends bytes, which are nobody else's; nothing else is being written.
func (c *connection) write(data []byte) {
	c.writing = true
	conn := c.conn
	go func() {
		_, err := conn.Write(data)
		c.signal.Lock()
		defer c.signal.Unlock()
		c.writing, c.outError = false, err
		c.signal.notify()
	}()
}

// shake begins a handshake.
func (c *connection) shake(ctx context.Context, config *tls.Config) {
	secure := tls.Client(c.conn, config)
	c.secure, c.conn = secure, secure
	go func() {
		err := secure.HandshakeContext(ctx)
		c.signal.Lock()
		defer c.signal.Unlock()
		c.shaken, c.shakenError = true, err
		c.signal.notify()
	}()
}

// close ends the connection once what was taken is gone, or in a while.
func (c *connection) close(closing *sync.WaitGroup) {
	c.reading = false
	c.signal.notify()
	_ = c.conn.SetWriteDeadline(time.Now().Add(linger))
	closing.Add(1)
	go func() {
		defer closing.Done()
		c.signal.Lock()
		c.signal.until(context.Background(), linger, func() bool { return !c.writing })
		c.signal.Unlock()
		c.conn.Close()
	}()
}
