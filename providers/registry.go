// Package providers lists the component types that exist. Adding one touches its own folder and one line here.
package providers

import (
	"collect/providers/generator"
	"collect/providers/smartcar"
	"collect/providers/tail"
	"collect/runtime/pipeline"
)

// Registry gives all component types, by kind and name.
func Registry() *pipeline.Registry {
	return pipeline.NewRegistry(
		pipeline.Source("generator", generator.Defaults, generator.About, generator.New),
		pipeline.Source("smartcar", smartcar.Defaults, smartcar.About, smartcar.New),
		pipeline.Source("tail", tail.Defaults, tail.About, tail.New),
	)
}
