package script

import (
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"

	hdfsclient "github.com/colinmarc/hdfs/v2"
	"github.com/rogpeppe/go-internal/testscript"
)

// safemode: the NameNode of ownhdfs takes no changes. ! safemode: it takes them again.
func safeMode(ts *testscript.TestScript, neg bool, _ []string) {
	ts.Value(holderKey{}).(*holder).cluster.SafeMode(tb(ts), !neg)
}

// hdfsdir NAMENODE DIR MODE: makes a directory of the user that runs the tests, or changes its mode.
func hdfsDir(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 3 || neg {
		ts.Fatalf("usage: hdfsdir NAMENODE DIR MODE")
	}
	mode, err := strconv.ParseUint(args[2], 8, 32)
	ts.Check(err)
	me, err := user.Current()
	ts.Check(err)
	c, err := hdfsclient.NewClient(hdfsclient.ClientOptions{Addresses: []string{args[0]}, User: me.Username})
	ts.Check(err)
	defer c.Close()
	ts.Check(c.MkdirAll(args[1], 0o755))
	ts.Check(c.Chmod(args[1], os.FileMode(mode)))
}

// hdfslines LIMIT N NAMENODE DIR: the files below DIR come to hold exactly N lines, none twice.
func hdfsLines(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 4 || neg {
		ts.Fatalf("usage: hdfslines LIMIT N NAMENODE DIR")
	}
	want, err := strconv.Atoi(args[1])
	ts.Check(err)
	got := hdfsHas(ts, args[0], want, args[2], args[3])
	different := slices.Compact(slices.Sorted(slices.Values(got)))
	if len(got) != want || len(different) != want {
		ts.Fatalf("%s: %d lines, %d different, want %d", args[3], len(got), len(different), want)
	}
}

// hdfsonce LIMIT NAMENODE DIR FILE: each line of the file comes to stand in the files below DIR, exactly once, and nothing else does.
func hdfsOnce(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 4 || neg {
		ts.Fatalf("usage: hdfsonce LIMIT NAMENODE DIR FILE")
	}
	want := allLines(ts, args[3])
	missing, doubled, strange := compare(want, hdfsHas(ts, args[0], len(want), args[1], args[2]))
	if missing+doubled+strange > 0 {
		ts.Fatalf("%d lines: %d missing, %d more than once, %d strange", len(want), missing, doubled, strange)
	}
}

// hdfsHas reads all files below a directory until they hold so many lines, or the time is over. Files that are still written do not count.
func hdfsHas(ts *testscript.TestScript, within string, lines int, namenode, dir string) (all []string) {
	c, err := hdfsclient.NewClient(hdfsclient.ClientOptions{Addresses: []string{namenode}, User: "root"})
	ts.Check(err)
	defer c.Close()
	poll(limit(ts, within), func() bool {
		all = nil
		err = c.Walk(dir, func(path string, info os.FileInfo, err error) error {
			if err != nil || info.IsDir() || strings.HasSuffix(path, ".tmp") {
				return nil // not there yet
			}
			raw, err := c.ReadFile(path)
			all = slices.AppendSeq(all, strings.Lines(string(raw)))
			return err
		})
		return err == nil && len(all) >= lines // a DataNode that was killed is read again when it is back
	})
	ts.Check(err)
	return all
}
