package agents

import (
	"time"

	"collect/hclspec/schema"
)

// types are a few component types, as providers declare them.
type types map[string]*schema.Type

func (t types) Lookup(kind schema.Kind, name string) (*schema.Type, bool) {
	x, ok := t[string(kind)+" "+name]
	return x, ok
}

func (t types) Names(schema.Kind) []string { return nil }

func (t types) add(kind schema.Kind, name string, about schema.About, defaults any) {
	t[string(kind)+" "+name] = &schema.Type{Kind: kind, Name: name, About: about, Block: schema.Of(defaults)}
}

func someTypes() types {
	t := types{}
	t.add(schema.Source, "tail", schema.About{Replay: schema.Replays}, struct {
		Include []string      `collect:"include,required,path" doc:"x"`
		Wait    time.Duration `collect:"rotate_wait,reload" doc:"x"`
		Start   string        `collect:"start_at" doc:"x"`
	}{})
	t.add(schema.Source, "exec", schema.About{Replay: schema.CannotReplay}, struct {
		Command []string `collect:"command,required" doc:"x"`
	}{})
	t.add(schema.Interceptor, "filter", schema.About{}, struct {
		Keep schema.Expr `collect:"keep,event" doc:"x"`
	}{})
	t.add(schema.Interceptor, "csv", schema.About{}, struct {
		Columns []string `collect:"columns" doc:"x"`
	}{})
	t.add(schema.Channel, "memory", schema.About{CapacityAttr: "max_size"}, struct {
		Max schema.Bytes `collect:"max_size" doc:"x"`
	}{32 << 20})
	t.add(schema.Channel, "disk", schema.About{Durable: true, CapacityAttr: "max_size"}, struct {
		Max schema.Bytes `collect:"max_size" doc:"x"`
	}{1 << 30})
	t.add(schema.Sink, "kafka", schema.About{Window: schema.Window{Events: 200_000, Bytes: 6 << 20}}, struct {
		Topic       schema.Expr   `collect:"topic,required,event" doc:"x"`
		Compression string        `collect:"compression" doc:"x"`
		Linger      time.Duration `collect:"linger,reload" doc:"x"`
		Provider    struct {
			Brokers  []string      `collect:"brokers" doc:"x"`
			Password schema.Secret `collect:"password,secret" doc:"x"`
		} `collect:"provider,provider=kafka" doc:"x"`
	}{})
	t.add(schema.Sink, "hdfs", schema.About{Rolls: true}, struct {
		Path schema.Expr `collect:"path,required,event" doc:"x"`
		Roll struct {
			Size schema.Bytes  `collect:"size" doc:"x"`
			Idle time.Duration `collect:"idle" doc:"x"`
		} `collect:"roll" doc:"x"`
	}{})
	t.add(schema.Sink, "agent", schema.About{}, struct {
		To schema.Ref `collect:"to" doc:"x"`
	}{})
	return t
}
