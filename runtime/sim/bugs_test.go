package sim_test

import (
	"os"
	"strings"
	"testing"

	"collect/runtime/flow"
)

// Each of these mistakes must be found within the seeds of a normal test: else the simulation has no teeth.
func bugs() []bug {
	noSync := func(under string) func(flow.FS) flow.FS {
		return lazily(func(op, path string) bool { return op == "sync" && strings.HasPrefix(path, under) })
	}
	return []bug{
		{name: "sync of the channel's files does nothing", fs: noSync("/data/channel")},
		{name: "sync of directories does nothing", fs: lazily(func(op, _ string) bool { return op == "syncdir" })},
		{name: "files are renamed before they are synced", fs: noSync("/out")},
		{name: "temporary files of a run before are not removed", fs: lazily(func(op, path string) bool {
			return op == "remove" && strings.HasPrefix(path, "/out")
		})},
		{name: "batches are acknowledged before they are synced", channel: hasty("channel.c")},
		{name: "what was read is not checked", channel: func(_ string, c flow.Channel) flow.Channel { return rottenChannel{c} }},
		{name: "the source goes on at what it emitted", emitted: true},
		{name: "leases are committed at Write", sink: wrongSink(func(s flow.Sink) flow.Sink { return hastySink{s} })},

		{name: "a dead letter settles before it is durable", shape: "dead letters", channel: hasty("channel.dead")},
		{name: "events that a sink gives up are forgotten", shape: "dead letters", sink: wrongSink(func(s flow.Sink) flow.Sink { return forgetful{s} })},
		{name: "single events that failed are forgotten", shape: "shop", sink: wrongSink(func(s flow.Sink) flow.Sink { return forgetful{s} })},
		{name: "a failure passes for a success", shape: "shop", sink: wrongSink(func(s flow.Sink) flow.Sink { return cheerful{forgetful{s}} })},
		{name: "an unknown outcome passes for a success", shape: "failover", sink: wrongSink(func(s flow.Sink) flow.Sink { return doubtful{forgetful{s}} })},
		{name: "replicate is content with one member", shape: "replicate", sink: func(address string, s flow.Sink) flow.Sink {
			if address == "sink.second" {
				return hastySink{s}
			}
			return s
		}},
		{name: "a growing file's batches end before they are synced", shape: "growing", fs: noSync("/out")},
		{name: "tail's position moves before the acknowledgement", shape: "tail", channel: hasty("channel.c")},
		{name: "tail's keys are not durable before the first event", shape: "tail", fs: noSync("/data/source")},
		{name: "spooldir renames before the last acknowledgement", shape: "spooldir", channel: hasty("channel.c")},
		{name: "spooldir's keys are not durable before the first event", shape: "spooldir", fs: noSync("/data/source")},

		{name: "a start syncs only when it is over", fs: later, booted: func(f flow.FS) { f.(*laterFS).settle() }},
		{name: "files of the future are not seen", fs: presently},
		{name: "a folder whose time went back is not listed again", shape: "spooldir", fs: rarely("/spool")},
		{name: "what a full disk refused passes for stored", channel: func(_ string, c flow.Channel) flow.Channel { return carelessChannel{c} }},
		{name: "a sync that failed is tried again and believed", fs: badly(func(op string) bool { return op == "sync" })},
		{name: "a short write passes for a whole one", fs: badly(func(op string) bool { return op == "write" })},
		{name: "a sink that cannot end in order says that it did", sink: wrongSink(func(s flow.Sink) flow.Sink { return &glossingSink{Sink: s} })},
	}
}

// hasty makes one channel acknowledge before it stores.
func hasty(which string) func(string, flow.Channel) flow.Channel {
	return func(address string, c flow.Channel) flow.Channel {
		if address != which {
			return c
		}
		return hastyChannel{c}
	}
}

func wrongSink(wrap func(flow.Sink) flow.Sink) func(string, flow.Sink) flow.Sink {
	return func(_ string, s flow.Sink) flow.Sink { return wrap(s) }
}

func TestPlantedBugsAreFound(t *testing.T) {
	if testing.Short() {
		t.Skip("takes many runs")
	}
	const most = 200
	for _, b := range bugs() {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			sh := theShape(t, b.shape)
			for seed := uint64(1); seed <= most; seed++ {
				if wrong, _ := play(t, sh, seed, b); len(wrong) > 0 {
					t.Logf("found by seed %d: %.200s", seed, wrong[0])
					replay(t, sh, seed, b)
					return
				}
			}
			t.Errorf("not found in %d runs", most)
		})
	}
}

// replay measures how often a seed fails again, when COLLECT_SIM_REPLAY is set.
func replay(t *testing.T, sh shape, seed uint64, b bug) {
	t.Helper()
	if os.Getenv("COLLECT_SIM_REPLAY") == "" {
		return
	}
	const times = 20
	again := 0
	for range times {
		if wrong, _ := play(t, sh, seed, b); len(wrong) > 0 {
			again++
		}
	}
	t.Logf("seed %d fails again in %d of %d runs", seed, again, times)
}

func TestTheHarnessOfTheBugsAddsNone(t *testing.T) {
	b := bug{
		name: "none", fs: lazily(func(string, string) bool { return false }),
		channel: func(_ string, c flow.Channel) flow.Channel { return c }, sink: func(_ string, s flow.Sink) flow.Sink { return s },
	}
	for seed := uint64(1); seed <= 10; seed++ {
		if wrong, log := play(t, theShape(t, ""), seed, b); len(wrong) > 0 {
			t.Fatalf("seed %d: %s\n%s", seed, strings.Join(wrong, "\n"), strings.Join(log, "\n"))
		}
	}
}
