package script

import (
	"bufio"
	"os"
	"strconv"
	"strings"

	hdfsclient "github.com/colinmarc/hdfs/v2"
	"github.com/rogpeppe/go-internal/testscript"
)

// hdfslines LIMIT N NAMENODE DIR: the files below DIR come to hold exactly N lines, none twice.
func hdfsLines(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 4 || neg {
		ts.Fatalf("usage: hdfslines LIMIT N NAMENODE DIR")
	}
	want, err := strconv.Atoi(args[1])
	ts.Check(err)
	c, err := hdfsclient.NewClient(hdfsclient.ClientOptions{Addresses: []string{args[2]}, User: "root"})
	ts.Check(err)
	defer c.Close()
	var seen map[string]int
	total := 0
	ok := poll(limit(ts, args[0]), func() bool {
		seen, total = map[string]int{}, 0
		ts.Check(c.Walk(args[3], func(path string, info os.FileInfo, err error) error {
			if err != nil || info.IsDir() || strings.HasSuffix(path, ".tmp") {
				return nil // not there yet, or still written
			}
			f, err := c.Open(path)
			if err != nil {
				return err
			}
			defer f.Close()
			for lines := bufio.NewScanner(f); lines.Scan(); total++ {
				seen[lines.Text()]++
			}
			return nil
		}))
		return total >= want
	})
	if !ok || total != want || len(seen) != want {
		ts.Fatalf("%s: %d lines, %d different, want %d", args[3], total, len(seen), want)
	}
}
