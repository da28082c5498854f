// Package regexextract is the interceptor "regex_extract": it takes parts of the body, or of a header, into headers.
package regexextract

import (
	"errors"
	"fmt"
	"regexp"

	"collect/hclspec/schema"
	"collect/providers/internal/onerror"
)

// Config is what a user writes.
type Config struct {
	Pattern string `collect:"pattern,required" doc:"Regular expression with named groups, such as \"car=(?P<car>[A-Z]\\\\d{4})\"; each becomes the header of its name. A group that takes no part in the match sets none."`
	Header  string `collect:"header" doc:"Look in this header instead of the body."`
	OnError string `collect:"on_error,enum=keep|drop|dead_letter" doc:"What happens to an event that cannot be handled, because nothing matches: keep (the reason goes into its header collect.error), drop (counted), dead_letter."`
}

// Defaults gives the defaults.
func Defaults() Config { return Config{OnError: string(onerror.Keep)} }

// About tells what the component is.
func About() schema.About {
	return schema.About{Doc: "Takes what the named groups of a regular expression match into headers. The body stays as it is."}
}

// maxPattern bounds the source of a regular expression.
const maxPattern = 4 << 10

// Validate checks what tags cannot say.
func (c Config) Validate() error {
	if len(c.Pattern) > maxPattern {
		return errors.New("pattern is longer than 4096 bytes")
	}
	re, err := regexp.Compile(c.Pattern)
	if err != nil {
		return fmt.Errorf("pattern: %w", err)
	}
	named := false
	for _, name := range re.SubexpNames() {
		if name != "" {
			named = true
			if err := onerror.CheckHeader(name); err != nil {
				return fmt.Errorf("pattern: %w", err)
			}
		}
	}
	if !named {
		return errors.New("pattern has no named group, such as (?P<car>...): nothing would be extracted")
	}
	return nil
}
