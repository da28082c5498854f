package disk

import (
	"math"
	"slices"
	"strings"

	"collect/runtime/flow"
)

// dumpKept gives what can be read again in segments that were kept for it.
func dumpKept(dir flow.Dir, infos []flow.Info, w walker) error {
	pieces := map[uint64][]piece{}
	for _, info := range infos {
		if number, off, ok := unreadPiece(info.Name); ok {
			pieces[number] = append(pieces[number], piece{off: off, to: off + info.Size})
		}
	}
	for _, info := range infos {
		number, ok := segmentNumber(strings.TrimSuffix(info.Name, badSuffix))
		if !ok || !strings.HasSuffix(info.Name, badSuffix) || pieces[number] == nil {
			continue
		}
		h, err := readHeadOf(dir, info.Name)
		if err != nil {
			continue // it was set aside for its head
		}
		w.seg, w.only = &segment{head: h, name: info.Name, last: math.MaxUint64}, pieces[number]
		if _, err := w.run(&Report{}); err != nil || w.stopped {
			return err
		}
	}
	return nil
}

func readHeadOf(dir flow.Dir, name string) (head, error) {
	f, err := dir.Open(name)
	if err != nil {
		return head{}, err
	}
	defer f.Close()
	return readHead(f)
}

// wants says whether the frame at an offset is to be yielded.
func (w *walker) wants(at int64) bool {
	return w.only == nil || slices.ContainsFunc(w.only, func(p piece) bool { return p.off <= at && at < p.to })
}
