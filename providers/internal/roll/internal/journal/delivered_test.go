package journal

import (
	"testing"

	"collect/runtime/flow"
)

func TestRangesOfDeliveredBatches(t *testing.T) {
	id := func(ch byte, epoch, seq uint64) flow.ID {
		return flow.ID{Channel: [16]byte{ch}, Epoch: epoch, Seq: seq}
	}
	d := &Delivered{}
	d = d.With([]flow.ID{id(1, 1, 5), id(1, 1, 3), id(1, 1, 4), id(2, 1, 4), id(1, 2, 6), {}})
	if len(d.ranges) != 3 {
		t.Errorf("%+v", d.ranges)
	}
	for _, tc := range []struct {
		id   flow.ID
		want bool
	}{
		{id(1, 1, 3), true},
		{id(1, 1, 4), true},
		{id(1, 1, 5), true},
		{id(1, 1, 2), false},
		{id(1, 1, 6), false},
		{id(1, 2, 6), true},
		{id(1, 2, 5), false},
		{id(2, 1, 4), true},
		{id(3, 1, 4), false},
		{flow.ID{}, false},
	} {
		if d.Has(tc.id) != tc.want {
			t.Errorf("%v: %v", tc.id, !tc.want)
		}
	}
	for i := range uint64(3 * maxRanges) { // gaps everywhere
		if i%1000 == 0 || i > 3*maxRanges-10 {
			d = d.With([]flow.ID{id(1, 3, 2*i)})
		}
	}
	if !d.Has(id(1, 3, 2*(3*maxRanges-1))) || len(d.ranges) > maxRanges {
		t.Errorf("%d ranges", len(d.ranges))
	}
}
