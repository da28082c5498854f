// Package json is the interceptor "json": it takes values out of a JSON body into headers.
package json

import (
	"errors"
	"fmt"

	"collect/hclspec/schema"
	"collect/providers/internal/onerror"
)

// Config is what a user writes.
type Config struct {
	Fields  map[string]string `collect:"fields,required" doc:"Headers to set, by name, and the path of each value in the body, such as \"car.number\" or \"tires.0\"; a dot inside a name is written \"\\\\.\"."`
	OnError string            `collect:"on_error,enum=keep|drop|dead_letter" doc:"What happens to an event that cannot be handled: keep (the reason goes into its header collect.error), drop (counted), dead_letter."`
}

// Defaults gives the defaults.
func Defaults() Config { return Config{OnError: string(onerror.Keep)} }

// About tells what the component is.
func About() schema.About {
	return schema.About{
		Doc: "Takes values out of a JSON body into headers. A value that is missing or null sets no header; objects and lists are kept as " +
			"JSON. A body that is no JSON, or nested more than 64 levels deep, is an error of the event. The body stays as it is.",
	}
}

// Validate checks what tags cannot say.
func (c Config) Validate() error {
	if len(c.Fields) == 0 {
		return errors.New("fields must name at least one header")
	}
	for name, path := range c.Fields {
		if err := onerror.CheckHeader(name); err != nil {
			return fmt.Errorf("fields: %w", err)
		}
		if path == "" || len(path) > 1024 {
			return fmt.Errorf("fields.%s: a path has 1 to 1024 bytes", name)
		}
	}
	return nil
}
