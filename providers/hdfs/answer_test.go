package hdfs

import (
	"bytes"
	"context"
	"errors"
	"net"
	"slices"
	"sync/atomic"
	"testing"

	"collect/providers/internal/roll"
	"collect/providers/providertest"
	"collect/runtime/flow"
	"collect/testdata/servertest"
)

// deaf is a network that loses the answers to requests which hold a text. The requests themselves arrive.
type deaf struct {
	flow.Net
	text []byte
	left atomic.Int32 // how many more answers are lost
}

func (d *deaf) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := d.Net.Dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &deafConn{Conn: c, d: d}, nil
}

type deafConn struct {
	net.Conn
	d    *deaf
	lose bool
}

func (c *deafConn) Write(p []byte) (int, error) {
	c.lose = c.lose || bytes.Contains(p, c.d.text) && c.d.left.Add(-1) >= 0
	return c.Conn.Write(p)
}

func (c *deafConn) Read(p []byte) (int, error) {
	if !c.lose {
		return c.Conn.Read(p)
	}
	_, _ = c.Conn.Read(make([]byte, len(p))) // it has been answered
	return 0, errors.New("the connection broke before the answer came")
}

// A rename whose answer is lost was done all the same: its file must be recognised, not written again.
func TestARenameWhoseAnswerIsLostIsNotRepeated(t *testing.T) {
	nn, root := servertest.HDFS(t), servertest.Unique("/answers")
	env := providertest.Env(t)
	d := &deaf{Net: env.Net, text: []byte("rename")}
	env.Net = d
	del := start(t, config("hdfs://"+nn+root), env)
	del.Must([]string{"1", "2"})
	d.left.Store(1)
	del.Flush()
	if d.left.Load() > 0 {
		t.Error("no answer was lost")
	}
	if r, ok := del.Result(1); !ok || r.Err != nil {
		t.Errorf("result %+v", r)
	}
	del.Close()
	got, hidden := received(t, client(t, nn), root)
	slices.Sort(got)
	if !slices.Equal(got, []string{"1", "2"}) || len(hidden) > 0 {
		t.Errorf("HDFS holds %v and the temporary files %v", got, hidden)
	}
}

// Each directory costs the namenode memory for ever, so events cannot make them without end. Those that exist are no new ones.
func TestEventsCannotMakeDirectoriesWithoutEnd(t *testing.T) {
	c := newCluster(servertest.HDFS(t), servertest.Unique("/budget"), "collect", providertest.Env(t))
	c.budget.Max = 3
	if err := c.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	create := func(dir string) error {
		f, err := c.Create(t.Context(), dir, "x")
		if err == nil {
			f.Discard()
		}
		return err
	}
	for _, dir := range []string{"a", "b", "c"} {
		if err := create(dir); err != nil {
			t.Fatal(err)
		}
	}
	if err := create("d"); !errors.Is(err, roll.ErrTooManyDirs) {
		t.Errorf("a fourth new directory: %v", err)
	}
	clear(c.made)
	if err := c.Remove(t.Context(), "a", "x"); err != nil {
		t.Fatal(err)
	}
	if err := create("a"); err != nil {
		t.Errorf("a directory that exists: %v", err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
}
