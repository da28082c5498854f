package sim_test

import (
	"fmt"
	"strings"
)

// writer is another program on the machine, which makes the files that a source reads.
type writer interface {
	step()          // does something to them
	rest() []string // what is wrong with them when all is delivered
}

// logs are files that grow, and are rotated in all ways. Each file's content is a key of its own. What is cut or deleted was delivered
// before: else nobody could save it.
type logs struct {
	w     *world
	files []*log
}

type log struct {
	name string
	gen  int
	next uint64
	half string   // end of a line whose beginning is written
	old  []string // of this name, renamed
}

func newLogs(w *world) writer {
	return &logs{w: w, files: []*log{{name: "a"}, {name: "b"}}}
}

func (f *log) key() string  { return fmt.Sprintf("%s%d", f.name, f.gen) }
func (f *log) path() string { return "/logs/" + f.name + ".log" }

func (l *logs) step() {
	for _, f := range l.files {
		l.append(f)
		switch l.w.rand.IntN(7) {
		case 0:
			l.finish(f)
			l.w.say("log %s is renamed", f.key())
			old := fmt.Sprintf("%s.%d", f.path(), f.gen)
			l.w.disk.Move(f.path(), old)
			f.old = append(f.old, old)
			f.begin()
		case 1, 2:
			l.finish(f)
			if !l.delivered(f.key()) {
				continue
			}
			if l.w.rand.IntN(2) == 0 {
				l.w.say("log %s is cut", f.key())
				l.w.disk.Truncate(f.path())
			} else {
				l.w.say("log %s is deleted", f.key())
				l.w.disk.Delete(f.path())
			}
			f.begin()
		}
		if len(f.old) > 2 && l.delivered("") {
			l.w.disk.Delete(f.old[0])
			f.old = f.old[1:]
		}
	}
}

func (f *log) begin() { f.gen, f.next = f.gen+1, 0 }

// append adds lines, perhaps not all of the last.
func (l *logs) append(f *log) {
	l.finish(f)
	var text strings.Builder
	for range 1 + l.w.rand.IntN(60) {
		text.WriteString(line(f.key(), f.next) + "\n")
		f.next++
	}
	l.w.wrote(f.key(), f.next)
	if l.w.rand.IntN(3) == 0 {
		next := line(f.key(), f.next) + "\n"
		cut := l.w.rand.IntN(len(next))
		text.WriteString(next[:cut])
		f.half = next[cut:]
	}
	l.w.disk.Append(f.path(), []byte(text.String()))
}

// finish writes the end of a line that was begun.
func (l *logs) finish(f *log) {
	if f.half == "" {
		return
	}
	f.next++
	l.w.wrote(f.key(), f.next)
	l.w.disk.Append(f.path(), []byte(f.half))
	f.half = ""
}

// delivered says whether all that is written of a key is at its goals; "": of all keys.
func (l *logs) delivered(key string) bool { return l.w.arrived(key) }

func (l *logs) rest() []string { return nil }

// wrote notes that numbers below n were written where the source must find them.
func (w *world) wrote(key string, n uint64) {
	w.mu.Lock()
	w.limit[key], w.issued[key], w.acked[key] = n, n, n
	w.mu.Unlock()
}

// arrived says whether all that was written of a key is at its goals; "": of all keys.
func (w *world) arrived(key string) bool {
	for _, g := range w.goals {
		got, _ := w.visit(g)
		for _, k := range w.known() {
			if key != "" && k != key {
				continue
			}
			if lost, _ := w.missing(g, got, k); len(lost) > 0 {
				return false
			}
		}
	}
	return true
}

// drops are files that are put into a folder when they are complete.
type drops struct {
	w *world
	n int
}

func newDrops(w *world) writer {
	w.disk.Append("/spool/none.tmp", nil) // a file that nobody shall touch
	return &drops{w: w}
}

func (d *drops) step() {
	for range 1 + d.w.rand.IntN(3) {
		name := fmt.Sprintf("f%d", d.n)
		d.n++
		var text strings.Builder
		n := uint64(d.w.rand.IntN(150))
		for i := range n {
			text.WriteString(line(name, i))
			if i+1 < n || d.w.rand.IntN(2) == 0 { // the last line need not end
				text.WriteByte('\n')
			}
		}
		d.w.wrote(name, n)
		d.w.disk.Append("/spool/"+name+".tmp", []byte(text.String()))
		d.w.disk.Move("/spool/"+name+".tmp", "/spool/"+name)
	}
}

func (d *drops) rest() (wrong []string) {
	files := d.w.disk.Files("/spool")
	left := 1 // the one that nobody shall touch
	for i := range d.n {
		name := fmt.Sprintf("/spool/f%d", i)
		_, there := files[name]
		_, renamed := files[name+".COMPLETED"]
		if there != (d.w.done() == "track") || renamed != (d.w.done() == "rename") {
			wrong = append(wrong, fmt.Sprintf("%s: there %v, renamed %v (%s)", name, there, renamed, d.w.done()))
		}
		if there || renamed {
			left++
		}
	}
	if len(files) != left {
		wrong = append(wrong, fmt.Sprintf("%d files in the folder, %d have names that were given", len(files), left))
	}
	return wrong
}
