package inspect

import (
	"math"
	"slices"
	"strings"

	"collect/runtime/channel/disk/internal/frame"
	"collect/runtime/channel/disk/internal/segment"
	"collect/runtime/flow"
)

// dumpKept gives what can be read again in segments that were kept for it.
func dumpKept(dir flow.Dir, infos []flow.Info, w walker) error {
	pieces := map[uint64][]segment.Piece{}
	for _, info := range infos {
		if number, off, ok := segment.UnreadPiece(info.Name); ok {
			pieces[number] = append(pieces[number], segment.Piece{Off: off, To: off + info.Size})
		}
	}
	for _, info := range infos {
		number, ok := segment.Number(strings.TrimSuffix(info.Name, segment.BadSuffix))
		if !ok || !strings.HasSuffix(info.Name, segment.BadSuffix) || pieces[number] == nil {
			continue
		}
		h, err := readHeadOf(dir, info.Name)
		if err != nil {
			continue // it was set aside for its head
		}
		w.seg, w.only = &segment.Segment{Head: h, Name: info.Name, Last: math.MaxUint64}, pieces[number]
		if _, err := w.run(&flow.ChannelReport{}); err != nil || w.stopped {
			return err
		}
	}
	return nil
}

func readHeadOf(dir flow.Dir, name string) (segment.Head, error) {
	f, err := dir.Open(name)
	if err != nil {
		return segment.Head{}, err
	}
	defer f.Close()
	return segment.ReadHead(f)
}

// wants says whether a frame is to be yielded.
func (w *walker) wants(h *frame.Header, at int64) bool {
	if w.only != nil {
		return slices.ContainsFunc(w.only, func(p segment.Piece) bool { return p.Off <= at && at < p.To })
	}
	return w.all || w.waits(h.Seq)
}
