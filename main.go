// Command collect declares, plans and applies data collection. Everything it does is in the packages below; this file only joins
// them.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	_ "time/tzdata" // intimezone works on machines without a time zone database

	"collect/planner/agents"
	"collect/planner/cli"
	"collect/planner/resource"
	"collect/providers"
	"collect/providers/devbroker"
	"collect/providers/topic"
	"collect/runtime/agent"
	"collect/runtime/flow"
	"collect/runtime/flow/host"
	"collect/runtime/pipeline/registry"
	"collect/runtime/supervisor"
	"collect/runtime/supervisor/api"
)

// version of the program.
const version = "0.1.0"

func main() {
	reg := providers.Registry()
	deps := cli.Deps{
		Version:   version,
		Libraries: providers.Libraries(),
		Types:     reg,
		Kinds:     func(env cli.KindEnv) []resource.Kind { return kinds(reg, env) },
		RunAgent:  runAgent(reg),
		RunAgents: supervisor.RunForeground,
		RunBroker: runBroker,
		Supervise: func(ctx context.Context, layout api.Layout, log *slog.Logger) error {
			return supervisor.Run(ctx, supervisor.Options{Layout: layout, Log: log, Data: agent.Data{Layout: layout, Registry: reg}})
		},
		Survey: func(ctx context.Context, layout api.Layout) (api.Installation, error) {
			return agent.Data{Layout: layout, Registry: reg}.Survey(ctx)
		},
		Channels: func(layout api.Layout) cli.Channels { return channels{agent.Data{Layout: layout, Registry: reg}} },
	}
	os.Exit(cli.Main(context.Background(), deps, os.Args, os.Environ(), os.Stdin, os.Stdout, os.Stderr))
}

// channels is what agents hold on disk, with events in the form that sinks write.
type channels struct{ agent.Data }

func (c channels) Dump(agentID string, ch api.Channel, o cli.DumpOptions, yield func(event []byte) error) (api.ChannelReport, error) {
	var buf []byte
	var stop error
	r, err := c.Data.Dump(agentID, ch, o.All, func(b *flow.Batch) bool {
		for i := range b.Len() {
			if buf, stop = providers.AppendEvent(buf[:0], b, i, o.Raw); stop == nil {
				stop = yield(buf)
			}
			if stop != nil {
				return false
			}
		}
		return true
	})
	return r, cmp.Or(stop, err)
}

// kinds gives the kinds of objects that are planned.
func kinds(reg *registry.Registry, env cli.KindEnv) []resource.Kind {
	all := agents.Kinds(agents.Options{
		Layout: env.Layout, Types: env.Types, Wait: env.Wait, Survey: agent.Data{Layout: env.Layout, Registry: reg}.Survey,
		Ensure: func(ctx context.Context) (*api.Client, error) {
			return supervisor.Ensure(ctx, env.Layout, env.Executable)
		},
	})
	return append(all, topic.New(topic.Options{Resolve: resolver(env.Layout), FS: host.FS()}))
}

// resolver gives the values of tokens: where the development broker is.
func resolver(layout api.Layout) func(token string) (string, error) {
	return func(token string) (string, error) {
		if token != "@development_broker" {
			return "", fmt.Errorf("nothing is called %s", token)
		}
		_, runs, err := api.Probe(filepath.Join(layout.BrokerDir(), "lock"))
		if err != nil {
			return "", err
		}
		address, ok, err := agents.DevelopmentBroker(layout)
		if err == nil && !(ok && runs) {
			err = topic.ErrAbsent
		}
		return address, err
	}
}

func runAgent(reg *registry.Registry) func(context.Context, cli.AgentProcess) error {
	return func(ctx context.Context, p cli.AgentProcess) error {
		return agent.Run(ctx, agent.Options{
			Layout: p.Layout, ID: p.ID, Registry: reg, Log: p.Log, Build: version, Alone: true, NoSources: p.NoSources, Out: p.Out, RunPID: p.RunPID, Abort: p.Abort,
		})
	}
}

func runBroker(ctx context.Context, layout api.Layout, log *slog.Logger, ready func(string)) error {
	lock, address, err := supervisor.LockBroker(layout, version)
	if err != nil {
		return err
	}
	err = devbroker.Run(ctx, devbroker.Options{Dir: filepath.Join(layout.BrokerDir(), "data"), Listen: address, Ready: ready, Log: logWriter{log}})
	return errors.Join(err, lock.Release())
}

// logWriter turns lines of text into log records.
type logWriter struct{ log *slog.Logger }

func (w logWriter) Write(p []byte) (int, error) {
	w.log.Warn("development broker", "says", string(p))
	return len(p), nil
}
