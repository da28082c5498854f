// Package uuid is the interceptor "uuid": it gives each event a name of its own.
package uuid

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
func Defaults() Config { return Config{Header: "id"} }

// About tells what the component is.
func About() schema.About {
	return schema.About{
		Doc: "Gives each event a uuid (version 5), made of the position of the event in its source: an event that is read again after a " +
			"crash gets the same one, so that copies can be recognised.",
	}
}

// Validate checks what tags cannot say.
func (c Config) Validate() error { return onerror.CheckHeader(c.Header) }
