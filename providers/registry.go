// Package providers lists the component types that exist. Adding one touches its own folder and one line here.
package providers

import (
	"collect/hclspec/schema"
	"collect/providers/console"
	"collect/providers/csv"
	"collect/providers/file"
	"collect/providers/filter"
	"collect/providers/generator"
	"collect/providers/hdfs"
	"collect/providers/host"
	"collect/providers/internal/kafkaclient"
	"collect/providers/json"
	"collect/providers/kafka"
	"collect/providers/null"
	"collect/providers/regexextract"
	"collect/providers/removeheader"
	"collect/providers/searchreplace"
	"collect/providers/set"
	"collect/providers/smartcar"
	"collect/providers/socket"
	"collect/providers/spooldir"
	"collect/providers/tail"
	"collect/providers/timestamp"
	"collect/providers/topic"
	"collect/providers/uuid"
	"collect/runtime/channel/disk"
	"collect/runtime/channel/memory"
	"collect/runtime/pipeline"
)

// Registry gives all component types, by kind and name.
func Registry() *pipeline.Registry {
	return pipeline.NewRegistry(
		pipeline.Source("generator", generator.Defaults, generator.About(), generator.New),
		pipeline.Source("smartcar", smartcar.Defaults, smartcar.About(), smartcar.New),
		pipeline.Source("spooldir", spooldir.Defaults, spooldir.About(), spooldir.New),
		pipeline.Source("tail", tail.Defaults, tail.About(), tail.New),
		pipeline.Interceptor("csv", csv.Defaults, csv.About(), csv.New),
		pipeline.Interceptor("filter", filter.Defaults, filter.About(), filter.New),
		pipeline.Interceptor("host", host.Defaults, host.About(), host.New),
		pipeline.Interceptor("json", json.Defaults, json.About(), json.New),
		pipeline.Interceptor("regex_extract", regexextract.Defaults, regexextract.About(), regexextract.New),
		pipeline.Interceptor("remove_header", removeheader.Defaults, removeheader.About(), removeheader.New),
		pipeline.Interceptor("search_replace", searchreplace.Defaults, searchreplace.About(), searchreplace.New),
		pipeline.Interceptor("set", set.Defaults, set.About(), set.New),
		pipeline.Interceptor("timestamp", timestamp.Defaults, timestamp.About(), timestamp.New),
		pipeline.Interceptor("uuid", uuid.Defaults, uuid.About(), uuid.New),
		pipeline.Channel("disk", disk.Defaults, disk.About, disk.New).Storing(disk.Stored),
		pipeline.Channel("memory", memory.Defaults, memory.About, memory.New),
		pipeline.Sink("console", console.Defaults, console.About(), console.New),
		pipeline.Sink("file", file.Defaults, file.About(), file.New),
		pipeline.Sink("hdfs", hdfs.Defaults, hdfs.About(), hdfs.New),
		pipeline.Sink("kafka", kafka.Defaults, kafka.About(), kafka.New),
		pipeline.Sink("null", null.Defaults, null.About(), null.New),
		pipeline.Sink("socket", socket.Defaults, socket.About(), socket.New),
		pipeline.Declared(schema.Provider, "kafka", kafkaclient.Defaults, kafkaclient.About()),
		pipeline.Declared(schema.Topic, "topic", topic.Defaults, topic.About()),
	)
}
