package script

import (
	"bytes"
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// topichas [exact] BROKER TOPIC FILE: every data line of FILE is in the topic, in the file's order for each car, and nothing else
// is. With exact no line is there twice; without, lines that came again, in the file or in the topic, count where they came first.
// Lines that were written to the file while the topic was read do not count.
func topicHas(ts *testscript.TestScript, neg bool, args []string) {
	exact := len(args) == 4 && args[0] == "exact"
	if exact {
		args = args[1:]
	}
	if len(args) != 3 || neg {
		ts.Fatalf("usage: topichas [exact] BROKER TOPIC FILE")
	}
	want, again := firstOnly(byCar(dataLines(ts, args[2])))
	var missing string
	var doubled int
	ok := poll(60*time.Second, func() bool {
		var got map[string][]string
		lines, err := topicLines(args[0], args[1])
		if err != nil {
			missing = err.Error() // a broker that goes on has no leaders at first
			return false
		}
		got, doubled = firstOnly(byCar(lines))
		missing = differs(want, got)
		return missing == ""
	})
	if !ok {
		ts.Fatalf("%s", missing)
	}
	if exact && doubled > 0 {
		ts.Fatalf("%d lines are in the topic twice", doubled)
	}
	ts.Logf("lines that came again: %d in the file, %d in the topic", again, doubled)
}

// dataLines reads the complete lines of a driving log that begin with a time.
func dataLines(ts *testscript.TestScript, file string) []string {
	raw, err := os.ReadFile(ts.MkAbs(file))
	ts.Check(err)
	raw = raw[:bytes.LastIndexByte(raw, '\n')+1]
	var out []string
	for line := range strings.Lines(string(raw)) {
		if line[0] >= '0' && line[0] <= '9' {
			out = append(out, strings.TrimSuffix(line, "\n"))
		}
	}
	return out
}

func byCar(lines []string) map[string][]string {
	cars := map[string][]string{}
	for _, l := range lines {
		if f := strings.SplitN(l, ",", 3); len(f) == 3 {
			cars[f[1]] = append(cars[f[1]], l)
		}
	}
	return cars
}

// firstOnly drops lines that came before, and counts them.
func firstOnly(cars map[string][]string) (map[string][]string, int) {
	doubled := 0
	for car, lines := range cars {
		seen := map[string]bool{}
		cars[car] = slices.DeleteFunc(lines, func(l string) bool {
			if seen[l] {
				doubled++
				return true
			}
			seen[l] = true
			return false
		})
	}
	return cars, doubled
}

// differs says what is wrong: got must begin with want for every car.
func differs(want, got map[string][]string) string {
	for car, lines := range want {
		have := got[car]
		if len(have) < len(lines) {
			return car + ": lines are missing in the topic; the last there: " + strings.Join(have[max(0, len(have)-1):], "")
		}
		for i, l := range lines {
			if have[i] != l {
				return car + ": out of order or wrong: " + have[i] + ", want " + l
			}
		}
	}
	return ""
}

// topicLines reads a topic from its beginning to its present end, partition by partition.
func topicLines(broker, topic string) ([]string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := kgo.NewClient(kgo.SeedBrokers(broker), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return nil, err
	}
	defer c.Close()
	ends, err := kadm.NewClient(c).ListEndOffsets(ctx, topic)
	if err = errors.Join(err, ends.Error()); err != nil {
		return nil, err
	}
	left := map[int32]int64{}
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			left[o.Partition] = o.Offset
		}
	})
	var out []string
	for len(left) > 0 {
		fetched := c.PollFetches(ctx)
		if err := fetched.Err0(); err != nil {
			return nil, err
		}
		fetched.EachRecord(func(r *kgo.Record) {
			out = append(out, string(r.Value))
			if r.Offset+1 >= left[r.Partition] {
				delete(left, r.Partition)
			}
		})
	}
	return out, nil
}

// broker NAME: puts the address of the development broker into the variable.
func broker(ts *testscript.TestScript, _ bool, args []string) {
	seen := survey(ts)
	if seen.Broker == nil {
		ts.Fatalf("no development broker")
	}
	ts.Setenv(args[0], seen.Broker.Address)
}
