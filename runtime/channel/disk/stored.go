package disk

import (
	"errors"

	"collect/runtime/channel/disk/internal/cursor"
	"collect/runtime/channel/disk/internal/recovery"
	"collect/runtime/flow"
)

// Stored tells how much the directory of a channel holds that was not delivered: the events of the consumer that is farthest behind, and
// the bytes in use, as Stats tells them of the channel when it is open. It changes nothing and works beside whoever uses the channel.
// A directory without a channel holds nothing.
func Stored(dir flow.Dir) (events, bytes int64, err error) {
	rc, err := recovery.Read(dir, true)
	if err != nil {
		return 0, 0, err
	}
	if rc.Err != nil {
		return 0, 0, rc.Err
	}
	if rc.Lost > 0 {
		return 0, 0, errors.New("a segment has no readable head")
	}
	for _, s := range rc.Segs {
		bytes += s.End
	}
	consumers := 0
	for _, s := range rc.Cursors.Slots {
		if s.Kind != cursor.Free {
			consumers++
			events = max(events, int64(rc.Before-min(rc.Before, s.Committed())))
		}
	}
	if consumers == 0 {
		events = int64(rc.Before)
	}
	return events, bytes, nil
}
