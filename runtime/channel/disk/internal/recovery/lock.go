package recovery

import (
	"fmt"

	"collect/runtime/channel/disk/internal/segment"
	"collect/runtime/flow"
)

const lockName = "lock"

// Lock takes the lock that whoever changes the directory holds, until the file is closed.
func Lock(dir flow.Dir) (flow.File, error) {
	f, err := dir.OpenWrite(lockName, true, segment.Perm)
	if err != nil {
		return nil, err
	}
	ok, err := f.Lock()
	if err == nil && !ok {
		err = fmt.Errorf("%s is in use by another process or another channel", dir.Path())
	}
	if err != nil {
		_ = f.Close() // nothing was written
		return nil, err
	}
	return f, nil
}
