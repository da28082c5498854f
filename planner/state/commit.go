package state

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"strings"
)

// Commit finds the git commit that is checked out where a configuration lies, "" where there is none. It reads git's
// files and runs nothing, since a repository can configure commands.
func Commit(root string) string {
	for dir := root; ; dir = filepath.Dir(dir) {
		if git := gitDir(filepath.Join(dir, ".git")); git != "" {
			return head(git)
		}
		if dir == filepath.Dir(dir) {
			return ""
		}
	}
}

// gitDir gives the directory behind .git, which is a file in worktrees and submodules.
func gitDir(name string) string {
	info, err := os.Stat(name)
	if err != nil {
		return ""
	}
	if info.IsDir() {
		return name
	}
	raw, err := readFile(name, 1<<12)
	target, ok := strings.CutPrefix(strings.TrimSpace(string(raw)), "gitdir: ")
	if err != nil || !ok {
		return ""
	}
	if !filepath.IsAbs(target) {
		target = filepath.Join(filepath.Dir(name), target)
	}
	return target
}

func head(git string) string {
	text := firstLine(filepath.Join(git, "HEAD"))
	ref, symbolic := strings.CutPrefix(text, "ref: ")
	if !symbolic {
		return commitID(text)
	}
	if !filepath.IsLocal(ref) {
		return ""
	}
	dirs := []string{git}
	if common := firstLine(filepath.Join(git, "commondir")); common != "" { // of a worktree
		if !filepath.IsAbs(common) {
			common = filepath.Join(git, common)
		}
		dirs = append(dirs, common)
	}
	for _, dir := range dirs {
		if id := commitID(firstLine(filepath.Join(dir, ref))); id != "" {
			return id
		}
		if id := packed(filepath.Join(dir, "packed-refs"), ref); id != "" {
			return id
		}
	}
	return ""
}

func firstLine(name string) string {
	raw, err := readFile(name, 1<<12)
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(raw), "\n")
	return strings.TrimSpace(line)
}

func commitID(s string) string {
	if len(s) != 40 && len(s) != 64 || strings.Trim(s, "0123456789abcdef") != "" {
		return ""
	}
	return s
}

func packed(name, ref string) string {
	raw, err := readFile(name, 64<<20)
	if err != nil {
		return ""
	}
	lines := bufio.NewScanner(bytes.NewReader(raw))
	for lines.Scan() {
		if id, found := strings.CutSuffix(lines.Text(), " "+ref); found {
			return commitID(id)
		}
	}
	return ""
}
