package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// idle follows 100 files that do not grow, and measures what that costs.
func (b *bench) idle(ctx context.Context) (result, error) {
	dir := filepath.Join(b.dir, "idle")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return result{}, err
	}
	for i := range 100 {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%03d.log", i)), []byte("one line\n"), 0o600); err != nil {
			return result{}, err
		}
	}
	p, err := b.start(ctx, fmt.Sprintf(tailIn, dir+"/*.log", "", "memory", `"null" "out" { channel = channel.c }`))
	if err != nil {
		return result{}, err
	}
	if err := p.until(ctx, func() bool { return p.delivered(ctx) == 100 }); err != nil {
		return result{}, err
	}
	before, _, _, err := p.usage()
	if err != nil {
		return result{}, err
	}
	const seconds = 15
	wait, cancel := context.WithTimeout(ctx, seconds*time.Second)
	<-wait.Done()
	cancel()
	after, peak, rss, err := p.usage()
	if err != nil {
		return result{}, err
	}
	r, err := p.finish(result{name: "idle"})
	r.note = fmt.Sprintf("%.1f ms CPU a second, %d MB, at most %d MB", (after-before)/seconds*1000, rss>>20, peak>>20)
	return r, err
}

// first measures the time from the start of the program to the first event at its destination.
func (b *bench) first(ctx context.Context) (result, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return result{}, err
	}
	defer l.Close()
	arrived := make(chan time.Time, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		if _, err := c.Read(make([]byte, 1)); err == nil {
			arrived <- time.Now()
		}
	}()
	sink := fmt.Sprintf("\"socket\" \"out\" {\n    channel = channel.c\n    address = %q\n  }", l.Addr())
	p, err := b.start(ctx, fmt.Sprintf(tailIn, b.input(), "", "disk", sink))
	if err != nil {
		return result{}, err
	}
	select {
	case at := <-arrived:
		r, err := p.finish(result{name: "first"})
		r.note = fmt.Sprintf("%d ms from start to the first event, through a disk channel", at.Sub(p.from).Milliseconds())
		return r, err
	case <-ctx.Done():
		return result{}, fmt.Errorf("nothing arrived:\n%s", p.out.String())
	}
}

// plan measures plan on many declared blocks.
func (b *bench) plan(ctx context.Context) (result, error) {
	var notes []string
	for _, shape := range []string{"flat", "chain"} {
		dir := filepath.Join(b.dir, "plan-"+shape)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return result{}, err
		}
		if err := os.WriteFile(filepath.Join(dir, "main.hcl"), []byte(Blocks(shape, 10_000)), 0o600); err != nil {
			return result{}, err
		}
		cmd := exec.CommandContext(ctx, b.binary, "-chdir="+dir, "plan", "-refresh=false")
		cmd.Env = append(os.Environ(), "COLLECT_DATA_DIR="+filepath.Join(dir, "data"))
		out, err := cmd.CombinedOutput()
		if err != nil {
			return result{}, fmt.Errorf("plan: %w\n%.2000s", err, out)
		}
		usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
		cpu := time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
		notes = append(notes, fmt.Sprintf("%s %.2f s CPU %d MB", shape, cpu.Seconds(), usage.Maxrss>>10))
	}
	return result{name: "plan", note: "10,000 blocks: " + strings.Join(notes, ", ")}, nil
}

// Blocks writes a configuration of n blocks: flat, or each referring to the one before.
func Blocks(shape string, n int) string {
	var s strings.Builder
	for i := range n / 5 {
		partitions := "1"
		if shape == "chain" && i > 0 {
			partitions = fmt.Sprintf("topic.t%d.partitions", i-1)
		}
		fmt.Fprintf(&s, "topic \"t%d\" {\n  name       = \"topic-%d\"\n  partitions = %s\n}\n", i, i, partitions)
		fmt.Fprintf(&s, "agent \"a%d\" {\n  source \"generator\" \"g\" {\n    rate     = 1\n    channels = [channel.c]\n  }\n", i)
		fmt.Fprintf(&s, "  channel \"memory\" \"c\" {}\n  sink \"kafka\" \"k\" {\n    channel = channel.c\n    topic   = topic.t%d\n  }\n}\n", i)
	}
	return s.String()
}
