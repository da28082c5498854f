package hclspec

import (
	"errors"
	"slices"
	"time"

	"collect/hclspec/schema"
)

// fakeTypes are component types as small as the language needs them to be.
type fakeTypes map[schema.Kind]map[string]*schema.Type

func (f fakeTypes) Lookup(k schema.Kind, name string) (*schema.Type, bool) {
	t, ok := f[k][name]
	return t, ok
}

func (f fakeTypes) Names(k schema.Kind) []string {
	var out []string
	for n := range f[k] {
		out = append(out, n)
	}
	slices.Sort(out)
	return out
}

func fake[C any](f fakeTypes, k schema.Kind, name string, defaults C, about schema.About) {
	if f[k] == nil {
		f[k] = map[string]*schema.Type{}
	}
	f[k][name] = &schema.Type{Kind: k, Name: name, About: about, Block: schema.Of(defaults), Check: func(c schema.Config) error {
		into := defaults
		if err := schema.Decode(c, nil, &into); err != nil {
			return err
		}
		if v, ok := any(into).(interface{ Validate() error }); ok {
			return v.Validate()
		}
		return nil
	}}
}

type (
	fakeTail struct {
		Include   []string       `collect:"include,required,path" doc:"Files to read."`
		StartAt   string         `collect:"start_at,enum=beginning|end" doc:"Where to begin."`
		MaxLine   schema.Bytes   `collect:"max_line" doc:"Longest line."`
		Multiline *fakeMultiline `collect:"multiline" doc:"Lines that belong together."`
		Wait      time.Duration  `collect:"rotate_wait,reload" doc:"How long to wait."`
	}
	fakeMultiline struct {
		FirstLine string `collect:"first_line,required" doc:"Pattern of a first line."`
	}
	fakeSpool struct {
		Path     string `collect:"path,required,path" doc:"Folder."`
		Schedule string `collect:"schedule,cron" doc:"When to look."`
		Done     string `collect:"done,enum=rename|delete|track" doc:"What happens to a file that is read."`
	}
	fakeGenerator struct {
		Rate  float64     `collect:"rate" doc:"Events a second."`
		Count int         `collect:"count" doc:"How many."`
		Body  schema.Expr `collect:"body,event" doc:"Text."`
	}
	fakeListen struct {
		Listen   string `collect:"listen,required" doc:"Address."`
		Protocol string `collect:"protocol,enum=tcp|udp" doc:"Protocol."`
		Password string `collect:"password,secret" doc:"Password."`
	}
	fakeKafkaSource struct {
		Topics   []schema.Ref `collect:"topics,ref=topic" doc:"Topics."`
		Provider fakeKafka    `collect:"provider,provider=kafka" doc:"Cluster."`
	}
	fakeFilter struct {
		Keep schema.Expr `collect:"keep,event,bool" doc:"Which events stay."`
		Drop schema.Expr `collect:"drop,event,bool" doc:"Which events go."`
	}
	fakeCSV struct {
		Columns   []string `collect:"columns,required" doc:"Names."`
		Separator string   `collect:"separator" doc:"Separator."`
		OnError   string   `collect:"on_error,enum=keep|drop|dead_letter" doc:"What happens to other lines."`
	}
	fakeSet struct {
		Headers map[string]schema.Expr `collect:"headers,event" doc:"Headers."`
		Body    schema.Expr            `collect:"body,event" doc:"Body."`
	}
	fakeMemory struct {
		MaxSize  schema.Bytes `collect:"max_size" doc:"Bytes."`
		WhenFull string       `collect:"when_full,enum=block|reject" doc:"What happens when it is full."`
	}
	fakeKafkaSink struct {
		Topic       schema.Expr       `collect:"topic,event,ref=topic,required" doc:"Topic."`
		Key         schema.Expr       `collect:"key,event" doc:"Key."`
		Partition   schema.Expr       `collect:"partition,event,number" doc:"Partition."`
		Compression string            `collect:"compression,enum=none|lz4|zstd" doc:"Compression."`
		Linger      time.Duration     `collect:"linger" doc:"How long to wait for more."`
		Properties  map[string]string `collect:"properties" doc:"More settings."`
		Provider    fakeKafka         `collect:"provider,provider=kafka" doc:"Cluster."`
	}
	fakeKafka struct {
		Brokers    []string          `collect:"brokers" doc:"Addresses."`
		ClientID   string            `collect:"client_id" doc:"Name."`
		Properties map[string]string `collect:"properties" doc:"More settings."`
		SASL       *fakeSASL         `collect:"sasl" doc:"Login."`
		TLS        *fakeTLS          `collect:"tls" doc:"Certificates."`
	}
	fakeTLS struct {
		CA  string `collect:"ca,contents" doc:"Certificates of authorities."`
		Key string `collect:"key,contents" doc:"Our key."`
	}
	fakeSASL struct {
		User     string `collect:"username" doc:"User."`
		Password string `collect:"password,secret" doc:"Password."`
	}
	fakeAgentSink struct {
		To      schema.Ref `collect:"to,ref=source" doc:"Receiver."`
		Address string     `collect:"address" doc:"Receiver elsewhere."`
	}
	fakeHDFS struct {
		Path schema.Expr `collect:"path,event,path,required" doc:"Where."`
		Roll fakeRoll    `collect:"roll" doc:"When a file closes."`
	}
	fakeFile struct {
		Path schema.Expr `collect:"path,event,path,required" doc:"Where."`
		Roll *fakeRoll   `collect:"roll" doc:"When a file closes."`
	}
	fakeRoll struct {
		Size   schema.Bytes  `collect:"size" doc:"Bytes."`
		Events int           `collect:"events" doc:"Events."`
		Idle   time.Duration `collect:"idle" doc:"Quiet time."`
	}
	fakeTopic struct {
		Name       string            `collect:"name" doc:"Name."`
		Partitions int               `collect:"partitions" doc:"Partitions."`
		Config     map[string]string `collect:"config" doc:"Settings of the topic."`
		Provider   fakeKafka         `collect:"provider,provider=kafka" doc:"Cluster."`
	}
	fakeNone struct{}
)

func (c fakeFilter) Validate() error {
	if c.Keep.IsSet() == c.Drop.IsSet() {
		return errors.New("keep or drop is needed, not both")
	}
	return nil
}

func (c fakeCSV) Validate() error {
	if len(c.Separator) > 1 {
		return errors.New("separator must be one character")
	}
	return nil
}

func types() fakeTypes {
	f := fakeTypes{}
	fake(f, schema.Source, "tail", fakeTail{StartAt: "beginning", MaxLine: 1 << 20}, schema.About{Replay: schema.Replays, Files: "include"})
	fake(f, schema.Source, "spooldir", fakeSpool{Done: "rename"}, schema.About{Replay: schema.Replays, Files: "path"})
	fake(f, schema.Source, "generator", fakeGenerator{}, schema.About{Replay: schema.Replays})
	fake(f, schema.Source, "agent", fakeListen{}, schema.About{Replay: schema.SenderReplays, Answers: true, Listen: "listen"})
	fake(f, schema.Source, "http", fakeListen{}, schema.About{Replay: schema.SenderReplays, Answers: true, Listen: "listen"})
	fake(f, schema.Source, "syslog", fakeListen{Protocol: "tcp"}, schema.About{Replay: schema.CannotReplay, Listen: "listen"})
	fake(f, schema.Source, "kafka", fakeKafkaSource{}, schema.About{Replay: schema.Replays})
	fake(f, schema.Interceptor, "filter", fakeFilter{}, schema.About{})
	fake(f, schema.Interceptor, "csv", fakeCSV{Separator: ","}, schema.About{})
	fake(f, schema.Interceptor, "set", fakeSet{}, schema.About{})
	fake(f, schema.Channel, "memory", fakeMemory{MaxSize: 32 << 20}, schema.About{CapacityAttr: "max_size"})
	fake(f, schema.Channel, "disk", fakeMemory{MaxSize: 1 << 30}, schema.About{CapacityAttr: "max_size", Durable: true})
	fake(f, schema.Sink, "kafka", fakeKafkaSink{Compression: "lz4"}, schema.About{})
	fake(f, schema.Sink, "agent", fakeAgentSink{}, schema.About{})
	fake(f, schema.Sink, "hdfs", fakeHDFS{Roll: fakeRoll{Size: 128 << 20}}, schema.About{Rolls: true})
	fake(f, schema.Sink, "file", fakeFile{}, schema.About{RollsWith: []string{"roll", "close_when"}})
	fake(f, schema.Sink, "null", fakeNone{}, schema.About{})
	fake(f, schema.Sink, "socket", fakeNone{}, schema.About{Unconfirmed: true})
	fake(f, schema.Sink, "console", fakeNone{}, schema.About{})
	fake(f, schema.Provider, "kafka", fakeKafka{}, schema.About{})
	fake(f, schema.Topic, "kafka", fakeTopic{}, schema.About{})
	return f
}
