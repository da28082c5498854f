package host

import (
	"context"
	"fmt"

	"github.com/fsnotify/fsnotify"

	"collect/runtime/flow"
)

// watcher turns the events of the system into one hint: a change between two calls of Wait is one, however many there were.
type watcher struct {
	w    *fsnotify.Watcher
	hint chan struct{}
	done chan struct{} // closed when the pump has ended
}

var _ flow.Watcher = (*watcher)(nil)

func (fileSystem) Watch() (flow.Watcher, error) {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("watch for changes: %w", err)
	}
	out := &watcher{w: w, hint: make(chan struct{}, 1), done: make(chan struct{})}
	go out.pump()
	return out, nil
}

// pump ends when the watcher is closed. An error, such as an overflow, means that something changed that we did not see: also
// a hint.
func (w *watcher) pump() {
	defer close(w.done)
	for {
		select {
		case _, ok := <-w.w.Events:
			if !ok {
				return
			}
		case _, ok := <-w.w.Errors:
			if !ok {
				return
			}
		}
		select {
		case w.hint <- struct{}{}:
		default:
		}
	}
}

func (w *watcher) Add(path string) error {
	if err := w.w.Add(path); err != nil {
		return fmt.Errorf("watch %s: %w", path, err)
	}
	return nil
}

func (w *watcher) Remove(path string) error {
	if err := w.w.Remove(path); err != nil {
		return fmt.Errorf("stop watching %s: %w", path, err)
	}
	return nil
}

func (w *watcher) Wait(ctx context.Context) error {
	select {
	case <-w.hint:
		return nil
	case <-w.done:
		return flow.ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (w *watcher) Close() error {
	err := w.w.Close()
	<-w.done
	return err
}
