package supervisor

import (
	"bytes"
	"context"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"collect/runtime/supervisor/api"
	"collect/runtime/supervisor/internal/process"
)

// The pauses before a process that has ended is started again.
const (
	firstPause = time.Second
	maxPause   = 30 * time.Second
	healthyRun = time.Minute // a run of this length makes the next pause the first again
	quickEnd   = 5 * time.Second
)

// unit is one process that is watched: an agent, or the development broker.
type unit struct {
	id, address string
	dir         string
	lock        string
	log         *slog.Logger
	prepare     func() (process.Command, error) // what to start, from the files as they are now
	turn        chan struct{}                   // holds one token: an operation on the unit takes it
	wake        chan struct{}                   // tells the minder that want has changed
	quit        context.CancelFunc              // ends the minding

	mu       sync.Mutex // guards all below
	want     bool
	emptying bool // a process that is started now only delivers what the channels hold
	proc     *process.Process
	restarts int
	quick    int // ends soon after a start, in a row
	lastExit string
	next     time.Time
	obtains  bool          // a process is being looked for or started
	changed  chan struct{} // closed at every change
}

func newUnit(id, address, dir string, log *slog.Logger) *unit {
	u := &unit{
		id: id, address: address, dir: dir, lock: dir + "/lock", log: log.With("unit", address),
		turn: make(chan struct{}, 1), wake: make(chan struct{}, 1), changed: make(chan struct{}),
	}
	u.turn <- struct{}{}
	return u
}

// begin waits for the unit's turn: operations on one unit follow each other. end gives it back.
func (u *unit) begin(ctx context.Context) (end func(), err error) {
	select {
	case <-u.turn:
		return func() { u.turn <- struct{}{} }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// mind keeps true what is wanted of the unit until ctx ends. What runs then goes on.
func (u *unit) mind(ctx context.Context) {
	fails := 0
	for ctx.Err() == nil {
		select {
		case <-u.wake: // what it told is looked at now
		default:
		}
		if !u.take() {
			fails = 0
			u.pause(ctx, 0)
			continue
		}
		began, planned := time.Now(), false
		p, err := u.obtain()
		if err == nil {
			planned, err = u.follow(ctx, p)
		}
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			u.log.Error("cannot run", "err", err)
			u.set(func() { u.lastExit, u.obtains = err.Error(), false })
		}
		if planned || !u.wanted() {
			continue
		}
		if time.Since(began) >= healthyRun {
			fails = 0
		}
		quick := time.Since(began) < quickEnd
		pause := restartPause(fails)
		fails++
		u.set(func() {
			u.restarts++
			u.next = time.Now().Add(pause)
			if u.quick++; !quick {
				u.quick = 0
			}
		})
		u.log.Warn("starts again", "last_exit", u.status().LastExit, "pause", pause)
		if woken := u.pause(ctx, pause); woken {
			fails = 0
		}
		u.set(func() { u.next = time.Time{} })
	}
}

// restartPause doubles, and is between half and the whole of that, so that many do not start at once.
func restartPause(fails int) time.Duration {
	d := maxPause
	if fails < 5 {
		d = min(firstPause<<fails, maxPause)
	}
	return d/2 + rand.N(d/2)
}

// pause waits; 0 waits until woken.
func (u *unit) pause(ctx context.Context, d time.Duration) (woken bool) {
	var after <-chan time.Time
	if d > 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		after = t.C
	}
	select {
	case <-u.wake:
		return true
	case <-after:
	case <-ctx.Done():
	}
	return false
}

// obtain gives the running process: the one that holds the lock already, or a new one.
func (u *unit) obtain() (*process.Process, error) {
	h, held, err := api.Probe(u.lock)
	if err != nil {
		return nil, err
	}
	if held {
		p, err := process.Adopt(h)
		if err != nil {
			return nil, err
		}
		if p != nil {
			u.log.Info("adopted", "pid", p.PID)
			return p, nil
		}
	}
	c, err := u.prepare()
	if err != nil {
		return nil, err
	}
	p, err := process.Spawn(c)
	if err == nil {
		u.log.Info("started", "pid", p.PID)
	}
	return p, err
}

// follow waits for the end of a process, and says whether it was asked to end.
func (u *unit) follow(ctx context.Context, p *process.Process) (planned bool, err error) {
	u.set(func() { u.proc, u.obtains = p, false })
	over, err := p.Watch(ctx)
	if !over && err == nil {
		return false, nil // ctx has ended, the process has not
	}
	p.Close()
	if over {
		u.log.Info("ended", "pid", p.PID, "how", p.Exit)
	}
	u.set(func() {
		u.proc, planned = nil, !u.want
		if over {
			u.lastExit = p.Exit
		}
	})
	return planned, err
}

// gone waits until the minder knows that a process has ended.
func (u *unit) gone(ctx context.Context, p *process.Process) error {
	for {
		u.mu.Lock()
		now, changed := u.proc, u.changed
		u.mu.Unlock()
		if now != p {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (u *unit) set(f func()) {
	u.mu.Lock()
	defer u.mu.Unlock()
	f()
	close(u.changed)
	u.changed = make(chan struct{})
}

// empties says whether a new process shall only deliver what the channels hold.
func (u *unit) empties() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.emptying
}

// take begins to look for the process if it is wanted.
func (u *unit) take() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.obtains = u.want
	return u.want
}

// settled gives the process that runs, nil if none does, when it is sure that no other is on its way.
func (u *unit) settled(ctx context.Context) (*process.Process, error) {
	for {
		u.mu.Lock()
		p, obtains, changed := u.proc, u.obtains, u.changed
		u.mu.Unlock()
		if !obtains {
			return p, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (u *unit) wanted() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.want
}

func (u *unit) setWant(want bool) {
	u.set(func() { u.want = want })
	select {
	case u.wake <- struct{}{}:
	default: // one call is waiting already
	}
}

func (u *unit) status() api.Supervised {
	u.mu.Lock()
	defer u.mu.Unlock()
	s := api.Supervised{ID: u.id, Address: u.address, State: api.Stopped, Restarts: u.restarts, LastExit: u.lastExit, NextTry: u.next, Quick: u.quick}
	switch {
	case u.proc != nil:
		s.State, s.PID, s.Since, s.Adopted = api.Running, u.proc.PID, u.proc.Since, u.proc.Adopted()
	case u.want && !u.next.IsZero():
		s.State = api.Crashed
	case u.want:
		s.State = api.Starting
	}
	return s
}

func lastLine(b []byte) string {
	lines := bytes.Split(bytes.TrimSpace(b), []byte("\n"))
	return strings.TrimSpace(string(lines[len(lines)-1]))
}
