// Package file is the sink that writes local files: one that grows, or files that appear complete.
//
// Without roll and close_when there is one growing file for each path. A batch is delivered when it is synced; several are synced at
// once. After a crash the file ends in whole lines, and the lines that were not acknowledged are written again: at least once.
//
// With roll or close_when, files are written under hidden names and appear, synced, when they are complete. Nothing is ever
// overwritten. With a disk channel each event is in exactly one of them (see package roll).
package file

import (
	"errors"
	"fmt"
	"time"

	"collect/hclspec/expr"
	"collect/hclspec/schema"
	"collect/providers/internal/codec"
	"collect/providers/internal/roll"
	"collect/runtime/flow"
)

// Config is the configuration of the sink.
type Config struct {
	Path        schema.Expr `collect:"path,required,event,path" doc:"File to write. It may depend on the event; it begins with a constant directory, which events cannot leave: each part that depends on the event is one segment, escaped where needed."`
	Roll        *Roll       `collect:"roll" doc:"Write files that appear only when they are complete. A unique part is put before the extension of path."`
	CloseWhen   schema.Expr `collect:"close_when,event,bool" doc:"An event for which this is true is the last of its file. Without a roll block the file then appears under exactly its path, or with a unique part when that is taken; it also ends when the agent stops or the channel is full."`
	Keep        *Keep       `collect:"keep" doc:"Remove old files that this sink has rolled."`
	Format      string      `collect:"format,enum=text|lines|json|avro" doc:"text (the same as lines): the body and a newline. json: an object with time, headers and body. avro: an Avro container of headers and body; needs roll or close_when."`
	Newline     string      `collect:"newline,enum=escape|split|keep" doc:"A newline inside a body becomes the two characters \\n, ends a line, or is kept."`
	Compression string      `collect:"compression,enum=none|gzip|zstd|snappy|lz4" doc:"Compression; other than none needs roll or close_when."`
	MaxOpen     int         `collect:"max_open" doc:"Most files open at once; the one not written to for the longest time is closed."`
}

// Roll says when a file ends.
type Roll struct {
	Size     schema.Bytes  `collect:"size" doc:"Bytes before compression. Default: \"128MiB\"."`
	Events   int           `collect:"events" doc:"Number of events. Default: no limit."`
	Interval time.Duration `collect:"interval" doc:"Time since the file was begun. Default: \"10m\"."`
	Idle     time.Duration `collect:"idle" doc:"Time since the last event. Default: \"1m\"."`
}

// Keep bounds the files that stay.
type Keep struct {
	Files int           `collect:"files" doc:"Number of files for each path."`
	Age   time.Duration `collect:"age" doc:"Age since the last change."`
}

// Defaults gives the defaults.
func Defaults() Config {
	return Config{Format: "text", Newline: "escape", Compression: "none", MaxOpen: 500}
}

// About describes the sink.
func About() schema.About {
	return schema.About{
		Doc:       "Writes local files: one growing file for each path, delivered when synced, or, with roll or close_when, files that appear complete and are never overwritten.",
		RollsWith: []string{"roll", "close_when"},
		Window:    schema.Window{Batches: maxWaiting},
	}
}

// rolls says whether files appear complete.
func (c Config) rolls() bool { return c.Roll != nil || c.CloseWhen.IsSet() }

// Validate checks what tags cannot say.
func (c Config) Validate() error {
	_, err := c.path()
	if err != nil {
		return err
	}
	if _, err := c.closeWhen(); err != nil {
		return err
	}
	if _, err := codec.New(c.Format, c.Newline); err != nil {
		return err
	}
	if c.MaxOpen < 1 {
		return errors.New("max_open must be at least 1")
	}
	if r := c.Roll; r != nil && r.Events < 0 {
		return errors.New("roll.events must not be negative")
	}
	if c.Format == "avro" && c.Compression == "lz4" {
		return errors.New("compression \"lz4\" is not one that an Avro container has: none, gzip, zstd, snappy")
	}
	if c.rolls() {
		return nil
	}
	switch {
	case c.Format == "avro":
		return errors.New("format \"avro\" needs a roll block: a container cannot grow over a crash")
	case c.Compression != "none":
		return fmt.Errorf("compression %q needs a roll block: a compressed file cannot grow over a crash", c.Compression)
	case c.Keep != nil:
		return errors.New("keep needs a roll block: without it there is one file, which grows")
	}
	return nil
}

func (c Config) path() (*roll.Path, error) {
	p, err := roll.ParsePath(c.Path, true)
	if err != nil {
		return nil, err
	}
	if p.Scheme != "file" {
		return nil, fmt.Errorf("path: %s:// is for another sink; this one writes local files", p.Scheme)
	}
	return p, nil
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

// limits gives the limits with their defaults.
func (c Config) limits() roll.Limits {
	if c.Roll == nil {
		return roll.Limits{}
	}
	l := roll.Limits{Size: int64(c.Roll.Size), Events: c.Roll.Events, Interval: c.Roll.Interval, Idle: c.Roll.Idle}
	if l.Size == 0 {
		l.Size = 128 << 20
	}
	if l.Interval == 0 {
		l.Interval = 10 * time.Minute
	}
	if l.Idle == 0 {
		l.Idle = time.Minute
	}
	return l
}

// New makes the sink.
func New(cfg Config, env flow.Env) (flow.Sink, error) {
	p, err := cfg.path()
	if err != nil {
		return nil, err
	}
	c, err := codec.New(cfg.Format, cfg.Newline)
	if err != nil {
		return nil, err
	}
	if !cfg.rolls() {
		return newGrowing(p, c, cfg.MaxOpen, env), nil
	}
	return newRolling(cfg, p, c, env)
}
