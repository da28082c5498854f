package host

import (
	"testing"

	"collect/providers/providertest"
	"collect/runtime/flow"
)

var suite = providertest.HeaderSetter{
	New: func(header string, preserve bool, env flow.Env) (flow.Interceptor, error) {
		return New(Config{Header: header, Preserve: preserve}, env)
	},
	Validate: func(header string) error { return Config{Header: header}.Validate() },
	Default:  Defaults().Header,
	Want:     "testhost",
}

func TestSuite(t *testing.T) { suite.Test(t) }

func BenchmarkSet(b *testing.B) { suite.Bench(b) }
