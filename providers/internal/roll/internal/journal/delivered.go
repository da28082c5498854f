package journal

import (
	"cmp"
	"encoding/hex"
	"errors"
	"slices"

	"collect/runtime/flow"
)

const (
	maxRanges   = 16384 // of the newest; older batches were committed in their channel long ago
	maxFailures = 1024  // batches, for the same reason; far fewer can be without an end at once
)

// batchRange is a range of delivered batches of one opening of a channel.
type batchRange struct {
	Channel string `json:"channel"`
	Epoch   uint64 `json:"epoch"`
	Lo      uint64 `json:"lo"`
	Hi      uint64 `json:"hi"`
}

// failures are the events of a delivered batch that no file could take. They are remembered because a crash may come before they are
// in the dead-letter channel: then the batch comes again, and they must be told again.
type failures struct {
	Batch  batchRange `json:"batch"`
	Events []failure  `json:"events"`
}

type failure struct {
	Index int    `json:"index"`
	Why   string `json:"why"`
}

// Delivered is the set of batches whose events are in final files.
type Delivered struct {
	ranges []batchRange // sorted, not touching
	failed []failures   // the newest last
}

func rangeOf(id flow.ID) batchRange {
	return batchRange{Channel: hex.EncodeToString(id.Channel[:]), Epoch: id.Epoch, Lo: id.Seq, Hi: id.Seq}
}

func compareRange(a, b batchRange) int {
	return cmp.Or(cmp.Compare(a.Channel, b.Channel), cmp.Compare(a.Epoch, b.Epoch), cmp.Compare(a.Lo, b.Lo))
}

// Has says whether a batch is in it.
func (d *Delivered) Has(id flow.ID) bool {
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

// With gives the set with more batches. The receiver stays as it is.
func (d *Delivered) With(ids []flow.ID) *Delivered {
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
	return &Delivered{ranges: trim(out), failed: d.failed}
}

// Note adds the events of a batch that no file could take.
func (d *Delivered) Note(id flow.ID, failed []flow.EventResult) {
	if id == (flow.ID{}) || len(failed) == 0 {
		return
	}
	f := failures{Batch: rangeOf(id)}
	for _, e := range failed {
		f.Events = append(f.Events, failure{Index: e.Index, Why: e.Err.Error()})
	}
	d.failed = append(slices.Clone(d.failed[max(len(d.failed)-maxFailures+1, 0):]), f)
}

// Failures gives those events of a delivered batch.
func (d *Delivered) Failures(id flow.ID) (out []flow.EventResult) {
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
func trim(ranges []batchRange) []batchRange {
	if len(ranges) <= maxRanges {
		return ranges
	}
	byAge := slices.Clone(ranges)
	slices.SortFunc(byAge, func(a, b batchRange) int { return cmp.Or(cmp.Compare(a.Epoch, b.Epoch), cmp.Compare(a.Lo, b.Lo)) })
	byAge = byAge[len(byAge)-maxRanges/2:]
	slices.SortFunc(byAge, compareRange)
	return byAge
}
