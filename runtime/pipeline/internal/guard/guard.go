// Package guard stands at the border between the pipeline and its components: a component that panics has failed, and nothing else
// does.
package guard

import (
	"errors"
	"fmt"
	"runtime/debug"
)

// panicError is a panic of a component.
type panicError struct {
	value any
	stack []byte
}

func (p *panicError) Error() string { return fmt.Sprintf("panic: %v", p.value) }

// Call calls a component and turns its panic into an error.
func Call(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &panicError{value: v, stack: debug.Stack()}
		}
	}()
	return f()
}

// IsPanic says whether an error is a component's panic.
func IsPanic(err error) bool {
	var p *panicError
	return errors.As(err, &p)
}

// Stack gives where a component panicked; "" when the error is no panic.
func Stack(err error) string {
	var p *panicError
	if errors.As(err, &p) {
		return string(p.stack)
	}
	return ""
}
