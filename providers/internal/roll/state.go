package roll

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"slices"

	"collect/runtime/flow"
)

// intent is what a roll is about to do, and what was delivered before and with it.
type intent struct {
	Version   int        `json:"version"`
	Root      string     `json:"root"` // URL
	Files     []move     `json:"files,omitempty"`
	Delivered []seqRange `json:"delivered,omitempty"`
	Failed    []failures `json:"failed,omitempty"`
}

// failures are the events of a delivered batch that no file could take. They are remembered because a crash may come before they are
// in the dead-letter channel: then the batch comes again, and they must be told again.
type failures struct {
	Batch  seqRange  `json:"batch"`
	Events []failure `json:"events"`
}

type failure struct {
	Index int    `json:"index"`
	Why   string `json:"why"`
}

// move is one rename inside a directory below the root.
type move struct {
	Dir   string `json:"dir"`
	Temp  string `json:"temp"`
	Final string `json:"final"`
}

// seqRange is a range of delivered batches of one opening of a channel.
type seqRange struct {
	Channel string `json:"channel"`
	Epoch   uint64 `json:"epoch"`
	Lo      uint64 `json:"lo"`
	Hi      uint64 `json:"hi"`
}

const (
	intentName    = "intent"
	tempsName     = "temps"
	intentVersion = 1
	maxRanges     = 16384 // of the newest; older batches were committed in their channel long ago
	maxFailures   = 1024  // batches, for the same reason; far fewer can be without an end at once
)

// delivered is the set of batches whose events are in final files.
type delivered struct {
	ranges []seqRange // sorted, not touching
	failed []failures // the newest last
}

func rangeOf(id flow.ID) seqRange {
	return seqRange{Channel: hex.EncodeToString(id.Channel[:]), Epoch: id.Epoch, Lo: id.Seq, Hi: id.Seq}
}

func compareRange(a, b seqRange) int {
	return cmp.Or(cmp.Compare(a.Channel, b.Channel), cmp.Compare(a.Epoch, b.Epoch), cmp.Compare(a.Lo, b.Lo))
}

func (d *delivered) has(id flow.ID) bool {
	if id == (flow.ID{}) || len(d.ranges) == 0 {
		return false
	}
	r := rangeOf(id)
	i, exact := slices.BinarySearchFunc(d.ranges, r, compareRange)
	if exact {
		return true
	}
	if i == 0 {
		return false
	}
	p := d.ranges[i-1]
	return p.Channel == r.Channel && p.Epoch == r.Epoch && p.Hi >= r.Lo
}

// with gives the set with more batches. The receiver stays as it is.
func (d *delivered) with(ids []flow.ID) *delivered {
	all := slices.Clone(d.ranges)
	for _, id := range ids {
		if id != (flow.ID{}) {
			all = append(all, rangeOf(id))
		}
	}
	slices.SortFunc(all, compareRange)
	out := all[:0]
	for _, r := range all {
		if n := len(out); n > 0 && out[n-1].Channel == r.Channel && out[n-1].Epoch == r.Epoch && r.Lo <= out[n-1].Hi+1 {
			out[n-1].Hi = max(out[n-1].Hi, r.Hi)
			continue
		}
		out = append(out, r)
	}
	return &delivered{ranges: trim(out), failed: d.failed}
}

// note adds the events of a batch that no file could take.
func (d *delivered) note(id flow.ID, failed []flow.EventResult) {
	if id == (flow.ID{}) || len(failed) == 0 {
		return
	}
	f := failures{Batch: rangeOf(id)}
	for _, e := range failed {
		f.Events = append(f.Events, failure{Index: e.Index, Why: e.Err.Error()})
	}
	d.failed = append(slices.Clone(d.failed[max(len(d.failed)-maxFailures+1, 0):]), f)
}

// failures gives those events of a delivered batch.
func (d *delivered) failures(id flow.ID) (out []flow.EventResult) {
	r := rangeOf(id)
	for _, f := range d.failed {
		if f.Batch != r {
			continue
		}
		for _, e := range f.Events {
			out = append(out, flow.EventResult{Index: e.Index, Err: flow.Permanent(errors.New(e.Why))})
		}
	}
	return out
}

// trim drops the oldest ranges when there are too many: those of the lowest epochs, then of the lowest sequences.
func trim(ranges []seqRange) []seqRange {
	if len(ranges) <= maxRanges {
		return ranges
	}
	byAge := slices.Clone(ranges)
	slices.SortFunc(byAge, func(a, b seqRange) int { return cmp.Or(cmp.Compare(a.Epoch, b.Epoch), cmp.Compare(a.Lo, b.Lo)) })
	byAge = byAge[len(byAge)-maxRanges/2:]
	slices.SortFunc(byAge, compareRange)
	return byAge
}

// writeIntent replaces the intent durably.
func writeIntent(dir flow.Dir, in intent) error {
	in.Version = intentVersion
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	return replaceFile(dir, intentName, withSum(body))
}

func readIntent(dir flow.Dir) (intent, error) {
	var in intent
	raw, err := readFile(dir, intentName)
	if errors.Is(err, fs.ErrNotExist) {
		return in, nil
	}
	if err != nil {
		return in, err
	}
	body, ok := checkSum(raw)
	if !ok {
		return in, fmt.Errorf("%s/%s is damaged: its checksum does not match", dir.Path(), intentName)
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return in, fmt.Errorf("%s/%s: %w", dir.Path(), intentName, err)
	}
	if in.Version != intentVersion {
		return in, fmt.Errorf("%s/%s has version %d, this program reads %d", dir.Path(), intentName, in.Version, intentVersion)
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

// temps is the list of temporary files that may exist, on disk before the files are made.
type temps struct {
	file   flow.File
	size   int64
	n      int
	broken bool // an addition failed: what the medium holds now is unknown
}

type tempLine struct {
	Root string `json:"root"`
	Dir  string `json:"dir"`
	Name string `json:"name"`
}

// readTemps gives the temporary files of an earlier run. A torn last line belongs to a file that was never made.
func readTemps(dir flow.Dir) ([]tempLine, error) {
	raw, err := readFile(dir, tempsName)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var out []tempLine
	for line := range bytes.Lines(raw) {
		body, ok := checkSum(line)
		var t tempLine
		if !ok || json.Unmarshal(body, &t) != nil {
			continue
		}
		out = append(out, t)
	}
	return out, nil
}

// openTemps begins a new list that holds the files that may exist.
func openTemps(dir flow.Dir, exist []tempLine) (*temps, error) {
	var content []byte
	for _, t := range exist {
		line, err := t.line()
		if err != nil {
			return nil, err
		}
		content = append(content, line...)
	}
	if err := replaceFile(dir, tempsName, content); err != nil {
		return nil, err
	}
	f, err := dir.OpenWrite(tempsName, false, 0o600)
	if err != nil {
		return nil, err
	}
	return &temps{file: f, size: int64(len(content)), n: len(exist)}, nil
}

func (t tempLine) line() ([]byte, error) {
	body, err := json.Marshal(t)
	return withSum(body), err
}

// add records a file that is about to be made.
func (t *temps) add(one tempLine) error {
	line, err := one.line()
	if err != nil {
		return err
	}
	_, err = t.file.WriteAt(line, t.size)
	if err == nil {
		err = t.file.Sync()
	}
	if err != nil {
		t.broken = true
		return err
	}
	t.size += int64(len(line))
	t.n++
	return nil
}

func (t *temps) close() error { return t.file.Close() }
