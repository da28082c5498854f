package disk

import (
	"errors"

	"collect/runtime/flow"
)

// Stored tells how much the directory of a channel holds that was not delivered: the events of the consumer that is farthest behind, and
// the bytes in use, as Stats tells them of the channel when it is open. It changes nothing and works beside whoever uses the channel.
// A directory without a channel holds nothing.
func Stored(dir flow.Dir) (events, bytes int64, err error) {
	rc, err := readDir(dir, true)
	if err != nil {
		return 0, 0, err
	}
	if rc.err != nil {
		return 0, 0, rc.err
	}
	if rc.lost > 0 {
		return 0, 0, errors.New("a segment has no readable head")
	}
	for _, s := range rc.segs {
		bytes += s.end
	}
	consumers := 0
	for _, s := range rc.cursors.slots {
		if s.kind != slotFree {
			consumers++
			events = max(events, int64(rc.before-min(rc.before, s.committed())))
		}
	}
	if consumers == 0 {
		events = int64(rc.before)
	}
	return events, bytes, nil
}
