package host

import (
	"time"

	"golang.org/x/sys/unix"

	"collect/runtime/flow"
)

func info(name string, st *unix.Stat_t) flow.Info {
	return flow.Info{
		Name: name, Size: st.Size, Mode: mode(st.Mode), ModTime: time.Unix(st.Mtim.Unix()),
		Dev: uint64(st.Dev), Ino: st.Ino, Links: uint64(st.Nlink), UID: st.Uid,
	}
}
