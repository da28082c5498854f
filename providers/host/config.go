// Package host is the interceptor "host": it writes the name of this machine into a header.
package host

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
func Defaults() Config { return Config{Header: "host"} }

// About tells what the component is.
func About() schema.About {
	return schema.About{Doc: "Writes the name of the machine on which the agent runs into a header."}
}

// Validate checks what tags cannot say.
func (c Config) Validate() error { return onerror.CheckHeader(c.Header) }
