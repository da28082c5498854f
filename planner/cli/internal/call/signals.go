package call

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// Interrupts counts signals: the first lets running work end, the second ends at once.
type Interrupts struct {
	Ctx   context.Context // ends with the second signal, or when nobody listens any more
	First chan struct{}   // closed by the first
	Stop  func()          // ends listening
}

// Interrupts begins to listen for signals, for a command that carries out steps.
func (c *Call) Interrupts(parent context.Context) *Interrupts {
	return c.Listen(parent, "Interrupt received: running steps are finished, no other begins. Interrupt again to end at once.")
}

// OutliveReader lets this process go on when nobody reads what it prints any more (apply | head -1): what has begun is finished. Processes
// that it starts do not inherit that.
func OutliveReader() (forget func()) {
	unread := make(chan os.Signal, 1)
	signal.Notify(unread, syscall.SIGPIPE)
	return func() { signal.Stop(unread) }
}

// Listen begins to listen for signals. The first one shows text, where there is one.
func (c *Call) Listen(parent context.Context, text string) *Interrupts {
	ctx, cancel := context.WithCancel(parent)
	i := &Interrupts{Ctx: ctx, First: make(chan struct{})}
	signals := c.Deps.Signals
	forget := func() {}
	if signals == nil {
		own := make(chan os.Signal, 4)
		signal.Notify(own, os.Interrupt, syscall.SIGTERM)
		forget = func() { signal.Stop(own) }
		signals = own
	}
	over := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-over:
				return
			case <-signals:
			}
			if n == 0 {
				close(i.First)
				if text != "" {
					fmt.Fprintln(c.Err, "\n"+text)
					FlushScreen(c.Err)
				}
				continue
			}
			cancel()
			return
		}
	})
	i.Stop = sync.OnceFunc(func() {
		forget()
		close(over)
		wg.Wait()
		cancel()
	})
	return i
}

// UntilFirst gives a context that ends with the first signal, for work that changes nothing yet.
func (i *Interrupts) UntilFirst() (context.Context, func()) {
	ctx, cancel := context.WithCancel(i.Ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		select {
		case <-i.First:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		cancel()
		<-done
	}
}

// Second ends with the second signal.
func (i *Interrupts) Second() <-chan struct{} { return i.Ctx.Done() }

// KeepPrivate closes what this process makes to other users, whatever the caller's umask: libraries, too, write into the data directory.
func KeepPrivate() { syscall.Umask(0o077) }

// lastWait is how long the second signal waits for what it ended.
const lastWait = 2 * time.Second

// ErrEnded says that something was not waited for.
var ErrEnded = errors.New("ended by a second signal")

// Finish waits for something, and after the second signal only a moment longer.
func Finish(signals *Interrupts, run func() error) error {
	done := make(chan error, 1)
	go func() { done <- run() }()
	select {
	case err := <-done:
		return err
	case <-signals.Second():
	}
	select {
	case err := <-done:
		return err
	case <-time.After(lastWait):
		return ErrEnded
	}
}
