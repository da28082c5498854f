package flow

import (
	"context"
	"io"
	"log/slog"
	"net"
	"time"
)

// Env is all that a component gets from its agent. Nothing in the data plane opens files, dials, listens or draws random
// numbers except through it.
type Env struct {
	Agent     string // address of the agent: agent.driver_info
	Component string // kind.name inside the agent: source.log
	ID        string // lives as long as the component's data: a uuid
	Dir       string // directory for the component's own state; exists, mode 0700
	Host      string // name of this machine
	Log       *slog.Logger
	FS        FS
	Net       Net
	Rand      Rand
	Pool      *Pool
	Stats     *Stats
	Batch     BatchLimits   // sources: when a batch leaves
	AckWait   time.Duration // sources that answer: how long a sender waits
	Positions Positions     // sources: where to go on
	Ready     func()        // sources: called once bound, or after the first look
	// Out is where the agent shows events to people; nil: only its log. Writers escape control characters.
	Out io.Writer
	// Resolve gives the present value of a token such as "@development_broker".
	Resolve func(token string) (string, error)
}

// BatchLimits bound a batch.
type BatchLimits struct {
	MaxEvents int
	MaxBytes  int
	MaxWait   time.Duration
}

// Rand gives random numbers; in a simulation they follow from the seed.
type Rand interface {
	Uint64() uint64
	Read(p []byte)
}

// Net dials and listens.
type Net interface {
	Dial(ctx context.Context, network, address string) (net.Conn, error)
	Listen(ctx context.Context, network, address string) (net.Listener, error)
	ListenPacket(ctx context.Context, network, address string) (net.PacketConn, error)
}

// Positions remembers, for one source, how far each key is acknowledged. It belongs to the source's address and outlives
// the source when that is replaced.
type Positions interface {
	// Frontier gives the position to go on from: in a new process the acknowledged one (it may be old, never ahead), after a
	// replacement in the same process the emitted one.
	Frontier(key string) (pos uint64, note []byte, ok bool)
	// Settled says whether all that was ever emitted of a key is acknowledged for good, also by a source that was replaced.
	Settled(key string) bool
	// Keys gives all keys, sorted.
	Keys() []string
	// Note stores what the source wants to know about a key next time, such as a file's fingerprint.
	Note(key string, note []byte)
	// Forget removes a key for which nothing will be emitted any more; channels forget it too.
	Forget(key string)
	// Save makes notes and positions durable now. They are saved by themselves once a second when they change.
	Save(ctx context.Context) error
}
