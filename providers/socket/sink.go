package socket

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"collect/providers/internal/codec"
	"collect/providers/internal/gate"
	"collect/runtime/flow"
)

// Sink writes to one connection.
type Sink struct {
	cfg   Config
	env   flow.Env
	codec codec.Codec

	gate   gate.Gate // serialises all that follows, over I/O
	conn   *conn
	closed bool
	buf    []byte
	bufs   [][]byte
}

var _ flow.Sink = (*Sink)(nil)

// conn is a connection with a reader that notices when the other side goes away: a write alone would not, and be lost.
type conn struct {
	net.Conn
	reader sync.WaitGroup

	mu   sync.Mutex // guards gone
	gone error
}

func (c *conn) err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.gone
}

// watch reads, and forgets, whatever comes until the connection ends.
func (c *conn) watch() {
	buf := make([]byte, 4096)
	for {
		if _, err := c.Read(buf); err != nil {
			c.mu.Lock()
			c.gone = fmt.Errorf("the other side closed the connection: %w", err)
			c.mu.Unlock()
			return
		}
	}
}

func (c *conn) end() error {
	err := c.Close()
	c.reader.Wait()
	return err
}

// Open connects.
func (s *Sink) Open(ctx context.Context) error {
	if err := s.gate.Enter(ctx); err != nil {
		return err
	}
	defer s.gate.Leave()
	return s.connect(ctx)
}

// connect makes a connection when there is none, or none that lives.
func (s *Sink) connect(ctx context.Context) error {
	if s.closed {
		return flow.ErrClosed
	}
	if s.conn != nil {
		if s.conn.err() == nil {
			return nil
		}
		_ = s.conn.end() // it is broken already
		s.conn = nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	c, err := s.env.Net.Dial(ctx, s.cfg.Protocol, s.cfg.Address)
	if err != nil {
		return fmt.Errorf("connect to %s %s: %w", s.cfg.Protocol, s.cfg.Address, cause(err))
	}
	if s.cfg.TLS != nil {
		if c, err = s.secure(ctx, c); err != nil {
			return fmt.Errorf("connect to %s %s: %w", s.cfg.Protocol, s.cfg.Address, err)
		}
	}
	s.conn = &conn{Conn: c}
	if s.cfg.Protocol != "udp" {
		s.conn.reader.Go(s.conn.watch)
	}
	return nil
}

// cause is an error without the operation and the address, which are said already.
func cause(err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		err = op.Err
	}
	if call, ok := errors.AsType[*os.SyscallError](err); ok {
		err = call.Err
	}
	return err
}

// Write writes a batch, and ends it when the kernel has it.
func (s *Sink) Write(ctx context.Context, b *flow.Batch) error {
	if err := s.gate.Enter(ctx); err != nil {
		return err
	}
	r, err := s.write(ctx, b)
	s.gate.Leave()
	if err != nil {
		return err
	}
	b.Done(r)
	return nil
}

func (s *Sink) write(ctx context.Context, b *flow.Batch) (flow.Result, error) {
	if err := s.connect(ctx); err != nil {
		return flow.Result{}, err
	}
	c := s.conn
	if err := c.SetWriteDeadline(time.Now().Add(s.cfg.Timeout)); err != nil {
		return flow.Result{}, err
	}
	stop := context.AfterFunc(ctx, func() { _ = c.SetWriteDeadline(time.Unix(1, 0)) }) // ends a write that blocks
	defer stop()
	var r flow.Result
	var err error
	if s.cfg.Protocol == "udp" {
		r.Events, err = s.datagrams(c, b)
	} else {
		err = s.stream(c, b)
	}
	if err != nil {
		s.conn = nil
		_ = c.end() // the error that counts is the one above
		return flow.Result{Err: fmt.Errorf("write to %s %s: %w", s.cfg.Protocol, s.cfg.Address, err), Unknown: true}, nil
	}
	return r, nil
}

// chunk is how much is written at once where events have to be encoded.
const chunk = 1 << 20

// stream writes all events, the batch's own memory where nothing has to be changed.
func (s *Sink) stream(c *conn, b *flow.Batch) error {
	if s.cfg.Format != "syslog" {
		bufs, ok := s.codec.Raw(b, s.bufs[:0])
		s.bufs = bufs
		if ok {
			out := net.Buffers(bufs)
			_, err := out.WriteTo(c.Conn)
			clear(s.bufs) // do not keep the batch's memory alive
			return err
		}
	}
	buf := s.buf[:0]
	for i := range b.Len() {
		if s.cfg.Format == "syslog" {
			buf = appendFramed(buf, b, i, s.env.Host)
		} else {
			buf = s.codec.Append(buf, b, i)
		}
		if len(buf) >= chunk {
			if _, err := c.Write(buf); err != nil {
				return err
			}
			buf = buf[:0]
		}
	}
	s.buf = buf
	if cap(s.buf) > 2*chunk {
		s.buf = nil
	}
	if len(buf) == 0 {
		return nil
	}
	_, err := c.Write(buf)
	return err
}

// datagrams sends each event as a datagram of its own, without a line end. One that is too large can never be sent.
func (s *Sink) datagrams(c *conn, b *flow.Batch) (failed []flow.EventResult, err error) {
	for i := range b.Len() {
		if s.cfg.Format == "syslog" {
			s.buf = appendSyslog(s.buf[:0], b, i, s.env.Host)
		} else {
			s.buf = s.codec.Append(s.buf[:0], b, i)
			s.buf = s.buf[:len(s.buf)-1]
		}
		_, err := c.Write(s.buf)
		if errors.Is(err, syscall.EMSGSIZE) {
			failed = append(failed, flow.EventResult{Index: i, Err: flow.Permanent(fmt.Errorf("%d bytes are too large for a datagram", len(s.buf)))})
			continue
		}
		if err != nil {
			return nil, err
		}
	}
	return failed, nil
}

// Flush has nothing to wait for: a batch is done when Write returns.
func (s *Sink) Flush(context.Context) error { return nil }

// Close closes the connection; the kernel sends what it has.
func (s *Sink) Close(ctx context.Context) error {
	if err := s.gate.Enter(ctx); err != nil {
		return err
	}
	defer s.gate.Leave()
	s.closed = true
	if s.conn == nil {
		return nil
	}
	c := s.conn
	s.conn = nil
	_ = c.end() // whether the other side was there to the end is not known anyway
	return nil
}
