// Package searchreplace is the interceptor "search_replace": it replaces text in the body or in a header.
package searchreplace

import (
	"errors"
	"fmt"
	"regexp"

	"collect/hclspec/schema"
	"collect/providers/internal/onerror"
)

// Config is what a user writes.
type Config struct {
	Pattern string `collect:"pattern,required" doc:"Regular expression; everything that matches is replaced."`
	Replace string `collect:"replace" doc:"What takes its place; \"$1\" and \"${name}\" (in a configuration file: \"$${name}\") stand for groups of the pattern, \"$$\" for a dollar sign."`
	Header  string `collect:"header" doc:"Replace in this header instead of the body. An event without it stays as it is."`
}

// Defaults gives the defaults.
func Defaults() Config { return Config{} }

// About tells what the component is.
func About() schema.About {
	return schema.About{Doc: "Replaces what a regular expression matches, in the body or in a header."}
}

// maxPattern bounds the source of a regular expression.
const maxPattern = 4 << 10

// Validate checks what tags cannot say.
func (c Config) Validate() error {
	if c.Pattern == "" || len(c.Pattern) > maxPattern {
		return errors.New("pattern must have 1 to 4096 bytes")
	}
	if _, err := regexp.Compile(c.Pattern); err != nil {
		return fmt.Errorf("pattern: %w", err)
	}
	if c.Header != "" {
		return onerror.CheckHeader(c.Header)
	}
	return nil
}
