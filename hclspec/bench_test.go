package hclspec

import (
	"fmt"
	"strings"
	"testing"
)

// flat is n blocks of topics, locals and agents that do not refer to each other.
func flat(n int) string {
	var b strings.Builder
	for i := range n / 5 {
		fmt.Fprintf(&b, "locals { l%d = %d }\ntopic \"t%d\" { name = \"topic-%d\" }\n", i, i, i, i)
		fmt.Fprintf(&b, "agent \"a%d\" {\n  source \"generator\" \"g\" { channels = [channel.c] }\n  channel \"memory\" \"c\" {}\n  sink \"null\" \"n\" { channel = channel.c }\n}\n", i)
	}
	return b.String()
}

// chained is n blocks in which each agent sends to the next one, and each local value and topic uses the one before.
func chained(n int) string {
	var b strings.Builder
	b.WriteString("locals { l0 = 0 }\ntopic \"t0\" { partitions = 1 }\n")
	k := n / 5
	for i := 1; i <= k; i++ {
		fmt.Fprintf(&b, "locals { l%d = local.l%d + 1 }\n", i, i-1)
		fmt.Fprintf(&b, "topic \"t%d\" {\n  name = \"${topic.t%d.name}x%d\"\n  partitions = topic.t%d.partitions\n}\n", i, (i-1)/100*100, i, i-1)
		fmt.Fprintf(&b, "agent \"a%d\" {\n  source \"agent\" \"in\" {\n    listen = \"127.0.0.1:${local.l%d + 10000}\"\n    channels = [channel.c]\n  }\n  channel \"memory\" \"c\" {}\n", i, i)
		if i < k {
			fmt.Fprintf(&b, "  sink \"agent\" \"n\" {\n    channel = channel.c\n    to = agent.a%d.source.in\n  }\n}\n", i+1)
		} else {
			fmt.Fprintf(&b, "  sink \"kafka\" \"n\" {\n    channel = channel.c\n    topic = topic.t%d\n    key = \"${event.headers.k}-${local.l%d}\"\n  }\n}\n", i, i)
		}
	}
	return b.String()
}

// forEach is one block with n instances that send to one with n instances.
func forEach(n int) string {
	return fmt.Sprintf(`
agent "to" {
  for_each = toset([for i in range(%d) : format("%%d", i)])
  source "agent" "in" {
    listen   = "127.0.0.1:${10000 + tonumber(each.key)}"
    channels = [channel.c]
  }
  channel "memory" "c" {}
  sink "null" "n" { channel = channel.c }
}
agent "from" {
  for_each = toset([for i in range(%d) : format("%%d", i)])
  source "generator" "g" { channels = [channel.c] }
  channel "memory" "c" {}
  sink "agent" "n" {
    channel = channel.c
    to      = agent.to[each.key].source.in
  }
}
`, n, n)
}

func BenchmarkLoad(b *testing.B) {
	for name, text := range map[string]string{"flat": flat(10000), "chained": chained(10000), "for_each": forEach(1000)} {
		b.Run(name, func(b *testing.B) {
			dir := b.TempDir()
			for i, part := range split(text, 900<<10) {
				writeFiles(b, dir, fmt.Sprintf("-- f%d.hcl --\n%s", i, part))
			}
			b.ReportAllocs()
			for b.Loop() {
				cfg, diags := Load(options(dir))
				if diags.HasErrors() {
					b.Fatal(say(diags[0]))
				}
				if len(cfg.Agents) < 1000 {
					b.Fatal(len(cfg.Agents))
				}
			}
		})
	}
}

// split cuts a text between top-level blocks so that no part is larger than max.
func split(text string, max int) []string {
	var parts []string
	for len(text) > max {
		i := strings.LastIndex(text[:max], "\n}\n") + 3
		parts, text = append(parts, text[:i]), text[i:]
	}
	return append(parts, text)
}
