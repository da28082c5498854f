// Package spooldir is the source "spooldir": it reads files that are put into a folder once they are complete, each once.
//
// A file is taken when it has not changed for a while. Its random position key is durable before its first event is emitted, so a
// restart goes on inside a file. It is renamed, deleted or remembered when its last event is acknowledged; files behind it are read
// meanwhile. A file that changes while it is read is set aside with an error, and the others go on.
//
//	found ──settle──▶ reading ──last event emitted──▶ read ──all acknowledged──▶ renamed, deleted or remembered
//	                     └──it changed──▶ set aside
package spooldir

import (
	"errors"
	"fmt"
	"time"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/robfig/cron/v3"

	"collect/hclspec/schema"
	"collect/runtime/flow"
)

// Config is what a user writes.
type Config struct {
	Path      string        `collect:"path,required,path" doc:"The folder. It may come into being later."`
	Include   []string      `collect:"include" doc:"Patterns of the names of files to read (*, ?, [a-z], {a,b}). Names that begin with a dot need a pattern that does, too."`
	Ignore    []string      `collect:"ignore" doc:"Patterns of the names of files to leave alone, although include has them."`
	Recursive bool          `collect:"recursive" doc:"Read folders inside the folder, too."`
	Order     string        `collect:"order,enum=oldest|youngest|name" doc:"Which of the files that are there is read first."`
	Done      string        `collect:"done,enum=rename|delete|track" doc:"What happens to a file when its last event is acknowledged: rename it to NAME.COMPLETED, delete it, or only remember it, for folders that may not be changed: written anew, it is read anew. With a durable channel that is before its events are delivered."`
	Format    string        `collect:"format,enum=line|whole|avro" doc:"line: each line is an event. whole: each file is one event, of at most 16 MiB. avro: each record of an Avro container file is an event, as JSON."`
	MaxLine   schema.Bytes  `collect:"max_line" doc:"Longer lines are split between characters, and the parts marked."`
	Schedule  string        `collect:"schedule,cron" doc:"Look for files only at these times, in cron's form: minute, hour, day, month, weekday, such as \"0 1 * * *\", in the time_zone of the collect block, which is UTC by default. What was begun is finished in any case."`
	Settle    time.Duration `collect:"settle" doc:"A file is taken when it has not changed for so long. Better move complete files into the folder."`
}

// Completed is the end of the name of a file that is done.
const Completed = ".COMPLETED"

// Defaults gives the defaults.
func Defaults() Config {
	return Config{
		Include: []string{"*"}, Ignore: []string{"*.tmp"}, Order: "oldest", Done: "rename", Format: "line", MaxLine: 1 << 20,
		Settle: time.Second,
	}
}

// About tells what the component is.
func About() schema.About {
	return schema.About{
		Doc: "Reads files that are put into a folder, each once, and renames, deletes or remembers them when all their events are " +
			"acknowledged. A restart goes on inside a file. A file that changes while it is read is set aside with an error. " +
			"event.meta.file is the file's name, event.meta.offset the first byte of the event (of a record of an Avro file: its number).",
		Replay: schema.Replays,
		Files:  "path",
	}
}

// Validate checks what tags cannot say.
func (c Config) Validate() error {
	if c.Path == "" {
		return errors.New("path must name a folder")
	}
	if len(c.Include) == 0 {
		return errors.New("include must have at least one pattern")
	}
	for _, list := range [][]string{c.Include, c.Ignore} {
		for _, p := range list {
			if !doublestar.ValidatePattern(p) {
				return fmt.Errorf("%q is not a pattern", p)
			}
		}
	}
	if c.MaxLine < 16 || c.MaxLine > flow.MaxBody {
		return errors.New("max_line must be between 16 bytes and 16MiB less one byte")
	}
	if c.Schedule != "" {
		if _, err := cron.ParseStandard(c.Schedule); err != nil {
			return fmt.Errorf("schedule: %w", err)
		}
	}
	return nil
}
