package hclspec

import (
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"collect/hclspec/schema"
)

// TestContentsOfNamedFilesArePartOfTheConfiguration changes a certificate: the agent that uses it must get another hash, and
// nobody may find the contents in what is stored.
func TestContentsOfNamedFilesArePartOfTheConfiguration(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeFiles(t, dir, `
provider "kafka" {
  tls {
    ca  = "ca.pem"
    key = "key.pem"
  }
}
topic "t" {}
agent "a" {
  source "generator" "g" { channels = [channel.c] }
  channel "memory" "c" {}
  sink "kafka" "k" {
    channel = channel.c
    topic   = topic.t
  }
}`)
	o := options(dir)
	o.Fingerprint = func(s string) string {
		h := fnv.New64a()
		h.Write([]byte("key" + s))
		return fmt.Sprintf("%x", h.Sum64())
	}
	hash := func(ca, key string) string {
		t.Helper()
		for name, text := range map[string]string{"ca.pem": ca, "key.pem": key} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		cfg, diags := Load(o)
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		spec := cfg.Agents[0].Spec
		raw, err := spec.Canonical()
		if err != nil || strings.Contains(string(raw), key) {
			t.Errorf("%v, the spec holds the key: %s", err, raw)
		}
		var into fakeKafkaSink
		if err := schema.Decode(spec.Sinks[0].Config, nil, &into); err != nil {
			t.Fatal(err)
		}
		if want := filepath.Join(cfg.Root, "ca.pem"); into.Provider.TLS.CA != want {
			t.Errorf("the sink gets %q, want %q", into.Provider.TLS.CA, want)
		}
		return spec.Hash()
	}
	first := hash("one", "secret key 1")
	if hash("one", "secret key 1") != first {
		t.Error("the same files give another hash")
	}
	if hash("two", "secret key 1") == first {
		t.Error("another certificate gives the same hash")
	}
	if hash("one", "secret key 2") == first {
		t.Error("another key gives the same hash")
	}
}

func TestSchedulesAreInTheTimeZoneOfTheInstallation(t *testing.T) {
	t.Parallel()
	for zone, want := range map[string]string{
		``:                           `0 1 * * *`,
		`time_zone = "UTC"`:          `0 1 * * *`,
		`time_zone = "Asia/Seoul"`:   `CRON_TZ=Asia/Seoul 0 1 * * *`,
		`time_zone = var.zone`:       `CRON_TZ=Europe/Berlin 0 1 * * *`,
		"time_zone = null # no zone": `0 1 * * *`,
	} {
		cfg := mustLoad(t, "collect {\n  "+zone+"\n}\nvariable \"zone\" { default = \"Europe/Berlin\" }\n"+shorthand.Replace(`
agent "a" {
  source "spooldir" "s" {
    path     = "x"
    schedule = "0 1 * * *"
    channels = [channel.c]
  }
  source "spooldir" "t" {
    path     = "y"
    schedule = "TZ=America/Lima 0 1 * * *"
    channels = [channel.c]
  }
  %CH%
  %SINK%
}`))
		s := cfg.Agents[0].Spec.Sources
		if got := s[0].Config["schedule"]; got != want {
			t.Errorf("%s: got %v, want %s", zone, got, want)
		}
		if got := s[1].Config["schedule"]; got != "TZ=America/Lima 0 1 * * *" {
			t.Errorf("%s: a schedule with a zone of its own became %v", zone, got)
		}
	}
}
