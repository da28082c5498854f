package segment

import (
	"errors"
	"io"
	"syscall"
	"testing"

	"collect/runtime/flow"
)

// away is a file on a disk that reads nothing any more.
type away struct {
	flow.File
	size   int64
	stat   error
	beyond int // reads behind the end
}

func (f *away) Stat() (flow.Info, error) { return flow.Info{Size: f.size}, f.stat }

func (f *away) ReadAt(p []byte, off int64) (int, error) {
	if off < f.size {
		return 0, syscall.EIO
	}
	if f.beyond++; f.beyond > 100 {
		return 0, io.EOF // for a test that ends
	}
	return 0, syscall.EIO
}

func TestASearchOnADiskThatIsAwayEndsWithTheFile(t *testing.T) {
	t.Parallel()
	f := &away{size: 3*scanBlock + 100}
	if _, found, err := Find(Tolerant{f}, 1, HeadBytes); err != nil || found != -1 || f.beyond != 0 {
		t.Errorf("got %d, %v after %d reads behind the end, want -1 without an error and none", found, err, f.beyond)
	}
}

func TestADiskThatDoesNotEvenGiveASizeIsAnError(t *testing.T) {
	t.Parallel()
	f := &away{size: scanBlock, stat: syscall.EIO}
	if _, _, err := Find(Tolerant{f}, 1, HeadBytes); !errors.Is(err, syscall.EIO) {
		t.Errorf("got %v, want an I/O error", err)
	}
}
