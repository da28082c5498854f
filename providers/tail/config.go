// Package tail is the source "tail": it follows files as they are written, through rotation, truncation and its own restarts.
//
// Polling is the truth; the system's hints about changes only wake the poller early. Each file has a random position key, noted
// together with what identifies the file (device, inode, hashes of its head and of the bytes before the position) and made durable
// before the first event of the file is emitted. A file is found again by device and inode and checked by its hashes; a file that
// was cut and began anew gets a new key.
package tail

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"collect/hclspec/schema"
	"collect/providers/internal/lines"
	"collect/runtime/flow"
)

// Config is what a user writes.
type Config struct {
	Include     []string      `collect:"include,required,path" doc:"Files to follow: paths with *, ?, [a-z], {a,b} and ** (any folders). A name without comma in braces, as in car-{car}.log, captures that part of one folder's or file's name into the header of that name. Links to files or folders are not followed behind the first wildcard."`
	Exclude     []string      `collect:"exclude" doc:"Patterns of files to leave out. One without a slash is compared with the file's name, others, which begin with / or **/, with the whole path."`
	StartAt     string        `collect:"start_at,enum=beginning|end" doc:"Where to begin in the files that are there at the very first start. Files that come later, also while the agent is down, are read from their beginning."`
	Encoding    string        `collect:"encoding,enum=utf-8|utf-16|utf-16be|euc-kr|cp949" doc:"Encoding of the text, turned into UTF-8; utf-16 is the one with the lower byte first. With utf-8 bytes are kept as they are."`
	MaxLine     schema.Bytes  `collect:"max_line" doc:"Longer lines are split between characters, and the parts marked. Counted in bytes of the file."`
	Multiline   *Multiline    `collect:"multiline" doc:"Joins lines to one event."`
	RotateWait  time.Duration `collect:"rotate_wait" doc:"How long a renamed or deleted file is followed after its last change; a half line at its end is emitted then, and marked."`
	Compression string        `collect:"compression,enum=auto|none" doc:"auto: files that end in .gz or .zst and are compressed are read uncompressed, once; one that holds what was read before its compression goes on there."`
	Delete      string        `collect:"delete,enum=never|after_ack" doc:"after_ack: delete a file that was read to its end and has not changed for rotate_wait, once all its events are acknowledged. Only for folders of finished files. With a durable channel that is before they are delivered."`
}

// Multiline is the multiline block.
type Multiline struct {
	FirstLine string        `collect:"first_line,required" doc:"Pattern of a line that begins an event; lines that do not match continue it."`
	Timeout   time.Duration `collect:"timeout" doc:"How long to wait for a line that continues the last event; 5s when it is not given."`
}

// Defaults gives the defaults.
func Defaults() Config {
	return Config{StartAt: "beginning", Encoding: "utf-8", MaxLine: 1 << 20, RotateWait: 5 * time.Second, Compression: "auto", Delete: "never"}
}

// About tells what the component is.
func About() schema.About {
	return schema.About{
		Doc: "Follows files as they are written: through renaming and truncating rotation, and over restarts, which go on at the last " +
			"acknowledged line. A half line waits for its end. A file is known by its inode; by its content only when it is compressed, or the " +
			"copy that a rotation made before it cut the file: one that is restored under another inode is read again. What a writer that " +
			"does not append leaves unwritten after a cut is left out. event.meta.file is the name under which a file was found first, " +
			"event.meta.offset the line's first byte.",
		Replay: schema.Replays,
		Files:  "include",
	}
}

const defaultMultilineTimeout = 5 * time.Second

// maxPattern bounds a regular expression's source.
const maxPattern = 4 << 10

// Validate checks what tags cannot say.
func (c Config) Validate() error {
	if len(c.Include) == 0 {
		return errors.New("include must name at least one file")
	}
	for _, text := range c.Include {
		if _, err := parsePattern(text); err != nil {
			return fmt.Errorf("include: %w", err)
		}
	}
	for _, text := range c.Exclude {
		if _, err := parseExclude(text); err != nil {
			return fmt.Errorf("exclude: %w", err)
		}
	}
	if c.MaxLine < 16 || c.MaxLine > flow.MaxBody {
		return errors.New("max_line must be between 16 bytes and 16MiB less one byte")
	}
	if _, err := lines.NewEncoding(c.Encoding); err != nil {
		return err
	}
	if c.Multiline != nil {
		if len(c.Multiline.FirstLine) > maxPattern {
			return errors.New("multiline.first_line is longer than 4096 bytes")
		}
		if _, err := regexp.Compile(c.Multiline.FirstLine); err != nil {
			return fmt.Errorf("multiline.first_line: %w", err)
		}
		if strings.HasPrefix(c.Encoding, "utf-16") {
			return errors.New("multiline cannot be used with a utf-16 encoding")
		}
	}
	return nil
}
