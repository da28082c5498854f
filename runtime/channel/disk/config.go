package disk

import (
	"errors"
	"time"

	"collect/hclspec/schema"
)

// Config holds the arguments.
type Config struct {
	MaxSize      schema.Bytes  `collect:"max_size" doc:"Disk space for events that are not delivered to all consumers."`
	SegmentSize  schema.Bytes  `collect:"segment_size" doc:"Size of one file; a file goes when everything in it is delivered. At most an eighth of max_size is used."`
	Sync         string        `collect:"sync,enum=batch|interval" doc:"When events are made durable: batch before they are acknowledged (many batches share one fsync), interval every sync_interval."`
	SyncInterval time.Duration `collect:"sync_interval" doc:"With sync = \"interval\": the longest time for which a power cut loses acknowledged events."`
	Compression  string        `collect:"compression,enum=none|zstd|lz4" doc:"How events are compressed on disk."`
	WhenFull     string        `collect:"when_full,enum=block|reject" doc:"What a full channel does to its sources: block makes them wait, reject refuses the batch, only where all sources can answer."`
}

// Defaults gives the defaults.
func Defaults() Config {
	return Config{
		MaxSize: 1 << 30, SegmentSize: 64 << 20, Sync: syncBatch, SyncInterval: time.Second,
		Compression: "none", WhenFull: "block",
	}
}

const (
	syncBatch    = "batch"
	syncInterval = "interval"
)

// About describes the channel.
var About = schema.About{
	Doc:          "Keeps events in files until they are delivered. What it has acknowledged survives a crash, a power cut and a full disk.",
	Durable:      true,
	CapacityAttr: "max_size",
}

// Validate checks what tags cannot say.
func (c Config) Validate() error {
	switch {
	case c.MaxSize < 8<<20:
		return errors.New("max_size must be at least 8MiB")
	case c.SegmentSize < 1<<20 || c.SegmentSize > 1<<30:
		return errors.New("segment_size must be from 1MiB to 1GiB")
	case c.Sync == syncInterval && c.SyncInterval <= 0:
		return errors.New("sync_interval must be positive")
	case c.Sync != syncInterval && c.SyncInterval != Defaults().SyncInterval:
		return errors.New("sync_interval has a meaning only with sync = \"interval\"")
	}
	return nil
}

// segmentBytes gives the size at which a new segment begins: many must fit, so that room comes back in small pieces.
func (c Config) segmentBytes() int64 {
	return min(int64(c.SegmentSize), max(int64(c.MaxSize)/8, 256<<10))
}
