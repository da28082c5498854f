package cli

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"collect/runtime/supervisor/api"
)

// fakeChannels is agent.a with a channel that stores, one that does not, and an orphan of nothing.
type fakeChannels struct {
	events []string
	report api.ChannelReport
	err    error
	dumped DumpOptions
	fixed  int
}

func (f *fakeChannels) Channels(string) ([]api.Channel, error) {
	return []api.Channel{{Name: "disk", Type: "disk", Stores: true}, {Name: "gone"}, {Name: "memory", Type: "memory"}}, f.err
}

func (f *fakeChannels) Inspect(string, api.Channel) (api.ChannelReport, error) { return f.report, nil }

func (f *fakeChannels) Verify(string, api.Channel) (api.ChannelReport, error) { return f.report, nil }

func (f *fakeChannels) Repair(string, api.Channel) (api.ChannelReport, error) {
	f.fixed++
	return f.report, nil
}

func (f *fakeChannels) Dump(_ string, _ api.Channel, o DumpOptions, yield func([]byte) error) (api.ChannelReport, error) {
	f.dumped = o
	for _, e := range f.events {
		if err := yield([]byte(e + "\n")); err != nil {
			return f.report, err
		}
	}
	return f.report, nil
}

// withChannels is a rig in which agent.a was applied.
func withChannels(t *testing.T) (*rig, *fakeChannels) {
	t.Helper()
	r, f := newRig(t, oneAgent), &fakeChannels{}
	r.deps.Channels = func(api.Layout) Channels { return f }
	r.want(0, "", "apply", "-auto-approve")
	dir := filepath.Join(r.data, "agents", "a-1")
	meta, err := json.Marshal(api.AgentMeta{Address: "agent.a", ID: "a-1"})
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "meta.json"), meta, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return r, f
}

func TestChannelsAreFoundByAddress(t *testing.T) {
	r, f := withChannels(t)
	r.want(0, "agent.a.channel.disk is whole", "channel", "verify", "agent.a.channel.disk")
	r.want(0, `"address": "agent.a.channel.disk"`, "channel", "inspect", "a.channel.disk", "-json")
	r.want(1, "Did you mean agent.a.channel.disk?", "channel", "verify", "agent.a.channel.disc")
	r.want(1, "Channels: agent.a.channel.disk, agent.a.channel.gone", "channel", "dump", "agent.b.channel.other")
	r.want(1, "is a memory channel", "channel", "repair", "agent.a.channel.memory")
	r.want(1, "left the configuration and holds nothing", "channel", "inspect", "agent.a.channel.gone")
	r.want(1, "Which channel?", "channel", "inspect")
	r.want(1, "does not take", "channel", "inspect", "agent.a.channel.disk", "agent.a.channel.gone")
	f.err = errors.New("spec.json is damaged")
	r.want(1, "spec.json is damaged", "channel", "inspect", "agent.a.channel.disk")
	r.want(1, "There is no channel agent.b.channel.disk", "channel", "inspect", "agent.b.channel.disk")
}

func TestADumpIsShownSafelyOnATerminalAndAsItIsElsewhere(t *testing.T) {
	r, f := withChannels(t)
	f.events = []string{"red \x1b[31m\u009b", "two"}
	const address = "agent.a.channel.disk"
	if got := r.want(0, "", "channel", "dump", "-raw", address); got.out != "red \x1b[31m\u009b\ntwo\n" || f.dumped != (DumpOptions{Raw: true}) {
		t.Errorf("raw: %q, %+v", got.out, f.dumped)
	}
	r.tty, r.deps.Screen = true, nil
	if got := r.want(0, "", "channel", "dump", "-raw", address); got.out != "red \\x1b[31m\\x9b\ntwo\n" {
		t.Errorf("on a terminal: %q", got.out)
	}
	f.events = []string{`{"body":"` + "\u009b" + `"}`}
	if got := r.want(0, "", "channel", "dump", "-all", address); got.out != `{"body":"\u009b"}`+"\n" || f.dumped != (DumpOptions{All: true}) {
		t.Errorf("JSON: %q, %+v", got.out, f.dumped)
	}
	r.want(1, "-raw or -json, not both", "channel", "dump", "-raw", "-json", address)
}

// failingWriter is an output that takes nothing.
type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }

func TestADumpThatNobodyReadsToTheEndIsNoError(t *testing.T) {
	r, f := withChannels(t)
	f.events = make([]string, 1000)
	for i := range f.events {
		f.events[i] = strings.Repeat("x", 100)
	}
	f.report.Damage = []api.ChannelDamage{{Segment: "1.seg"}}
	for err, want := range map[error]int{syscall.EPIPE: 0, syscall.ENOSPC: 1, io.ErrShortWrite: 1} {
		args := []string{"collect", "-chdir=" + r.dir, "channel", "dump", "agent.a.channel.disk"}
		if code := Main(t.Context(), r.deps, args, r.env, strings.NewReader(""), failingWriter{err}, io.Discard); code != want {
			t.Errorf("%v: exit %d, want %d", err, code, want)
		}
	}
}

func TestDamageIsToldWithItsPlaceAndAnExitCode(t *testing.T) {
	r, f := withChannels(t)
	const address = "agent.a.channel.disk"
	f.report = api.ChannelReport{Dir: "/data", Damage: []api.ChannelDamage{
		{Segment: "1.seg", Offset: 4096, Bytes: 2000, Events: 1, Reason: "wrong checksum", SetAside: "1-4096.bad"},
		{Segment: "2.seg", Offset: 9000, Reason: "frames 7 to 8 are missing", Events: 1200},
	}}
	got := r.want(1, address+" is damaged: 2 pieces, 2 KiB, 1,201 events.", "channel", "verify", address)
	if !strings.Contains(got.out, "/data/1.seg at 4096, 2,000 bytes, 1 event: wrong checksum\n") {
		t.Errorf("verify:\n%s", got.out)
	}
	r.want(1, `"reason": "wrong checksum"`, "channel", "verify", "-json", address)
	r.want(1, "Missing are 2 pieces, 2 KiB, 1,201 events.", "channel", "dump", address)
	r.want(1, "There is no terminal to ask on", "channel", "repair", address)
	r.want(1, "-json asks no question", "channel", "repair", "-json", address)
	r.tty, r.in = true, "no\n"
	r.want(1, "Nothing was changed.", "channel", "repair", address)
	if f.fixed > 0 {
		t.Error("repaired without a yes")
	}
	r.in = "yes\n"
	got = r.want(0, "Repaired "+address+": damaged were 2 pieces", "channel", "repair", address)
	if !strings.Contains(got.out, "wrong checksum; set aside in 1-4096.bad\n") || !strings.Contains(got.out, "are missing; nothing is left of it\n") {
		t.Errorf("repair:\n%s", got.out)
	}
	r.want(0, `"set_aside": "1-4096.bad"`, "channel", "repair", "-json", "-auto-approve", address)
	lock, err := api.TakeLock(filepath.Join(r.data, "agents", "a-1", "lock"), "", "agent.a")
	if err != nil {
		t.Fatal(err)
	}
	r.want(1, "(agent.a, since", "channel", "repair", "-auto-approve", address)
	if err := lock.Release(); err != nil {
		t.Fatal(err)
	}
	if f.fixed != 2 {
		t.Errorf("repaired %d times, want 2", f.fixed)
	}
}
