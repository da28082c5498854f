// Package onerror is what interceptors do with an event that they cannot handle.
package onerror

import (
	"fmt"
	"strings"

	"collect/runtime/flow"
)

// Policy is the value of the argument on_error.
type Policy string

// The policies.
const (
	Keep       Policy = "keep"        // the event goes on unchanged, with the reason in the header collect.error
	Drop       Policy = "drop"        // it is dropped and counted
	DeadLetter Policy = "dead_letter" // it goes to the dead-letter channel
)

// Header is where Keep writes the reason.
const Header = "collect.error"

// Doc describes the argument.
const Doc = "What happens to an event that cannot be handled: keep (the reason goes into its header collect.error), drop (counted), dead_letter."

// Handle does it for event i. The reason must not hold the event's content.
func (p Policy) Handle(b *flow.Batch, i int, k *flow.Keep, reason string) {
	switch p {
	case Drop:
		k.Drop(i, reason)
	case DeadLetter:
		k.DeadLetter(i, reason)
	default:
		b.SetHeaders(i, flow.Header{Name: Header, Value: []byte(reason)})
	}
}

// CheckHeader says whether users may set a header of that name.
func CheckHeader(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("a header needs a name")
	case len(name) > 255:
		return fmt.Errorf("the header name %.20q… is longer than 255 bytes", name)
	case strings.HasPrefix(name, "collect."):
		return fmt.Errorf("the header %q begins with \"collect.\", which is reserved", name)
	}
	return nil
}
