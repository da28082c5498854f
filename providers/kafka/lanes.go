package kafka

import (
	"errors"
	"fmt"
	"slices"
	"sync"
)

// lanes finds out which batches are delivered by counting the reports of each partition, without asking what record a report is
// about: to let the library remember that costs a fifth of what it takes to send a record.
//
// That is sound where the client is idempotent and all records of a lane have the same partition, chosen by us. The broker then
// takes them in the order in which they were sent, and no later one without all earlier ones; so n reports of success mean that
// the first n records of the lane are there. The first report of a failure ends the counting, for nobody knows what record it is
// about: everything that is not delivered yet fails, and is sent again.
type lanes struct {
	// of the goroutine that sends
	current *lane
	touched []*lane // by this batch; nearly always one

	// of the goroutine that reads reports
	last  *lane
	count int64 // successes of the last lane that are not in its done yet

	mu   sync.Mutex // guards all below, and what lanes say it guards
	byID map[int32]*lane
	err  error // why nothing is counted any more
}

// lane is the way to one partition.
type lane struct {
	partition int32
	sent      int64 // of the sender: records so far
	fresh     int32 // of the sender: records of the batch being sent
	offset    int64 // of the reader: the last record's, to see that they go up

	// guarded by lanes.mu
	done int64
	open []stretch
}

// stretch is the part of a batch that went into one lane.
type stretch struct {
	in  *inflight
	n   int32
	end int64 // how many records of the lane are there when it is delivered
}

func newLanes() *lanes { return &lanes{byID: map[int32]*lane{}} }

// turn makes partition the one that records go to.
func (l *lanes) turn(partition int32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.current = l.byID[partition]; l.current == nil {
		l.current = &lane{partition: partition, offset: -1}
		l.byID[partition] = l.current
	}
}

// sent counts a record that the client took. Its report may be read before.
func (l *lanes) sent() {
	ln := l.current
	if ln.fresh == 0 {
		l.touched = append(l.touched, ln)
	}
	ln.fresh++
	ln.sent++
}

// close ends a batch: from now on reports can complete it.
func (l *lanes) close(in *inflight) {
	for _, ln := range l.touched {
		l.mu.Lock()
		ln.open = append(ln.open, stretch{in: in, n: ln.fresh, end: ln.sent})
		l.mu.Unlock()
		ln.fresh = 0
		l.settle(ln, 0)
	}
	l.touched = l.touched[:0]
}

// errOrder is a report that cannot be.
var errOrder = errors.New("the offsets of a partition went back")

// delivered counts a success. The offset is negative where the broker did not tell it.
func (l *lanes) delivered(partition int32, offset int64) error {
	if l.last == nil || l.last.partition != partition {
		l.tell()
		l.last = l.find(partition)
		if l.last == nil {
			return fmt.Errorf("a report for partition %d, where nothing was sent", partition)
		}
	}
	if offset >= 0 {
		if offset <= l.last.offset {
			return errOrder
		}
		l.last.offset = offset
	}
	l.count++
	return nil
}

// failed notes that a record did not arrive.
func (l *lanes) failed(err error) {
	l.tell() // what was delivered before counts
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		l.err = err
	}
}

func (l *lanes) find(partition int32) *lane {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.byID[partition]
}

// tell makes successes that are only counted complete batches.
func (l *lanes) tell() {
	if l.count > 0 {
		n := l.count
		l.count = 0
		l.settle(l.last, n)
	}
}

// settle adds successes to a lane and ends the batches that this completes.
func (l *lanes) settle(ln *lane, n int64) {
	l.mu.Lock()
	if l.err == nil {
		ln.done += n
	}
	k := 0
	for k < len(ln.open) && ln.open[k].end <= ln.done {
		k++
	}
	ended := slices.Clone(ln.open[:k])
	ln.open = slices.Delete(ln.open, 0, k)
	l.mu.Unlock()
	for _, s := range ended {
		s.in.report(s.n)
	}
}

// giveUp fails what is not delivered. The client is closed, and all its reports are read.
func (l *lanes) giveUp() {
	l.tell()
	l.mu.Lock()
	all, err := l.byID, l.err
	l.byID, l.current, l.last = map[int32]*lane{}, nil, nil
	l.mu.Unlock()
	if err == nil {
		err = errGivenUp
	}
	for _, ln := range all {
		for _, s := range ln.open {
			s.in.lost(err)
			s.in.report(s.n)
		}
	}
}
