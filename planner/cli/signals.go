package cli

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// interrupts counts signals: the first lets running work end, the second ends at once.
type interrupts struct {
	ctx   context.Context // ends with the second signal, or when nobody listens any more
	first chan struct{}   // closed by the first
	stop  func()
}

// interrupts begins to listen for signals.
func (c *command) interrupts(parent context.Context) *interrupts {
	return c.listen(parent, "Interrupt received: running steps are finished, no other begins. Interrupt again to end at once.")
}

// outliveReader lets this process go on when nobody reads what it prints any more (apply | head -1): what has begun is finished. Processes
// that it starts do not inherit that.
func outliveReader() (forget func()) {
	unread := make(chan os.Signal, 1)
	signal.Notify(unread, syscall.SIGPIPE)
	return func() { signal.Stop(unread) }
}

func (c *command) listen(parent context.Context, text string) *interrupts {
	ctx, cancel := context.WithCancel(parent)
	i := &interrupts{ctx: ctx, first: make(chan struct{})}
	signals := c.deps.Signals
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
				close(i.first)
				if text != "" {
					fmt.Fprintln(c.err, "\n"+text)
					flushScreen(c.err)
				}
				continue
			}
			cancel()
			return
		}
	})
	i.stop = sync.OnceFunc(func() {
		forget()
		close(over)
		wg.Wait()
		cancel()
	})
	return i
}

// untilFirst gives a context that ends with the first signal, for work that changes nothing yet.
func (i *interrupts) untilFirst() (context.Context, func()) {
	ctx, cancel := context.WithCancel(i.ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		select {
		case <-i.first:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		cancel()
		<-done
	}
}

// second ends with the second signal.
func (i *interrupts) second() <-chan struct{} { return i.ctx.Done() }
