package disk_test

import (
	"testing"

	"collect/runtime/channel/disk"
)

func TestStoredTellsWhatAClosedChannelHoldsUndelivered(t *testing.T) {
	t.Parallel()
	if events, bytes, err := disk.Stored(openDir(t, t.TempDir())); events != 0 || bytes != 0 || err != nil {
		t.Errorf("a directory without a channel: %d events, %d bytes, %v", events, bytes, err)
	}
	b, _ := filled(t, 5)
	b.open()
	b.take(1)
	b.close()
	events, bytes, err := disk.Stored(openDir(t, b.dir))
	if err != nil {
		t.Fatal(err)
	}
	b.open()
	open := b.ch.Stats()
	b.close()
	if events != 80 || events != open.Events || bytes == 0 {
		t.Errorf("%d events, %d bytes; open it has %d events, %d bytes", events, bytes, open.Events, open.Bytes)
	}
}
