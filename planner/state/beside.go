package state

import (
	"encoding/json"
	"os"
	"path/filepath"
)

// Beside gives the installations whose data directories lie beside one, that were made from the same configuration directory and
// still have agents: it is the same configuration under an earlier name. What cannot be read is nobody's business here.
func Beside(dir, root string) []string {
	parent := filepath.Dir(dir)
	entries, err := os.ReadDir(parent)
	if err != nil {
		return nil
	}
	var names []string
	for _, e := range entries {
		other := filepath.Join(parent, e.Name())
		if other == filepath.Clean(dir) || !e.IsDir() {
			continue
		}
		raw, err := readFile(filepath.Join(other, "owner.json"), 1<<16)
		if err != nil {
			continue
		}
		var had Owner
		if json.Unmarshal(raw, &had) != nil || had.Root != root || had.UID != os.Geteuid() {
			continue
		}
		if agents, err := os.ReadDir(filepath.Join(other, "agents")); err == nil && len(agents) > 0 {
			names = append(names, had.Name)
		}
	}
	return names
}
