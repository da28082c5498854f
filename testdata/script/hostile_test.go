package script

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// Plan: looking at a configuration that nobody has read yet is safe. It names every file that it reads outside of its directory,
// writes nothing, runs nothing, and dials nothing with -refresh=false.
func TestPlanOfAHostileConfigurationIsSafe(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var dialled atomic.Int64
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			dialled.Add(1)
			_ = c.Close()
		}
	}()
	defer ln.Close()
	p := newPlace(t, strings.ReplaceAll(hostileConfiguration, "BROKER", ln.Addr().String()))
	conf := filepath.Join(p.dir, "conf")
	p.write(t, "outside/secret", "canary-outside\n")
	p.write(t, "outside/values", "x = \"canary-value\"\n")
	p.write(t, "outside/more", "locals { more = 1 }\n")
	for link, aim := range map[string]string{"inside": "secret", "collect.hclvars": "values", "z.hcl": "more"} {
		if err := os.Symlink("../outside/"+aim, filepath.Join(conf, link)); err != nil {
			t.Fatal(err)
		}
	}
	p.write(t, "bin/marker", "#!/bin/sh\ntouch \"$HOME/ran\"\n")
	for _, program := range []string{"sh", "git", "kinit", "env"} { // whatever would be run by name is ours
		if err := errors.Join(os.Chmod(filepath.Join(p.dir, "bin/marker"), 0o700), os.Symlink("marker", filepath.Join(p.dir, "bin", program))); err != nil {
			t.Fatal(err)
		}
	}
	p.env[0] = "PATH=" + filepath.Join(p.dir, "bin")
	before := picture(t, p.dir)
	for _, args := range [][]string{
		{"plan", "-refresh=false"},
		{"plan", "-refresh=false", "-json"},
		{"validate"},
		{"validate", "-json"},
		{"graph"},
		{"show"},
		{"fmt", "-check", "-diff"},
		{"status"},
		{"state", "list"},
		{"output"},
	} {
		out, err := p.try(args...)
		if strings.Contains(out, "canary") && args[0] != "plan" {
			t.Errorf("%v shows what stands outside:\n%s", args, out)
		}
		if args[0] == "plan" || args[0] == "validate" {
			if err != nil {
				t.Errorf("%v: %v\n%s", args, err, out)
			}
			flat := strings.Join(strings.Fields(out), "")
			for _, name := range []string{"conf/inside", "outside/secret", "conf/collect.hclvars", "conf/z.hcl", "/proc/self/environ"} {
				if !strings.Contains(flat, name) {
					t.Errorf("%v does not name %s:\n%s", args, name, out)
				}
			}
		}
		if after := picture(t, p.dir); !slices.Equal(before, after) {
			t.Errorf("%v changed files:\n%s\n%s", args, strings.Join(before, "\n"), strings.Join(after, "\n"))
		}
	}
	if n := dialled.Load(); n > 0 {
		t.Errorf("%d connections to the broker", n)
	}
	if pids := processes(p.data); len(pids) > 0 {
		t.Errorf("processes run: %v", pids)
	}
	if entries, err := os.ReadDir(p.run); err != nil || len(entries) > 0 {
		t.Errorf("the runtime directory holds %v, %v", entries, err)
	}
	asks := p.command("plan")
	if err := asks.Start(); err != nil {
		t.Fatal(err)
	}
	if !poll(time.Minute, func() bool { return dialled.Load() > 0 }) {
		t.Error("without -refresh=false the broker is not asked either: the test proves nothing")
	}
	_ = asks.Process.Kill() // it would wait for the broker
	_ = asks.Wait()
}

const hostileConfiguration = `
variable "x" { type = string }
provider "kafka" { brokers = ["BROKER"] }
topic "t" {}
output "a" { value = file("${path.root}/../outside/secret") }
output "b" { value = file("inside") }
output "c" { value = fileexists("/proc/self/environ") }
output "d" { value = sha256(var.x) }
agent "a" {
  source "tail" "l" {
    include  = ["${path.root}/../outside/*"]
    channels = [channel.c]
  }
  channel "disk" "c" {}
  sink "kafka" "k" {
    channel = channel.c
    topic   = topic.t
  }
}
`
