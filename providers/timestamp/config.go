// Package timestamp is the interceptor "timestamp": it writes the event's time into a header.
package timestamp

import (
	"collect/hclspec/schema"
	"collect/providers/internal/onerror"
)

// Config is what a user writes.
type Config struct {
	Header   string `collect:"header" doc:"The header to set."`
	Preserve bool   `collect:"preserve" doc:"Leave events alone that have the header already."`
}

// Defaults gives the defaults.
func Defaults() Config { return Config{Header: "timestamp"} }

// About tells what the component is.
func About() schema.About {
	return schema.About{
		Doc: "Writes event.time into a header, in milliseconds since 1970 UTC. Unless an interceptor before it changed the time, that is " +
			"when the event came in.",
	}
}

// Validate checks what tags cannot say.
func (c Config) Validate() error { return onerror.CheckHeader(c.Header) }
