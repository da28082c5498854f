// Package journal is what a rolling sink writes down, so that a crash neither loses nor doubles a file: the roll that is about to be done
// with the batches that are delivered, and the temporary files that may exist.
package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"

	"collect/runtime/flow"
)

// IntentName is the name of the intent's file.
const IntentName = "intent"

const intentVersion = 1

// Intent is what a roll is about to do, and what was delivered before and with it.
type Intent struct {
	Version int          `json:"version"`
	Root    string       `json:"root"` // URL
	Files   []Move       `json:"files,omitempty"`
	Ranges  []batchRange `json:"delivered,omitempty"`
	Failed  []failures   `json:"failed,omitempty"`
}

// Done gives the batches that are delivered with it.
func (in *Intent) Done() *Delivered { return &Delivered{ranges: in.Ranges, failed: in.Failed} }

// Move is one rename inside a directory below the root.
type Move struct {
	Dir   string `json:"dir"`
	Temp  string `json:"temp"`
	Final string `json:"final"`
}

// WriteIntent replaces the intent durably: what is renamed below a root, and what is delivered with it.
func WriteIntent(dir flow.Dir, root string, files []Move, d *Delivered) error {
	in := Intent{Version: intentVersion, Root: root, Files: files, Ranges: d.ranges, Failed: d.failed}
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	return replaceFile(dir, IntentName, withSum(body))
}

// ReadIntent gives the intent that is written; without one an empty one.
func ReadIntent(dir flow.Dir) (Intent, error) {
	var in Intent
	raw, err := readFile(dir, IntentName)
	if errors.Is(err, fs.ErrNotExist) {
		return in, nil
	}
	if err != nil {
		return in, err
	}
	body, ok := checkSum(raw)
	if !ok {
		return in, fmt.Errorf("%s/%s is damaged: its checksum does not match", dir.Path(), IntentName)
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return in, fmt.Errorf("%s/%s: %w", dir.Path(), IntentName, err)
	}
	if in.Version != intentVersion {
		return in, fmt.Errorf("%s/%s has version %d, this program reads %d", dir.Path(), IntentName, in.Version, intentVersion)
	}
	return in, nil
}

// withSum puts a CRC32C in front of a line.
func withSum(body []byte) []byte {
	out := fmt.Appendf(nil, "%08x ", crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)))
	return append(append(out, body...), '\n')
}

func checkSum(line []byte) ([]byte, bool) {
	sum, body, ok := bytes.Cut(bytes.TrimSuffix(line, []byte("\n")), []byte(" "))
	if !ok || !bytes.HasSuffix(line, []byte("\n")) {
		return nil, false
	}
	return body, string(sum) == fmt.Sprintf("%08x", crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)))
}

// replaceFile writes a whole file: a new one, synced, is renamed over the old one, and the directory is synced.
func replaceFile(dir flow.Dir, name string, content []byte) error {
	temp := name + ".new"
	if err := dir.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := dir.Create(temp, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(content, 0)
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := dir.Rename(temp, dir, name); err != nil {
		return err
	}
	return dir.Sync()
}

func readFile(dir flow.Dir, name string) ([]byte, error) {
	f, err := dir.Open(name)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	buf := make([]byte, info.Size)
	n, err := f.ReadAt(buf, 0)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return buf[:n], errors.Join(err, f.Close())
}
