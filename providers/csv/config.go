// Package csv is the interceptor "csv": it splits the body into headers.
package csv

import (
	"errors"
	"fmt"

	"collect/hclspec/schema"
	"collect/providers/internal/onerror"
)

// Config is what a user writes.
type Config struct {
	Columns   []string `collect:"columns,required" doc:"Names of the headers that take the fields, in order. \"\" leaves a field out. Further fields are ignored; fewer are an error of the event."`
	Separator string   `collect:"separator" doc:"The byte between fields."`
	OnError   string   `collect:"on_error,enum=keep|drop|dead_letter" doc:"What happens to an event that cannot be handled: keep (the reason goes into its header collect.error), drop (counted), dead_letter."`
}

// Defaults gives the defaults.
func Defaults() Config { return Config{Separator: ",", OnError: string(onerror.Keep)} }

// About tells what the component is.
func About() schema.About {
	return schema.About{
		Doc: "Splits the body into headers, as RFC 4180 says: fields may stand in double quotes, and two of them inside are one. The body " +
			"stays as it is.",
	}
}

// Validate checks what tags cannot say.
func (c Config) Validate() error {
	if len(c.Separator) != 1 || c.Separator == `"` || c.Separator == "\n" || c.Separator == "\r" {
		return errors.New("separator must be one byte, and neither a quote nor a line end")
	}
	seen, any := map[string]bool{}, false
	for _, name := range c.Columns {
		if name == "" {
			continue
		}
		if err := onerror.CheckHeader(name); err != nil {
			return fmt.Errorf("columns: %w", err)
		}
		if seen[name] {
			return fmt.Errorf("columns: %q stands there twice", name)
		}
		seen[name], any = true, true
	}
	if !any {
		return errors.New("columns must name at least one header")
	}
	return nil
}
