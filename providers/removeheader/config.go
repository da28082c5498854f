// Package removeheader is the interceptor "remove_header": it removes headers.
package removeheader

import (
	"errors"
	"fmt"
	"regexp"

	"collect/hclspec/schema"
)

// Config is what a user writes.
type Config struct {
	Names   []string `collect:"names" doc:"Headers to remove."`
	Pattern string   `collect:"pattern" doc:"Regular expression: headers whose name matches are removed."`
}

// Defaults gives the defaults.
func Defaults() Config { return Config{} }

// About tells what the component is.
func About() schema.About {
	return schema.About{Doc: "Removes headers, by name or by a pattern."}
}

// maxPattern bounds the source of a regular expression.
const maxPattern = 4 << 10

// Validate checks what tags cannot say.
func (c Config) Validate() error {
	if len(c.Names) == 0 && c.Pattern == "" {
		return errors.New("names or pattern is needed")
	}
	if len(c.Pattern) > maxPattern {
		return errors.New("pattern is longer than 4096 bytes")
	}
	if _, err := regexp.Compile(c.Pattern); err != nil {
		return fmt.Errorf("pattern: %w", err)
	}
	return nil
}
