package file

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"collect/hclspec/schema"
	"collect/providers/providertest"
	"collect/runtime/flow"
)

func TestCloseWhenPublishesTheFileUnderItsName(t *testing.T) {
	dir := t.TempDir()
	cfg := perEvent(`"` + dir + `/SmartCarStatusInfo_${event.headers.date}.txt"`)
	cfg.CloseWhen = schema.Expr{Src: "can(event.headers.last)"}
	d := start(t, cfg, providertest.Env(t))
	day := flow.Header{Name: "date", Value: []byte("20260101")}
	last := flow.Header{Name: "last", Value: []byte("true")}
	for range 2 {
		for range 10 {
			d.Must([]string{"line", "line"}, day)
		}
		if _, done := d.Result(1); len(providertest.Visible(t, dir)) > 1 || !done && len(providertest.Visible(t, dir)) != 0 {
			t.Fatalf("visible before its end: %v", providertest.Visible(t, dir))
		}
		d.Must([]string{"end"}, day, last)
		d.Flush()
	}
	d.Close()
	files := providertest.Visible(t, dir)
	if len(files) != 2 || len(providertest.Lines(files["SmartCarStatusInfo_20260101.txt"])) != 21 {
		t.Errorf("files: %v", slices.Sorted(maps.Keys(files)))
	}
	for name, content := range files {
		if !strings.HasPrefix(name, "SmartCarStatusInfo_20260101") || !strings.HasSuffix(name, ".txt") || len(providertest.Lines(content)) != 21 {
			t.Errorf("%s has %d lines", name, len(providertest.Lines(content)))
		}
	}
	if left := providertest.Hidden(t, dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestCloseWhenEndsAFileInTheMiddleOfABatch(t *testing.T) {
	dir := t.TempDir()
	cfg := perEvent(`"` + dir + `/all.txt"`)
	cfg.Path = schema.Expr{Const: dir + "/all.txt"}
	cfg.CloseWhen = schema.Expr{Src: `event.body == "end"`}
	env := providertest.Env(t)
	d := start(t, cfg, env)
	d.Must([]string{"a", "end", "b", "c", "end", "d"})
	d.Flush()
	d.Close()
	var got []string
	for _, c := range providertest.Visible(t, dir) {
		got = append(got, strings.ReplaceAll(c, "\n", " "))
	}
	slices.Sort(got)
	if diff := cmp.Diff([]string{"a end ", "b c end ", "d "}, got); diff != "" {
		t.Error(diff)
	}
}

func TestRollByEventsIsExact(t *testing.T) {
	dir := t.TempDir()
	cfg := constant(dir + "/all.txt")
	cfg.Roll = &Roll{Events: 10}
	d := start(t, cfg, providertest.Env(t))
	var all []string
	for i := range 7 {
		b := []string{}
		for k := range 5 {
			b = append(b, fmt.Sprintf("%03d", i*5+k))
		}
		all = append(all, b...)
		d.Must(b)
	}
	d.Flush()
	d.Close()
	sizes := []int{}
	for _, c := range providertest.Visible(t, dir) {
		sizes = append(sizes, len(providertest.Lines(c)))
	}
	slices.Sort(sizes)
	if !slices.Equal(sizes, []int{5, 10, 10, 10}) || !slices.Equal(providertest.Contents(t, dir), all) {
		t.Errorf("files of %v events", sizes)
	}
}

func TestKeepRemovesOldFiles(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/other.txt", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := constant(dir + "/all.txt")
	cfg.Roll, cfg.Keep = &Roll{Events: 1}, &Keep{Files: 3}
	d := start(t, cfg, providertest.Env(t))
	for i := range 8 {
		d.Must([]string{fmt.Sprint(i)})
		d.Flush()
	}
	providertest.Eventually(t, "old files go", func() bool { return len(providertest.Visible(t, dir)) == 4 })
	d.Close()
	if got := providertest.Contents(t, dir); !slices.Equal(got, []string{"5", "6", "7"}) {
		t.Errorf("kept %q", got)
	}
}

func TestKeepLeavesFilesOfOthersAlone(t *testing.T) {
	dir := t.TempDir()
	foreign := []string{"app-notes.log", "app.log.bak", "app-1.log"}
	for _, name := range foreign {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cfg := perEvent(`"` + dir + `/${event.body}.log"`)
	cfg.Roll, cfg.Keep = &Roll{Events: 1}, &Keep{Files: 1}
	d := start(t, cfg, providertest.Env(t))
	for range 2 { // the names of one path begin with the other
		d.Must([]string{"app-2"})
		d.Flush()
		d.Must([]string{"app"})
		d.Flush()
	}
	d.Close()
	got := providertest.Contents(t, dir)
	slices.Sort(got)
	want := append([]string{"app", "app-2"}, foreign...)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("left are %q, want %q", got, want)
	}
}

func TestIdleAndIntervalEndFiles(t *testing.T) {
	for name, roll := range map[string]Roll{"idle": {Idle: 30 * time.Millisecond}, "interval": {Interval: 30 * time.Millisecond}} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			cfg := constant(dir + "/all.txt")
			cfg.Roll = &roll
			d := start(t, cfg, providertest.Env(t))
			d.Must([]string{"x"})
			providertest.Eventually(t, "the file appears", func() bool { return len(providertest.Visible(t, dir)) == 1 })
			d.Close()
		})
	}
}
