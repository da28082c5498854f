// Package providers lists the component types that exist. Adding one touches its own folder and one line here.
package providers

import (
	"collect/providers/console"
	"collect/providers/file"
	"collect/providers/generator"
	"collect/providers/hdfs"
	"collect/providers/null"
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
		pipeline.Sink("console", console.Defaults, console.About(), console.New),
		pipeline.Sink("file", file.Defaults, file.About(), file.New),
		pipeline.Sink("hdfs", hdfs.Defaults, hdfs.About(), hdfs.New),
		pipeline.Sink("null", null.Defaults, null.About(), null.New),
	)
}
