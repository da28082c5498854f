package roll

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"collect/providers/internal/roll/internal/journal"
	"collect/runtime/flow"
)

// unique gives the part of a name that no other file has: agent, channel, its opening, and the first batch in the file.
func (s *Sink) unique(id flow.ID) string {
	agent := agentName(s.env.Agent)
	if id == (flow.ID{}) {
		s.counter++
		return fmt.Sprintf("%s-%s-%010d", agent, s.run(), s.counter)
	}
	return fmt.Sprintf("%s-%s-%d-%010d", agent, hex.EncodeToString(id.Channel[:4]), id.Epoch, id.Seq)
}

// IsUnique says whether a text is such a part of a name, made for the agent of that address, perhaps with a number behind it.
func IsUnique(address, text string) bool {
	rest, ok := strings.CutPrefix(text, agentName(address)+"-")
	if !ok {
		return false
	}
	parts := strings.Split(rest, "-")
	if _, err := hex.DecodeString(parts[0]); err != nil || len(parts[0]) != 8 || len(parts) < 2 {
		return false
	}
	return !slices.ContainsFunc(parts[1:], func(p string) bool {
		_, err := strconv.ParseUint(strings.TrimPrefix(p, "r"), 10, 64)
		return err != nil
	})
}

// run gives a number of this run.
func (s *Sink) run() string {
	if s.runID == "" {
		s.runID = fmt.Sprintf("%08x", uint32(s.env.Rand.Uint64()))
	}
	return s.runID
}

// agentName turns agent.a["5"] into a-5.
func agentName(address string) string {
	name := strings.TrimPrefix(address, "agent.")
	clean := make([]byte, 0, len(name))
	for i := range len(name) {
		switch c := name[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_':
			clean = append(clean, c)
		case len(clean) > 0 && clean[len(clean)-1] != '-':
			clean = append(clean, '-')
		}
	}
	name = strings.Trim(string(clean), "-")
	if len(name) > 40 {
		name = name[:40]
	}
	return name
}

// tempName gives a hidden name that holds the sink's id and that no run has used.
func (s *Sink) tempName(final string) string {
	if len(final) > 160 {
		final = strings.ToValidUTF8(final[:160], "")
	}
	s.temporary++
	return "." + final + "." + s.id + "-" + s.run() + "-" + strconv.FormatInt(s.temporary, 36) + s.o.InUse
}

func (s *Sink) url(dir, name string) string {
	u := s.o.Path.URL()
	if dir != "" {
		u += "/" + dir
	}
	return u + "/" + name
}

// shutdown ends the sink; its goroutines have ended. Groups that are in the intent are completed by the next run, the others
// are given up.
func (s *Sink) shutdown(ctx context.Context) error {
	if !s.opened {
		return nil
	}
	s.opened = false
	s.sealAll()
	if s.current != nil {
		s.queue = append(s.queue, s.current)
	}
	open := false
	for _, g := range s.queue {
		if g.intended {
			open = true
			continue
		}
		s.discard(ctx, g)
	}
	s.queue, s.current = nil, nil
	var err error
	if !open && s.done != s.before {
		err = journal.WriteIntent(s.dir, s.o.Path.URL(), nil, s.done)
	}
	if err == nil && !open && len(s.leftover) == 0 {
		err = journal.ClearTemps(s.dir)
	}
	return errors.Join(err, s.temps.Close(), s.backend.Close(), s.dir.Close())
}
