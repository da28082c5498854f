// Package console is the sink that shows events to people: on the terminal of `collect run`, and in the agent's log under the
// supervisor.
//
// Events are foreign text, so no control byte of theirs gets through: C0 and C1 controls, bidirectional overrides and bytes that are
// not UTF-8 are shown as \x1b or \u202e.
package console

import (
	"context"
	"fmt"
	"unicode"
	"unicode/utf8"

	"collect/hclspec/schema"
	"collect/providers/internal/codec"
	"collect/providers/internal/gate"
	"collect/runtime/flow"
)

// Config is the configuration of the sink.
type Config struct {
	Format string `collect:"format,enum=text|json" doc:"How an event is shown: its body, or a JSON object with time, headers and body."`
}

// Defaults gives the defaults.
func Defaults() Config { return Config{Format: "text"} }

// About describes the sink.
func About() schema.About {
	return schema.About{Doc: "Shows events on the terminal, or in the agent's log when there is none. Control characters are escaped.", Unconfirmed: true}
}

// Sink shows events.
type Sink struct {
	env   flow.Env
	codec codec.Codec
	gate  gate.Gate // serialises writers; guards buf
	buf   []byte
	line  []byte
}

var _ flow.Sink = (*Sink)(nil)

// New makes the sink.
func New(cfg Config, env flow.Env) (flow.Sink, error) {
	c, err := codec.New(cfg.Format, "escape")
	if err != nil {
		return nil, err
	}
	return &Sink{env: env, codec: c, gate: gate.New()}, nil
}

// Open does nothing.
func (s *Sink) Open(context.Context) error { return nil }

// Write shows the events and ends the batch.
func (s *Sink) Write(ctx context.Context, b *flow.Batch) error {
	if err := s.gate.Enter(ctx); err != nil {
		return err
	}
	err := s.show(b)
	s.gate.Leave()
	if err != nil {
		return err
	}
	b.Done(flow.Result{})
	return nil
}

func (s *Sink) show(b *flow.Batch) error {
	s.buf = s.buf[:0]
	for i := range b.Len() {
		s.line = s.codec.Append(s.line[:0], b, i)
		s.line = s.line[:len(s.line)-1]
		if s.env.Out == nil {
			s.env.Log.Info("event", "text", string(appendVisible(nil, s.line)))
			continue
		}
		s.buf = append(appendVisible(s.buf, s.line), '\n')
	}
	if s.env.Out == nil {
		return nil
	}
	if _, err := s.env.Out.Write(s.buf); err != nil {
		return fmt.Errorf("write to the terminal: %w", err)
	}
	return nil
}

// appendVisible appends text with everything escaped that could act on a terminal.
func appendVisible(dst, text []byte) []byte {
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		switch {
		case r == utf8.RuneError && n == 1, r < 0x20 && r != '\t', r >= 0x7f && r < 0xa0:
			for _, c := range text[:n] {
				dst = fmt.Appendf(dst, `\x%02x`, c)
			}
		case unicode.Is(unicode.Bidi_Control, r), unicode.Is(unicode.Zl, r), unicode.Is(unicode.Zp, r):
			dst = fmt.Appendf(dst, `\u%04x`, r)
		default:
			dst = append(dst, text[:n]...)
		}
		text = text[n:]
	}
	return dst
}

// Flush has nothing to wait for.
func (s *Sink) Flush(context.Context) error { return nil }

// Close does nothing.
func (s *Sink) Close(context.Context) error { return nil }
