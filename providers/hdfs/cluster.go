package hdfs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/colinmarc/hdfs/v2"

	"collect/providers/internal/roll"
	"collect/runtime/flow"
)

// How long the cluster may take: to accept a connection, and for one read or write on it.
const (
	dialTimeout = 10 * time.Second
	ioTimeout   = 60 * time.Second
)

// cluster is the backend for HDFS.
//
// The client library neither bounds the time of a call nor notices by itself that an answer was lost, so every connection it
// gets does: an operation that takes too long fails, and a connection that failed stays closed, which makes the library
// connect anew. Its rename replaces what is there; so names are unique, and we look before.
type cluster struct {
	addrs []string
	host  string
	root  string
	user  string
	env   flow.Env

	mu     sync.Mutex // guards client
	client *hdfs.Client
	made   map[string]bool // directories known to exist; the gate of the sink guards it
	budget roll.DirBudget  // guarded alike

	discards sync.WaitGroup
}

var _ roll.Backend = (*cluster)(nil)

func newCluster(host, root, user string, env flow.Env) *cluster {
	var addrs []string
	for a := range strings.SplitSeq(host, ",") {
		if _, _, err := net.SplitHostPort(a); err != nil {
			a = net.JoinHostPort(a, "8020")
		}
		addrs = append(addrs, a)
	}
	return &cluster{addrs: addrs, host: host, root: root, user: user, env: env, made: map[string]bool{}}
}

// fail says what could not be done where.
func (c *cluster) fail(op, file string, err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("hdfs namenode %s: %s %s: %w for user %q: let that user write there (hdfs dfs -chown, -chmod or -setfacl), or set the sink's user",
			c.host, op, file, fs.ErrPermission, c.user)
	}
	return fmt.Errorf("hdfs namenode %s: %s %s: %w", c.host, op, file, plain(err))
}

// plain shortens the Java exceptions of the cluster to their first line. Safe mode has a second one, with its reason and what to do.
func plain(err error) error {
	if err == nil || errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var remote hdfs.Error
	if errors.As(err, &remote) {
		text := remote.Message()
		if at := strings.Index(text, "Name node is in safe mode"); at >= 0 {
			text, _, _ = strings.Cut(text[at:], " NamenodeHostName:")
			return errors.New(strings.ReplaceAll(text, "\n", " "))
		}
		first, _, _ := strings.Cut(text, "\n")
		return errors.New(first)
	}
	return err
}

// Open connects, and makes the root.
func (c *cluster) Open(ctx context.Context) error {
	c.mu.Lock()
	client := c.client
	c.mu.Unlock()
	if client == nil {
		var err error
		client, err = hdfs.NewClient(hdfs.ClientOptions{
			Addresses: c.addrs, User: c.user, NamenodeDialFunc: c.dial, DatanodeDialFunc: c.dial, UseDatanodeHostname: false,
		})
		if err != nil {
			return fmt.Errorf("hdfs namenode %s is not reachable: %w", c.host, cause(err))
		}
		c.mu.Lock()
		c.client = client
		c.mu.Unlock()
	}
	if err := client.MkdirAll(c.root, 0o755); err != nil {
		err = c.fail("make directory", c.root, err)
		return errors.Join(err, c.Close())
	}
	return nil
}

// cause is why a NameNode cannot be connected to, without the address, which is said already.
func cause(err error) error {
	text := strings.TrimPrefix(err.Error(), "no available namenodes: ")
	if _, why, ok := strings.Cut(text, ": connect: "); ok && strings.HasPrefix(text, "dial ") {
		return errors.New(why)
	}
	return err
}

// dial gives connections that end by themselves.
func (c *cluster) dial(ctx context.Context, network, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	conn, err := c.env.Net.Dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &bounded{Conn: conn}, nil
}

// with gives the client, or an error when there is none any more.
func (c *cluster) with(ctx context.Context) (*hdfs.Client, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.client == nil {
		return nil, fmt.Errorf("hdfs namenode %s: %w", c.host, fs.ErrClosed)
	}
	return c.client, nil
}

func (c *cluster) full(dir, name string) string { return path.Join(c.root, dir, name) }

// Create makes a new file.
func (c *cluster) Create(ctx context.Context, dir, name string) (roll.File, error) {
	client, err := c.with(ctx)
	if err != nil {
		return nil, err
	}
	if !c.made[dir] {
		if err := c.mkdir(client, c.full(dir, "")); err != nil {
			return nil, err
		}
		if len(c.made) > 10_000 {
			clear(c.made)
		}
		c.made[dir] = true
	}
	full := c.full(dir, name)
	w, err := client.Create(full)
	if errors.Is(err, fs.ErrNotExist) { // somebody removed the directory
		delete(c.made, dir)
	}
	if err != nil {
		return nil, c.fail("create", full, err)
	}
	return &file{c: c, name: full, w: w}, nil
}

// mkdir makes a directory, unless events have made too many: each costs the namenode memory for ever.
func (c *cluster) mkdir(client *hdfs.Client, full string) error {
	_, err := client.Stat(full)
	if errors.Is(err, fs.ErrNotExist) {
		if err := c.budget.Take(); err != nil {
			return err
		}
		err = client.MkdirAll(full, 0o755)
	}
	if err != nil {
		return c.fail("make directory", full, err)
	}
	return nil
}

// Exists says whether a name is taken.
func (c *cluster) Exists(ctx context.Context, dir, name string) (bool, error) {
	client, err := c.with(ctx)
	if err != nil {
		return false, err
	}
	full := c.full(dir, name)
	_, err = client.Stat(full)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, c.fail("stat", full, err)
	}
	return true, nil
}

// Publish renames a file. HDFS would replace what is there, so it looks first; names are unique to sink and batch, so nobody else
// makes one of that name in between.
//
// The answer to a rename may be lost, and the library then asks again by itself. So a file that is not there any more says so first,
// as a local file system does, and one that became the other while we asked was renamed by us.
func (c *cluster) Publish(ctx context.Context, dir, temp, final string) error {
	exists, err := c.Exists(ctx, dir, final)
	if err != nil {
		return err
	}
	if exists {
		if waits, err := c.Exists(ctx, dir, temp); err != nil || waits {
			return cmp.Or(err, fs.ErrExist)
		}
		return fs.ErrNotExist
	}
	client, err := c.with(ctx)
	if err != nil {
		return err
	}
	err = client.Rename(c.full(dir, temp), c.full(dir, final))
	if errors.Is(err, fs.ErrNotExist) {
		if done, lerr := c.Exists(ctx, dir, final); lerr != nil || done {
			return lerr
		}
	}
	if err != nil {
		return c.fail("rename", c.full(dir, temp), err)
	}
	return nil
}

// SyncDirs has nothing to do: the namenode answers when its log is durable.
func (c *cluster) SyncDirs(context.Context, []string) error { return nil }

// Remove removes a file.
func (c *cluster) Remove(ctx context.Context, dir, name string) error {
	client, err := c.with(ctx)
	if err != nil {
		return err
	}
	full := c.full(dir, name)
	if err := client.Remove(full); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return c.fail("remove", full, err)
	}
	return nil
}

// Close ends the connection.
func (c *cluster) Close() error {
	c.discards.Wait() // within discardTimeout
	c.mu.Lock()
	client := c.client
	c.client = nil
	c.mu.Unlock()
	if client == nil {
		return nil
	}
	_ = client.Close() // it may be broken already
	return nil
}

// file is a file in HDFS that is being written.
type file struct {
	c    *cluster
	name string
	w    *hdfs.FileWriter
}

func (f *file) WriteBlocks(bufs [][]byte) error {
	for _, b := range bufs {
		if _, err := f.w.Write(b); err != nil {
			return f.c.fail("write", f.name, err)
		}
	}
	return nil
}

// closeTries bounds how often the namenode is asked whether the last block is there: for 15 seconds, about as long as Hadoop's own
// client asks. A datanode with a busy disk takes its time.
const closeTries = 24

// Close returns when the datanodes have everything and the namenode has completed the file.
func (f *file) Close() error {
	var err error
	for try := range closeTries {
		err = f.w.Close()
		if !hdfs.IsErrReplicating(err) {
			break
		}
		time.Sleep(time.Duration(try+1) * 50 * time.Millisecond)
	}
	if err != nil {
		return f.c.fail("close", f.name, err)
	}
	return nil
}

// discardTimeout bounds how long a file that does not count any more may take to let go of its connection.
const discardTimeout = 2 * time.Second

// Discard ends the connection to the datanode. Closing is the only way to end the library's goroutines, and may take its time when the
// datanode does not answer: nobody waits for one file after the other.
func (f *file) Discard() {
	f.c.discards.Go(func() {
		_ = f.w.SetDeadline(time.Now().Add(discardTimeout)) // what comes of it does not matter
		_ = f.w.Close()
	})
}

// bounded is a connection whose every operation ends within ioTimeout, and which is closed after the first that failed.
type bounded struct {
	net.Conn
	mu   sync.Mutex // guards hard
	hard time.Time  // set by SetDeadline: counts instead
}

func (b *bounded) deadline() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.hard.IsZero() {
		return b.hard
	}
	return time.Now().Add(ioTimeout)
}

// SetDeadline sets the end of all operations; zero leaves each its own time.
func (b *bounded) SetDeadline(t time.Time) error {
	b.mu.Lock()
	b.hard = t
	b.mu.Unlock()
	if t.IsZero() {
		return nil
	}
	return b.Conn.SetDeadline(t)
}

func (b *bounded) Read(p []byte) (int, error) {
	if err := b.Conn.SetReadDeadline(b.deadline()); err != nil {
		return 0, err
	}
	n, err := b.Conn.Read(p)
	if err != nil {
		_ = b.Conn.Close() // an answer that comes too late must not be taken for the next one's
	}
	return n, err
}

func (b *bounded) Write(p []byte) (int, error) {
	if err := b.Conn.SetWriteDeadline(b.deadline()); err != nil {
		return 0, err
	}
	n, err := b.Conn.Write(p)
	if err != nil {
		_ = b.Conn.Close()
	}
	return n, err
}
