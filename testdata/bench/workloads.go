package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"collect/runtime/supervisor/api"
)

type bench struct {
	dir, binary string
	program     string
	lines       int
	broker      string
	runs        int
}

type result struct {
	name          string
	note          string
	cpu           float64 // seconds
	wall          time.Duration
	lines         int   // read
	bytes         int64 // read
	rss           int64
	lost, doubled int
}

// bars are the CPU seconds per million lines to stay below: half of what the best of five other collectors needed for the same bytes (for
// w4 two thirds), all on one machine of two cores.
var bars = map[string]float64{"w1": 0.16, "w2": 0.33, "w3": 0.53, "w4": 0.8, "w5": 0.8, "w9": 0.6}

const columns = "          lines       MB   CPU s/M   of bar      lines/s     MB/s   RSS MB"

func (r result) String() string {
	if r.lines == 0 {
		return fmt.Sprintf("%-6s %s", r.name, r.note)
	}
	cpu, wall := r.cpu/float64(r.lines)*1e6, r.wall.Seconds()
	return strings.TrimRight(fmt.Sprintf("%-6s %8d %8d %9.3f %7.0f%% %12.0f %8.0f %8d  %s", r.name, r.lines, r.bytes/1e6, cpu, 100*cpu/bars[r.name],
		float64(r.lines)/wall, float64(r.bytes)/1e6/wall, r.rss>>20, r.note), " ")
}

// check refuses figures of work that was not done.
func (r result) check() error {
	if r.lost != 0 || r.doubled != 0 {
		return fmt.Errorf("%d lines are lost, %d came twice: what that cost says nothing", r.lost, r.doubled)
	}
	return nil
}

func (b *bench) input() string { return filepath.Join(b.dir, "input.log") }

const tailIn = `
agent "a" {
  source "tail" "in" {
    include  = [%q]
    channels = [channel.c]
    %s
  }
  channel %q "c" {}
  sink %s
}
`

const filter = `interceptor "filter" { keep = can(regex("status=(WARN|ERROR)", event.body)) }
    interceptor "set" { headers = { dc = "seoul" } }`

func (b *bench) workload(ctx context.Context, name string) (result, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	switch name {
	case "w1":
		return b.toNull(ctx)
	case "w2":
		return b.toFile(ctx)
	case "w3":
		return b.toTCP(ctx, name, "memory", "")
	case "w5":
		return b.toTCP(ctx, name, "disk", "")
	case "w9":
		return b.toTCP(ctx, name, "memory", filter)
	case "w4":
		return b.toKafka(ctx)
	case "idle":
		return b.idle(ctx)
	case "first":
		return b.first(ctx)
	case "plan":
		return b.plan(ctx)
	}
	return result{}, errors.New("no such workload")
}

// program is one run of collect in the foreground.
type program struct {
	cmd  *exec.Cmd
	data string
	out  bytes.Buffer
	done chan error
	from time.Time
}

func (b *bench) start(ctx context.Context, config string) (*program, error) {
	b.runs++
	dir := filepath.Join(b.dir, "run"+strconv.Itoa(b.runs))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "main.hcl"), []byte(config), 0o600); err != nil {
		return nil, err
	}
	p := &program{data: filepath.Join(dir, "data"), done: make(chan error, 1), from: time.Now()}
	p.cmd = exec.CommandContext(ctx, b.binary, "-chdir="+dir, "run")
	p.cmd.Env = append(os.Environ(), "COLLECT_DATA_DIR="+p.data)
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { p.done <- p.cmd.Wait() }()
	return p, nil
}

// finish reads what the process used so far and ends it.
func (p *program) finish(r result) (result, error) {
	r.wall = time.Since(p.from)
	cpu, peak, _, err := p.usage()
	if err != nil {
		return r, err
	}
	r.cpu, r.rss = cpu, peak
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return r, err
	}
	<-p.done
	return r, nil
}

// until polls a condition; the program ending first is an error.
func (p *program) until(ctx context.Context, ok func() bool) error {
	for tick := time.NewTicker(20 * time.Millisecond); ; {
		select {
		case err := <-p.done:
			return fmt.Errorf("collect ended (%v):\n%s", err, p.out.String())
		case <-ctx.Done():
			return fmt.Errorf("not done in time:\n%s", p.out.String())
		case <-tick.C:
			if ok() {
				return nil
			}
		}
	}
}

// usage gives the processor time of run and its agents, and the memory of the agents.
func (p *program) usage() (cpu float64, peak, rss int64, err error) {
	run := p.cmd.Process.Pid
	if cpu, _, _, err = usage(run); err != nil {
		return 0, 0, 0, err
	}
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return 0, 0, 0, err
	}
	for _, name := range stats {
		stat, err := os.ReadFile(name)
		if err != nil {
			continue // it has ended
		}
		var pid, parent int
		_, _ = fmt.Sscanf(name, "/proc/%d/stat", &pid)
		_, _ = fmt.Sscanf(string(stat[bytes.LastIndexByte(stat, ')')+2:]), "%1s %d", new(string), &parent)
		if parent != run {
			continue
		}
		c, high, now, err := usage(pid)
		if err != nil {
			return 0, 0, 0, err
		}
		cpu, peak, rss = cpu+c, peak+high, rss+now
	}
	return cpu, peak, rss, nil
}

// usage gives user and system seconds of a process, and its memory at most and now.
func usage(pid int) (cpu float64, peak, rss int64, err error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0, 0, err
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+2:]))
	user, _ := strconv.ParseFloat(fields[11], 64)
	sys, _ := strconv.ParseFloat(fields[12], 64)
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0, 0, err
	}
	return (user + sys) / 100, memory(status, "VmHWM:"), memory(status, "VmRSS:"), nil
}

// memory finds a line of a process's status that is in kB.
func memory(status []byte, name string) int64 {
	for line := range strings.Lines(string(status)) {
		if kb, ok := strings.CutPrefix(line, name); ok {
			n, _ := strconv.ParseInt(strings.Fields(kb)[0], 10, 64)
			return n << 10
		}
	}
	return 0
}

// delivered asks the agent how many events its sinks have delivered.
func (p *program) delivered(ctx context.Context) int64 {
	seen, err := api.Survey(ctx, api.NewLayout(p.data, os.Getenv("XDG_RUNTIME_DIR")))
	if err != nil {
		return -1
	}
	var n int64
	for _, a := range seen.Agents {
		for _, c := range a.Components {
			if c.Kind == "sink" {
				n += c.EventsOut
			}
		}
	}
	return n
}

func (b *bench) toNull(ctx context.Context) (result, error) {
	p, err := b.start(ctx, fmt.Sprintf(tailIn, b.input(), "", "memory", `"null" "out" { channel = channel.c }`))
	if err != nil {
		return result{}, err
	}
	r := result{name: "w1", lines: b.lines}
	if err := p.until(ctx, func() bool { return p.delivered(ctx) >= int64(b.lines) }); err != nil {
		return r, err
	}
	return p.finish(r)
}

func (b *bench) toFile(ctx context.Context) (result, error) {
	out := filepath.Join(b.dir, "w2.out")
	p, err := b.start(ctx, fmt.Sprintf(tailIn, b.input(), "", "memory", fmt.Sprintf("\"file\" \"out\" {\n    channel = channel.c\n    path = %q\n  }", out)))
	if err != nil {
		return result{}, err
	}
	in, err := os.Stat(b.input())
	if err != nil {
		return result{}, err
	}
	r := result{name: "w2", lines: b.lines}
	err = p.until(ctx, func() bool {
		got, err := os.Stat(out)
		return err == nil && got.Size() >= in.Size()
	})
	if err != nil {
		return r, err
	}
	if r, err = p.finish(r); err != nil {
		return r, err
	}
	s := newSeen(b.lines)
	f, err := os.Open(out)
	if err != nil {
		return r, err
	}
	defer f.Close()
	if err := s.read(f); err != nil {
		return r, err
	}
	r.lost, r.doubled = s.count(b.lines)
	return r, os.Remove(out)
}

func (b *bench) toTCP(ctx context.Context, name, channel, interceptors string) (result, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return result{}, err
	}
	defer l.Close()
	s := newSeen(b.lines)
	failed := make(chan error, 1)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			if err := s.read(c); err != nil {
				failed <- err
			}
			c.Close()
		}
	}()
	sink := fmt.Sprintf("\"socket\" \"out\" {\n    channel = channel.c\n    address = %q\n  }", l.Addr())
	p, err := b.start(ctx, fmt.Sprintf(tailIn, b.input(), interceptors, channel, sink))
	if err != nil {
		return result{}, err
	}
	want := b.lines
	if interceptors != "" {
		if want, err = b.matching(); err != nil {
			return result{}, err
		}
	}
	r := result{name: name, lines: b.lines}
	if err := p.until(ctx, func() bool { return int(s.unique.Load()) >= want }); err != nil {
		return r, fmt.Errorf("%w\n%d of %d lines arrived", err, s.unique.Load(), want)
	}
	if r, err = p.finish(r); err != nil {
		return r, err
	}
	r.lost, r.doubled = s.count(want)
	select {
	case err = <-failed:
	default:
	}
	return r, err
}

// matching counts the input lines that the filter keeps.
func (b *bench) matching() (int, error) {
	raw, err := os.ReadFile(b.input())
	if err != nil {
		return 0, err
	}
	return bytes.Count(raw, []byte("status=WARN")) + bytes.Count(raw, []byte("status=ERROR")), nil
}

func (b *bench) toKafka(ctx context.Context) (result, error) {
	provider, topic := "", "bench"
	if b.broker != "" {
		provider = fmt.Sprintf("provider \"kafka\" {\n  brokers = [%q]\n}\n", b.broker)
		topic = fmt.Sprintf("bench-%d", time.Now().UnixNano())
	}
	config := provider + fmt.Sprintf("topic \"t\" {\n  name = %q\n  partitions = 4\n}\n", topic) +
		fmt.Sprintf(tailIn, b.input(), "", "memory", "\"kafka\" \"out\" {\n    channel = channel.c\n    topic = topic.t\n  }")
	p, err := b.start(ctx, config)
	if err != nil {
		return result{}, err
	}
	r := result{name: "w4", lines: b.lines}
	if err := p.until(ctx, func() bool { return p.delivered(ctx) >= int64(b.lines) }); err != nil {
		return r, err
	}
	if b.broker == "" {
		r, err = p.finish(r)
		r.note = "with the development broker in the same process"
		return r, err
	}
	if r, err = p.finish(r); err != nil {
		return r, err
	}
	n, err := records(ctx, b.broker, topic)
	r.lost, r.doubled = max(0, b.lines-n), max(0, n-b.lines)
	return r, err
}

func records(ctx context.Context, broker, topic string) (int, error) {
	c, err := kgo.NewClient(kgo.SeedBrokers(broker))
	if err != nil {
		return 0, err
	}
	defer c.Close()
	ends, err := kadm.NewClient(c).ListEndOffsets(ctx, topic)
	if err != nil {
		return 0, err
	}
	n := 0
	ends.Each(func(o kadm.ListedOffset) { n += int(o.Offset) })
	return n, nil
}
