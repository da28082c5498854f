// Package call is one call of the program, whatever its command: streams and screen, options that all commands share, errors and the exit
// code they give, signals, and the installation that the configuration here is about.
package call

import (
	"context"
	"io"
	"log/slog"
	"os"
	"time"

	"collect/hclspec/schema"
	"collect/planner/resource"
	"collect/runtime/supervisor"
	"collect/runtime/supervisor/api"
)

// Deps is what main gives to the command line: everything below it that the command line must not import. Every function may
// be nil as long as no command that needs it is called.
type Deps struct {
	Version   string            // of this program
	Types     schema.Types      // the component types that exist
	Libraries map[string]string // versions of what is linked in, such as librdkafka, for version

	// Screen replaces the writer of everything that people read (tests); nil: package render.
	Screen func(w io.Writer, color bool, width int) Screen

	// Kinds makes the kinds of resources of an installation: "kafka" (the development broker), "topic", "agent".
	Kinds func(KindEnv) []resource.Kind

	// RunAgent runs the agent whose files lie in Layout.AgentDir(ID) (meta.json, spec.json, secrets) in this process until it ends
	// by itself, or ctx ends: then it drains. It takes the agent's lock and fails when another process has it. An error with
	// the method ExitCode() int decides the exit code: 3 when events were given up at the end of the drain.
	RunAgent func(ctx context.Context, a AgentProcess) error
	// RunAgents runs agents as children of this process until ctx ends, and then lets them drain. An error with the method
	// ExitCode() int decides the exit code.
	RunAgents func(ctx context.Context, f supervisor.Foreground) error
	// RunBroker runs the development broker of an installation in this process until ctx ends. It takes the broker's lock, and
	// calls ready with its address when it answers.
	RunBroker func(ctx context.Context, layout api.Layout, log *slog.Logger, ready func(address string)) error
	// Supervise runs the supervisor of an installation in this process until it is told to end, or ctx ends; agents go on.
	Supervise func(ctx context.Context, layout api.Layout, log *slog.Logger) error
	// Survey describes what runs; nil: api.Survey.
	Survey func(ctx context.Context, layout api.Layout) (api.Installation, error)
	// Channels looks into the channels of an installation's agents.
	Channels func(layout api.Layout) Channels

	// Signals replaces the process's interrupt and termination signals (tests).
	Signals <-chan os.Signal
	// Terminal says whether a stream is a terminal; nil: asked of the file (tests).
	Terminal func(stream any) bool
	// Executable is the running program; "": asked of the system (tests).
	Executable string
	// Now is the time; nil: time.Now (tests).
	Now func() time.Time
}

// KindEnv is what kinds need to know of an installation.
type KindEnv struct {
	Installation string
	Layout       api.Layout
	Types        schema.Types
	Version      string        // of this program
	Executable   string        // the running program, which the supervisor is a copy of
	Wait         time.Duration // how long to wait for sinks to connect before that is only a warning
	Log          *slog.Logger
}

// AgentProcess says which agent to run in this process.
type AgentProcess struct {
	Layout    api.Layout
	ID        string
	NoSources bool // only deliver what the channels hold
	Log       *slog.Logger
	Out       io.Writer       // where sinks show events to people; nil: only in the log
	RunPID    int             // the process of collect run whose child this one is, 0 where there is none
	Abort     <-chan struct{} // closed by the second signal: the drain ends at once
}

// Channels looks into the channels of an installation's agents: what they hold on disk. All but Repair change nothing and work beside an
// agent that runs.
type Channels interface {
	// Channels lists the channels of an agent, also those that left its configuration and are still on disk.
	Channels(agentID string) ([]api.Channel, error)
	// Inspect tells what is there, Verify the same after everything was checked.
	Inspect(agentID string, c api.Channel) (api.ChannelReport, error)
	Verify(agentID string, c api.Channel) (api.ChannelReport, error)
	// Dump calls yield with one event after the other, each with a line end, until that is an error. The report says what could not be read.
	Dump(agentID string, c api.Channel, o DumpOptions, yield func(event []byte) error) (api.ChannelReport, error)
	// Repair sets aside what is damaged. When the agent runs, that is an api.HeldError.
	Repair(agentID string, c api.Channel) (api.ChannelReport, error)
}

// DumpOptions say what is dumped.
type DumpOptions struct {
	All bool // also what is delivered, as long as it is on disk
	Raw bool // bodies as they are; otherwise JSON objects
}
