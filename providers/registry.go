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
	"collect/runtime/channel/disk/inspect"
	"collect/runtime/channel/memory"
	"collect/runtime/pipeline/registry"
)

// Registry gives all component types, by kind and name.
func Registry() *registry.Registry {
	return registry.New(
		registry.Source("generator", generator.Defaults, generator.About(), generator.New),
		registry.Source("smartcar", smartcar.Defaults, smartcar.About(), smartcar.New),
		registry.Source("spooldir", spooldir.Defaults, spooldir.About(), spooldir.New),
		registry.Source("tail", tail.Defaults, tail.About(), tail.New),
		registry.Interceptor("csv", csv.Defaults, csv.About(), csv.New),
		registry.Interceptor("filter", filter.Defaults, filter.About(), filter.New),
		registry.Interceptor("host", host.Defaults, host.About(), host.New),
		registry.Interceptor("json", json.Defaults, json.About(), json.New),
		registry.Interceptor("regex_extract", regexextract.Defaults, regexextract.About(), regexextract.New),
		registry.Interceptor("remove_header", removeheader.Defaults, removeheader.About(), removeheader.New),
		registry.Interceptor("search_replace", searchreplace.Defaults, searchreplace.About(), searchreplace.New),
		registry.Interceptor("set", set.Defaults, set.About(), set.New),
		registry.Interceptor("timestamp", timestamp.Defaults, timestamp.About(), timestamp.New),
		registry.Interceptor("uuid", uuid.Defaults, uuid.About(), uuid.New),
		registry.Channel("disk", disk.Defaults, disk.About, disk.New).Storing(disk.Stored).Inspecting(registry.Inspector{
			Read: inspect.Read, Verify: inspect.Verify, Dump: inspect.Dump, Repair: inspect.Repair,
		}),
		registry.Channel("memory", memory.Defaults, memory.About, memory.New),
		registry.Sink("console", console.Defaults, console.About(), console.New),
		registry.Sink("file", file.Defaults, file.About(), file.New),
		registry.Sink("hdfs", hdfs.Defaults, hdfs.About(), hdfs.New),
		registry.Sink("kafka", kafka.Defaults, kafka.About(), kafka.New),
		registry.Sink("null", null.Defaults, null.About(), null.New),
		registry.Sink("socket", socket.Defaults, socket.About(), socket.New),
		registry.Declared(schema.Provider, "kafka", kafkaclient.Defaults, kafkaclient.About()),
		registry.Declared(schema.Topic, "topic", topic.Defaults, topic.About()),
	)
}
