package providertest

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// What follows is for the tests of sinks that write files into a directory.

// Visible gives the files below dir that are not hidden, by path, with their content.
func Visible(t testing.TB, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	walk(t, dir, func(name, path string) {
		if strings.HasPrefix(name, ".") {
			return
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			t.Fatal(err)
		}
		out[rel] = string(raw)
	})
	return out
}

// Hidden gives the names of hidden files below dir, such as temporary ones.
func Hidden(t testing.TB, dir string) (names []string) {
	t.Helper()
	walk(t, dir, func(name, _ string) {
		if strings.HasPrefix(name, ".") {
			names = append(names, name)
		}
	})
	return names
}

// walk visits the files below dir; those that are renamed meanwhile may be missed.
func walk(t testing.TB, dir string, visit func(name, path string)) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		visit(e.Name(), path)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Lines cuts a text.
func Lines(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}

// Contents gives the lines of all visible files below dir, in the order of their names.
func Contents(t testing.TB, dir string) (all []string) {
	t.Helper()
	files := Visible(t, dir)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		all = append(all, Lines(files[name])...)
	}
	return all
}

// Escaped is how a sink of lines writes a body.
func Escaped(body string) string { return strings.ReplaceAll(body, "\n", `\n`) }
