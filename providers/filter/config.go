// Package filter is the interceptor "filter": it keeps or drops events by a condition.
package filter

import (
	"errors"

	"collect/hclspec/schema"
)

// Config is what a user writes.
type Config struct {
	Keep schema.Expr `collect:"keep,event,bool" doc:"Events for which this is true go on; others are dropped. An event for which it cannot be decided, because a header is missing or not a number, is dropped."`
	Drop schema.Expr `collect:"drop,event,bool" doc:"Events for which this is true are dropped. An event for which it cannot be decided goes on."`
}

// Defaults gives the defaults.
func Defaults() Config { return Config{} }

// About tells what the component is.
func About() schema.About {
	return schema.About{
		Doc: "Keeps or drops events by a condition. What it drops is counted with the reason \"filter\".",
	}
}

// Validate checks what tags cannot say.
func (c Config) Validate() error {
	if c.Keep.IsSet() == c.Drop.IsSet() {
		return errors.New("exactly one of keep and drop is needed")
	}
	return nil
}
