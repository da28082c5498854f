// Package hdfs is the sink that writes files into HDFS (hdfs://) or a directory (file://), which appear complete and are never
// overwritten. An event is delivered when its file is closed and has its final name: nothing less is certain with HDFS. With a disk
// channel each event is in exactly one final file. See package roll for how.
package hdfs

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"collect/hclspec/expr"
	"collect/hclspec/schema"
	"collect/providers/internal/codec"
	"collect/providers/internal/roll"
	"collect/runtime/flow"
)

// Config is the configuration of the sink.
type Config struct {
	Path        schema.Expr `collect:"path,required,event" doc:"Directory: hdfs://namenode:8020/directory, several namenodes of one cluster with commas, or file:///directory. It may depend on the event; it begins with a constant directory, which events cannot leave: each part that depends on the event is one segment, escaped where needed."`
	Prefix      string      `collect:"prefix" doc:"First part of file names; by default the sink's name."`
	Suffix      string      `collect:"suffix" doc:"Last part of file names, before that of the compression. Default: .txt, .json or .avro, as the format."`
	InUseSuffix string      `collect:"in_use_suffix" doc:"Last part of the names of files that are being written; these names also begin with a dot."`
	Roll        Roll        `collect:"roll" doc:"When a file ends. All limits hold; the first one reached counts."`
	CloseWhen   schema.Expr `collect:"close_when,event,bool" doc:"An event for which this is true is the last of its file."`
	Format      string      `collect:"format,enum=text|lines|json|avro" doc:"text (the same as lines): the body and a newline. json: an object with time, headers and body. avro: an Avro container of headers and body."`
	Newline     string      `collect:"newline,enum=escape|split|keep" doc:"A newline inside a body becomes the two characters \\n, ends a line, or is kept."`
	Compression string      `collect:"compression,enum=none|gzip|zstd|snappy" doc:"Compression of the files; snappy in Hadoop's block format."`
	User        string      `collect:"user" doc:"HDFS user who owns the files."`
	MaxOpen     int         `collect:"max_open" doc:"Most files open at once; the one not written to for the longest time is closed."`
}

// Roll says when a file ends.
type Roll struct {
	Size     schema.Bytes  `collect:"size" doc:"Bytes before compression; 0 is no limit."`
	Events   int           `collect:"events" doc:"Number of events; 0 is no limit."`
	Interval time.Duration `collect:"interval" doc:"Time since the file was begun; 0 is no limit."`
	Idle     time.Duration `collect:"idle" doc:"Time since the last event; 0 is no limit."`
}

// Defaults gives the defaults.
func Defaults() Config {
	return Config{
		InUseSuffix: ".tmp", Format: "text", Newline: "escape", Compression: "none", User: "collect", MaxOpen: 500,
		Roll: Roll{Size: 128 << 20, Interval: 10 * time.Minute, Idle: time.Minute},
	}
}

// About describes the sink.
func About() schema.About {
	return schema.About{
		Doc:   "Writes files into HDFS or a directory. They appear under their final names when they are complete, and nothing is ever overwritten. Delivered means closed and renamed.",
		Rolls: true,
	}
}

// Validate checks what tags cannot say.
func (c Config) Validate() error {
	if err := c.path(); err != nil {
		return err
	}
	if _, err := c.closeWhen(); err != nil {
		return err
	}
	if _, err := codec.New(c.Format, c.Newline); err != nil {
		return err
	}
	for _, part := range []struct{ name, value string }{{"prefix", c.Prefix}, {"suffix", c.Suffix}, {"in_use_suffix", c.InUseSuffix}} {
		if len(part.value) > 50 || strings.ContainsAny(part.value, "/:\\") || strings.ContainsFunc(part.value, func(r rune) bool { return r < 0x20 || r == 0x7f }) {
			return fmt.Errorf("%s %q must have at most 50 bytes, and neither slash, colon nor control character", part.name, part.value)
		}
	}
	switch {
	case c.InUseSuffix == "":
		return errors.New("in_use_suffix must not be empty")
	case strings.HasPrefix(c.Prefix, "."):
		return errors.New("prefix must not begin with a dot: such files are hidden")
	case c.MaxOpen < 1:
		return errors.New("max_open must be at least 1")
	case c.User == "":
		return errors.New("user must not be empty")
	case c.Roll.Events < 0:
		return errors.New("roll.events must not be negative")
	case c.Roll == Roll{} && !c.CloseWhen.IsSet():
		return errors.New("roll has no limit, so no file would ever end: set one of size, events, interval, idle")
	}
	return nil
}

// path wants the kind of place in words: who writes /flume/events means HDFS, whose address no file of Hadoop gives here.
func (c Config) path() error {
	p, err := roll.ParsePath(c.Path, false)
	if err == nil && p.Bare {
		err = errors.New("path must begin with hdfs://namenode:8020/, or with file:/// for a directory of this machine")
	}
	return err
}

func (c Config) closeWhen() (*expr.Program, error) {
	if !c.CloseWhen.IsSet() {
		return nil, nil
	}
	p, err := expr.Compile(c.CloseWhen, expr.TypeBool)
	if err != nil {
		return nil, fmt.Errorf("close_when: %w", err)
	}
	return p, nil
}

// suffix gives the last part of names.
func (c Config) suffix() string {
	if c.Suffix != "" {
		return c.Suffix
	}
	switch c.Format {
	case "json":
		return ".json"
	case "avro":
		return ".avro"
	}
	return ".txt"
}

// New makes the sink.
func New(cfg Config, env flow.Env) (flow.Sink, error) {
	p, err := roll.ParsePath(cfg.Path, false)
	if err != nil {
		return nil, err
	}
	c, err := codec.New(cfg.Format, cfg.Newline)
	if err != nil {
		return nil, err
	}
	closeWhen, err := cfg.closeWhen()
	if err != nil {
		return nil, err
	}
	prefix := cfg.Prefix
	if prefix == "" {
		prefix = env.Component[strings.LastIndexByte(env.Component, '.')+1:]
	}
	files := codec.Options{Compression: cfg.Compression, Hadoop: true}
	if env.Rand != nil {
		files.Random = env.Rand.Read
	}
	if cfg.Format == "avro" {
		files.Container = "avro"
	}
	return roll.New(roll.Options{
		Path: p, Codec: c, Files: files, CloseWhen: closeWhen, MaxOpen: cfg.MaxOpen, InUse: cfg.InUseSuffix,
		Limits: roll.Limits{Size: int64(cfg.Roll.Size), Events: cfg.Roll.Events, Interval: cfg.Roll.Interval, Idle: cfg.Roll.Idle},
		Final: func(n roll.Name) string {
			if n.Part > 0 {
				return fmt.Sprintf("%s-%s-%d%s%s", prefix, n.Unique, n.Part, cfg.suffix(), n.Ext)
			}
			return prefix + "-" + n.Unique + cfg.suffix() + n.Ext
		},
		Backend: func(url string) (roll.Backend, error) { return backend(url, cfg.User, env) },
	}, env), nil
}

// backend gives the place that a root's URL names.
func backend(url, user string, env flow.Env) (roll.Backend, error) {
	scheme, rest, _ := strings.Cut(url, "://")
	switch scheme {
	case "file":
		return roll.Local{Tree: roll.NewTree(env.FS, rest)}, nil
	case "hdfs":
		host, dir, _ := strings.Cut(rest, "/")
		return newCluster(host, "/"+dir, user, env), nil
	}
	return nil, fmt.Errorf("%s is neither hdfs:// nor file://", url)
}
