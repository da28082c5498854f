// Package api is how the control plane and the processes of an installation talk: where their files lie, what they say on their
// control sockets, and a client. It is a leaf of plain types; the one snapshot type in it is what every view reads.
package api

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Layout says where the files of an installation lie.
//
//	DATA/owner.json           name, root directory and user of the installation
//	DATA/runtime              the runtime directory, one line, written when it is first made
//	DATA/lock                 held by plan (shared) and apply (exclusive)
//	DATA/state.json           what apply must remember
//	DATA/key                  key of secret fingerprints
//	DATA/supervisor.lock      held by the supervisor
//	DATA/supervisor.log
//	DATA/bin/BUILD/collect    the program that supervisor and agents run
//	DATA/work/                path.data of the configuration
//	DATA/agents/ID/           meta.json spec.json secrets desired lock agent.log data/
//	DATA/broker/              meta.json desired lock broker.log data/ of the development broker
//	DATA/kept/ID/             positions of destroyed agents
//	RUN/supervisor.sock, RUN/ID.sock, RUN/broker.sock
type Layout struct {
	Data string
	Run  string
}

// NewLayout finds the runtime directory that belongs to a data directory: the recorded one, else one in runtimeBase
// (XDG_RUNTIME_DIR), else one in the system's temporary directory. It makes nothing.
func NewLayout(data, runtimeBase string) Layout {
	if raw, err := os.ReadFile(filepath.Join(data, "runtime")); err == nil {
		return Layout{Data: data, Run: strings.TrimSpace(string(raw))}
	}
	sum := sha256.Sum256([]byte(data))
	id := hex.EncodeToString(sum[:6])
	if filepath.IsAbs(runtimeBase) && len(runtimeBase) < 48 { // a relative one means nothing, says its specification
		return Layout{Data: data, Run: filepath.Join(runtimeBase, "collect", id)}
	}
	return Layout{Data: data, Run: fmt.Sprintf("/tmp/collect-%d/%s", os.Getuid(), id)}
}

// AgentID gives the name of an agent's directory: readable, short, and different for different addresses.
func AgentID(address string) string {
	sum := sha256.Sum256([]byte(address))
	readable := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '-', r == '_':
			return r
		case r >= 'A' && r <= 'Z':
			return r + ('a' - 'A')
		case r == '.' || r == '[':
			return '-'
		}
		return -1
	}, strings.TrimPrefix(address, "agent."))
	return fmt.Sprintf("%.24s-%s", strings.Trim(readable, "-"), hex.EncodeToString(sum[:4]))
}

// AgentDir is the directory of an agent.
func (l Layout) AgentDir(id string) string { return filepath.Join(l.Data, "agents", id) }

// SourceDir is where an agent's data have what its sources remember: below it in a directory of this name for each.
func SourceDir(source string) string { return "source." + source }

// PositionsOf says whether a source of this name and type left its positions with an agent. A file that cannot be read is the agent's to
// complain about.
func (l Layout) PositionsOf(id, source, typ string) bool {
	for _, name := range []string{"positions", "positions." + typ} {
		raw, err := os.ReadFile(filepath.Join(l.AgentDir(id), "data", SourceDir(source), name))
		if err != nil {
			return false
		}
		_, body, _ := bytes.Cut(raw, []byte("\n"))
		var of struct{ Type string }
		if json.Unmarshal(body, &of) == nil && of.Type == typ {
			return true
		}
	}
	return false
}

// AgentsDir holds the directories of all agents.
func (l Layout) AgentsDir() string { return filepath.Join(l.Data, "agents") }

// AgentSocket is the control socket of an agent.
func (l Layout) AgentSocket(id string) string { return filepath.Join(l.Run, id+".sock") }

// SupervisorSocket is the control socket of the supervisor.
func (l Layout) SupervisorSocket() string { return filepath.Join(l.Run, "supervisor.sock") }

// BrokerDir is the directory of the development broker.
func (l Layout) BrokerDir() string { return filepath.Join(l.Data, "broker") }

// Work is path.data.
func (l Layout) Work() string { return filepath.Join(l.Data, "work") }

// Kept holds the positions of destroyed agents.
func (l Layout) Kept() string { return filepath.Join(l.Data, "kept") }
