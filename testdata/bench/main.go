// Command bench runs the whole program on standard workloads and prints, for each, lines and bytes, CPU seconds per million lines and
// how much of the bar that is, lines and bytes a second, and peak memory. When a line is lost or comes twice it prints no figures.
//
//	go run ./testdata/bench [-lines N] [-broker HOST:PORT] [w1 w2 w3 w4 w5 w9 idle first plan]
//
//	w1  tail -> memory -> null           w4  tail -> memory -> kafka
//	w2  tail -> memory -> file           w5  tail -> disk -> tcp, a sync before each acknowledgement
//	w3  tail -> memory -> tcp            w9  w3 with a regex filter and a header
//	idle   100 idle files: CPU a second and memory
//	first  time from start to the first event delivered
//	plan   10,000 declared blocks, flat and chained: CPU and memory of plan
//
// The lines are 175 bytes on average, each with a sequence number. Figures of different machines, and of busy ones, do not
// compare: quote ratios from one run.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

func main() {
	lines := flag.Int("lines", 1_000_000, "lines of input")
	program := flag.String("program", "collect", "package of the program")
	broker := flag.String("broker", "", "Kafka for w4; empty: the development broker")
	flag.Parse()
	names := flag.Args()
	if len(names) == 0 {
		names = []string{"w1", "w2", "w3", "w4", "w5", "w9", "idle", "first", "plan"}
	}
	if err := run(names, *lines, *broker, *program); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(names []string, lines int, broker, program string) error {
	dir, err := os.MkdirTemp("", "collect-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	sockets := filepath.Join(dir, "run") // a place of its own, which goes with the rest
	if err := errors.Join(os.Mkdir(sockets, 0o700), os.Setenv("XDG_RUNTIME_DIR", sockets)); err != nil {
		return err
	}
	b := &bench{program: program, dir: dir, binary: filepath.Join(dir, "collect"), lines: lines, broker: broker}
	build := exec.Command("go", "build", "-o", b.binary, b.program)
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return fmt.Errorf("build: %w", err)
	}
	if err := b.generate(); err != nil {
		return fmt.Errorf("generate lines: %w", err)
	}
	in, err := os.Stat(b.input())
	if err != nil {
		return err
	}
	fmt.Println(columns)
	for _, name := range names {
		r, err := b.workload(context.Background(), name)
		r.bytes = in.Size()
		if err = errors.Join(err, r.check()); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		fmt.Println(r)
	}
	return nil
}

// generate writes the input: 70 % car status lines, 30 % access log lines, always the same.
func (b *bench) generate() error {
	f, err := os.Create(b.input())
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	r := rand.New(rand.NewPCG(1, 2))
	status := []string{"OK", "OK", "OK", "WARN", "ERROR"}
	for i := range b.lines {
		s := status[r.IntN(len(status))]
		if r.IntN(10) < 7 {
			fmt.Fprintf(w, "20260101%06d,%c%04d,%d,%d,%d,%d,1,1,1,1,A,A,%d,seq=%010d,status=%s,%s\n", i%86400, 'A'+rune(i%26), i%10000,
				70+r.IntN(30), 70+r.IntN(30), 70+r.IntN(30), 70+r.IntN(30), 50+r.IntN(50), i, s, strings.Repeat("abcdefghij", 8))
			continue
		}
		fmt.Fprintf(w, "10.0.%d.%d - - [01/Jan/2026:00:00:00 +0000] \"GET /cars/%d/status?seq=%010d HTTP/1.1\" 200 %d \"-\" \"agent/1.0 (bench) %s\" status=%s\n",
			r.IntN(256), r.IntN(256), r.IntN(10000), i, r.IntN(100000), strings.Repeat("x", 60), s)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Close()
}
