// Package generator is the source "generator": it makes events that carry a sequence number, for tests, measurements and first
// steps. Its position is the number of events made so far, so a restart goes on where it stopped and repeats what was not
// acknowledged.
package generator

import (
	"errors"

	"collect/hclspec/schema"
)

// Config is what a user writes.
type Config struct {
	Rate  float64      `collect:"rate" doc:"Events a second; 0 makes them as fast as they are taken."`
	Count int64        `collect:"count" doc:"How many events to make, counted over restarts; 0 never ends."`
	Size  schema.Bytes `collect:"size" doc:"Bytes of each event. The default body is filled up to this size."`
	Body  schema.Expr  `collect:"body,event" doc:"The body, instead of the default one \"seq=0000000042 ...\". event.meta.offset is the event's number, counted from 0."`
}

// Defaults gives the defaults.
func Defaults() Config { return Config{Size: 100} }

// About tells what the component is.
func About() schema.About {
	return schema.About{
		Doc: "Makes events with a sequence number in each, as fast as wanted. It replays: after a restart it goes on with the first " +
			"event that was not acknowledged.",
		Replay: schema.Replays,
	}
}

// Validate checks what tags cannot say.
func (c Config) Validate() error {
	switch {
	case c.Rate < 0 || c.Rate > 1e9:
		return errors.New("rate must be between 0 and 1000000000")
	case c.Count < 0:
		return errors.New("count must not be negative")
	case c.Size < 0 || c.Size > 1<<20:
		return errors.New("size must be between 0 and 1MiB")
	}
	return nil
}
