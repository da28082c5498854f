package topic

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/agext/levenshtein"
)

// setting is what Kafka takes for a setting of a topic.
type setting struct {
	kind     kind
	min, max float64
	words    []string
}

type kind uint8

const (
	number kind = iota // whole
	fraction
	yesNo
	word
	list // of words, with commas; no words: anything
)

// settings are the settings that topics have in Kafka 3 and 4.
func settings() map[string]setting {
	long := func(min float64) setting { return setting{kind: number, min: min, max: math.MaxInt64} }
	integer := func(min float64) setting { return setting{kind: number, min: min, max: math.MaxInt32} }
	flag := setting{kind: yesNo}
	return map[string]setting{
		"cleanup.policy":                          {kind: list, words: []string{"compact", "delete"}},
		"compression.gzip.level":                  {kind: number, min: -1, max: 9},
		"compression.lz4.level":                   {kind: number, min: 1, max: 17},
		"compression.zstd.level":                  {kind: number, min: -131072, max: 22},
		"compression.type":                        {kind: word, words: []string{"producer", "uncompressed", "gzip", "snappy", "lz4", "zstd"}},
		"delete.retention.ms":                     long(0),
		"errors.deadletterqueue.group.enable":     flag,
		"file.delete.delay.ms":                    long(0),
		"flush.messages":                          long(1),
		"flush.ms":                                long(0),
		"follower.replication.throttled.replicas": {kind: list},
		"index.interval.bytes":                    integer(0),
		"leader.replication.throttled.replicas":   {kind: list},
		"local.retention.bytes":                   long(-2),
		"local.retention.ms":                      long(-2),
		"max.compaction.lag.ms":                   long(1),
		"max.decompressed.message.bytes":          integer(0),
		"max.message.bytes":                       integer(0),
		"message.timestamp.after.max.ms":          long(0),
		"message.timestamp.before.max.ms":         long(0),
		"message.timestamp.type":                  {kind: word, words: []string{"CreateTime", "LogAppendTime"}},
		"min.cleanable.dirty.ratio":               {kind: fraction, min: 0, max: 1},
		"min.compaction.lag.ms":                   long(0),
		"min.insync.replicas":                     integer(1),
		"preallocate":                             flag,
		"remote.copy.lag.bytes":                   long(-2),
		"remote.copy.lag.ms":                      long(-2),
		"remote.log.copy.disable":                 flag,
		"remote.log.delete.on.disable":            flag,
		"remote.storage.enable":                   flag,
		"retention.bytes":                         long(-1),
		"retention.ms":                            long(-1),
		"segment.bytes":                           integer(14),
		"segment.index.bytes":                     integer(4),
		"segment.jitter.ms":                       long(0),
		"segment.ms":                              long(1),
		"unclean.leader.election.enable":          flag,
	}
}

// checkSetting refuses what the brokers would.
func checkSetting(key, value string) error {
	all := settings()
	s, ok := all[key]
	if !ok {
		return fmt.Errorf("config: topics have no setting %q%s", key, near(key, all))
	}
	if why := s.wrong(value); why != "" {
		return fmt.Errorf("config: %s = %q %s", key, value, why)
	}
	return nil
}

func near(key string, all map[string]setting) string {
	best, distance := "", 4
	for name := range all {
		if d := levenshtein.Distance(key, name, nil); d < distance || d == distance && name < best {
			best, distance = name, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(". Did you mean %q?", best)
}

// wrong says what is wrong with a value, or "".
func (s setting) wrong(value string) string {
	switch s.kind {
	case number:
		n, err := whole(value)
		if err != nil {
			return "is not a whole number"
		}
		if float64(n) < s.min || float64(n) > s.max {
			return s.bounds()
		}
	case fraction:
		f, err := strconv.ParseFloat(value, 64)
		if err != nil || f != f {
			return "is not a number"
		}
		if f < s.min || f > s.max {
			return s.bounds()
		}
	case yesNo:
		if value != "true" && value != "false" {
			return "is neither true nor false"
		}
	case word:
		if !slices.Contains(s.words, value) {
			return "is not one of " + strings.Join(s.words, ", ")
		}
	case list:
		for _, w := range split(value) {
			if len(s.words) > 0 && !slices.Contains(s.words, w) {
				return "is not a list of " + strings.Join(s.words, ", ")
			}
		}
	}
	return ""
}

func (s setting) bounds() string {
	if s.max >= math.MaxInt32 {
		return fmt.Sprintf("is less than %v, or too large", s.min)
	}
	return fmt.Sprintf("is not between %v and %v", s.min, s.max)
}

func whole(s string) (int64, error) { return strconv.ParseInt(s, 10, 64) }

func split(s string) []string {
	var out []string
	for w := range strings.SplitSeq(s, ",") {
		if w = strings.TrimSpace(w); w != "" {
			out = append(out, w)
		}
	}
	slices.Sort(out)
	return out
}

// same says whether two values of a setting mean the same.
func same(key, a, b string) bool {
	if a == b {
		return true
	}
	switch settings()[key].kind {
	case number, fraction:
		x, errX := strconv.ParseFloat(a, 64)
		y, errY := strconv.ParseFloat(b, 64)
		return errX == nil && errY == nil && x == y
	case list:
		return slices.Equal(split(a), split(b))
	case yesNo:
		return strings.EqualFold(a, b)
	}
	return false
}
