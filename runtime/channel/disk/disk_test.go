package disk_test

import (
	"testing"

	"go.uber.org/goleak"

	"collect/providers/providertest"
	"collect/runtime/channel/disk"
	"collect/runtime/flow"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	for name, change := range map[string]func(*disk.Config){
		"batch":    func(*disk.Config) {},
		"interval": func(c *disk.Config) { c.Sync = "interval" },
		"zstd":     func(c *disk.Config) { c.Compression = "zstd" },
		"lz4":      func(c *disk.Config) { c.Compression = "lz4" },
	} {
		t.Run(name, func(t *testing.T) {
			providertest.Channel{Durable: true, New: func(t *testing.T, env flow.Env) flow.Channel {
				cfg := disk.Defaults()
				cfg.MaxSize, cfg.SegmentSize = 8<<20, 1<<20
				change(&cfg)
				c, err := disk.New(cfg, env)
				if err != nil {
					t.Fatal(err)
				}
				return c
			}}.Test(t)
		})
	}
}
