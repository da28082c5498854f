// Package set is the interceptor "set": it sets headers, the body and the time of events, to constants or to what expressions give
// for each event.
package set

import (
	"errors"
	"fmt"
	"time"

	"collect/hclspec/schema"
	"collect/providers/internal/onerror"
)

// Config is what a user writes.
type Config struct {
	Headers map[string]schema.Expr `collect:"headers,event" doc:"Headers to set, by name. Those that the event has by the same names are replaced."`
	Body    schema.Expr            `collect:"body,event" doc:"The new body."`
	Time    schema.Expr            `collect:"time,event" doc:"The event's time: an RFC 3339 text, as parsetime gives it."`
	OnError string                 `collect:"on_error,enum=keep|drop|dead_letter" doc:"What happens to an event that cannot be handled: keep (the reason goes into its header collect.error), drop (counted), dead_letter."`
}

// Defaults gives the defaults.
func Defaults() Config { return Config{OnError: string(onerror.Keep)} }

// About tells what the component is.
func About() schema.About {
	return schema.About{
		Doc: "Sets headers, body and time of events. All values are those from before the change. An event for which one of them cannot " +
			"be computed is not changed; on_error says what happens to it.",
	}
}

// Validate checks what tags cannot say.
func (c Config) Validate() error {
	if len(c.Headers) == 0 && !c.Body.IsSet() && !c.Time.IsSet() {
		return errors.New("at least one of headers, body and time is needed")
	}
	if c.Time.IsSet() && c.Time.IsConst() {
		if _, err := time.Parse(time.RFC3339Nano, c.Time.Text()); err != nil {
			return fmt.Errorf("time: %q is not a time as \"2006-01-02T15:04:05Z\"; parsetime makes one of other forms", c.Time.Text())
		}
	}
	for name := range c.Headers {
		if err := onerror.CheckHeader(name); err != nil {
			return fmt.Errorf("headers: %w", err)
		}
	}
	return nil
}
