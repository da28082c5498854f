// Package watched opens files that others write, and recognises them again: for the sources that read files.
//
// Names come from folders that others may write, so a name is never trusted: files are opened through a handle of their folder,
// links are not followed, nothing but a regular file is opened, and what counts is what the open handle says.
package watched

import (
	"errors"
	"fmt"
	"io/fs"

	"collect/runtime/flow"
)

// Guard refuses files that somebody else may have put into a shared folder.
type Guard struct {
	own   uint32 // the agent's user
	known bool
}

// NewGuard makes a guard. It learns who the agent is from the folder that is the component's own.
func NewGuard(env flow.Env) Guard {
	if env.Dir == "" {
		return Guard{}
	}
	d, err := env.FS.OpenDir(env.Dir)
	if err != nil {
		return Guard{}
	}
	info, err := d.Stats()
	if err = errors.Join(err, d.Close()); err != nil {
		return Guard{}
	}
	return Guard{own: info.UID, known: true}
}

// ErrRefused is given for files that are not read for reasons of security.
var ErrRefused = errors.New("refused")

// Open opens a file for reading. In a folder that its group or everybody may write, the file must have one name only and belong
// to the folder's owner or to the agent's user: else somebody could have us read what he may not. In a folder that only another user may
// write, it must have one name only or belong to him.
func (g Guard) Open(d flow.Dir, name string) (flow.File, flow.Info, error) {
	f, err := d.Open(name)
	if err != nil {
		return nil, flow.Info{}, err
	}
	info, err := f.Stat()
	if err == nil {
		err = g.check(d, info)
	}
	if err != nil {
		return nil, flow.Info{}, errors.Join(err, f.Close())
	}
	return f, info, nil
}

// checkOfOwner looks at a file in a folder that only its owner may write. An owner who is neither root nor the agent's user could have
// given a second name to a file that he may not read himself.
func (g Guard) checkOfOwner(d flow.Dir, folder, file flow.Info) error {
	trusted := folder.UID == 0 || g.known && folder.UID == g.own
	if trusted || file.Links <= 1 || file.UID == folder.UID {
		return nil
	}
	return fmt.Errorf("%w: %s/%s has a second name and belongs to user %d, the folder to user %d", ErrRefused, d.Path(), file.Name, file.UID, folder.UID)
}

const writableByOthers fs.FileMode = 0o022

func (g Guard) check(d flow.Dir, file flow.Info) error {
	if !file.Mode.IsRegular() {
		return fmt.Errorf("%w: %s/%s is not a regular file", ErrRefused, d.Path(), file.Name)
	}
	folder, err := d.Stats()
	if err != nil {
		return err
	}
	if folder.Mode&writableByOthers == 0 {
		return g.checkOfOwner(d, folder, file)
	}
	if file.Links > 1 {
		return fmt.Errorf("%w: %s/%s has a second name, and others may write the folder", ErrRefused, d.Path(), file.Name)
	}
	if file.UID != folder.UID && !(g.known && file.UID == g.own) {
		return fmt.Errorf("%w: %s/%s belongs to user %d, and others may write the folder", ErrRefused, d.Path(), file.Name, file.UID)
	}
	return nil
}
