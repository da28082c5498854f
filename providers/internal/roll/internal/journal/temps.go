package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"

	"collect/runtime/flow"
)

const tempsName = "temps"

// maxTemps is how long the list of temporary files may become before it is begun anew.
const maxTemps = 1000

// Temps is the list of temporary files that may exist, on disk before the files are made.
type Temps struct {
	file   flow.File
	size   int64
	n      int
	broken bool // an addition failed: what the medium holds now is unknown
}

// Temp is a temporary file.
type Temp struct {
	Root string `json:"root"`
	Dir  string `json:"dir"`
	Name string `json:"name"`
}

// ReadTemps gives the temporary files of an earlier run. A torn last line belongs to a file that was never made.
func ReadTemps(dir flow.Dir) ([]Temp, error) {
	raw, err := readFile(dir, tempsName)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var out []Temp
	for line := range bytes.Lines(raw) {
		body, ok := checkSum(line)
		var t Temp
		if !ok || json.Unmarshal(body, &t) != nil {
			continue
		}
		out = append(out, t)
	}
	return out, nil
}

// OpenTemps begins a new list that holds the files that may exist.
func OpenTemps(dir flow.Dir, exist []Temp) (*Temps, error) {
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
	return &Temps{file: f, size: int64(len(content)), n: len(exist)}, nil
}

func (t Temp) line() ([]byte, error) {
	body, err := json.Marshal(t)
	return withSum(body), err
}

// Add records a file that is about to be made.
func (t *Temps) Add(one Temp) error {
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

// Close closes the list.
func (t *Temps) Close() error { return t.file.Close() }

// Worn says whether the list is to be begun anew: it is long, or what the medium holds of it is unknown.
func (t *Temps) Worn() bool { return t.n >= maxTemps || t.broken }

// ClearTemps empties the list of a sink that leaves no temporary file.
func ClearTemps(dir flow.Dir) error { return replaceFile(dir, tempsName, nil) }
