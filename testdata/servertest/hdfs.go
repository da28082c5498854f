package servertest

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/user"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/colinmarc/hdfs/v2"
)

// Cluster is a NameNode and a DataNode of one's own, for tests that kill them.
type Cluster struct {
	NameNode   string // host:port for hdfs://
	dir, lib   string
	http       int
	name, data *process
}

// NewHDFS starts a file system that stops with the test.
func NewHDFS(t testing.TB) *Cluster {
	t.Helper()
	need(t, "HDFS")
	h, err := retried(startHDFS)
	if err != nil {
		t.Fatalf("start HDFS: %v", err)
	}
	t.Cleanup(h.Stop)
	return h
}

func startHDFS() (*Cluster, error) {
	lib, err := jars("hdfs")
	if err != nil {
		return nil, err
	}
	dir, err := workDir("hdfs")
	if err != nil {
		return nil, err
	}
	ports, err := freePorts(5)
	if err != nil {
		return nil, err
	}
	h := &Cluster{NameNode: fmt.Sprintf("127.0.0.1:%d", ports[0]), dir: dir, lib: lib, http: ports[1]}
	if err := write(dir, h.files(ports)); err != nil {
		return nil, err
	}
	format, err := h.java("format", "org.apache.hadoop.hdfs.server.namenode.NameNode", "-format", "-nonInteractive")
	if err != nil {
		return nil, err
	}
	<-format.dead
	if !format.cmd.ProcessState.Success() {
		return nil, fmt.Errorf("format the NameNode:\n%s", tail(format.log))
	}
	shared.onStop(h.Stop)
	if h.name, err = h.java("namenode", "org.apache.hadoop.hdfs.server.namenode.NameNode"); err != nil {
		return nil, err
	}
	if h.data, err = h.java("datanode", "org.apache.hadoop.hdfs.server.datanode.DataNode"); err != nil {
		return nil, err
	}
	if err := await("a live DataNode", h.live, h.name, h.data); err != nil {
		h.Stop()
		return nil, fmt.Errorf("%w\n%s", err, tail(h.data.log))
	}
	if err := h.open(); err != nil {
		h.Stop()
		return nil, fmt.Errorf("let everybody make directories: %w", err)
	}
	return h, nil
}

func (h *Cluster) files(ports []int) map[string]string {
	property := func(name, value string) string {
		return fmt.Sprintf("<property><name>%s</name><value>%s</value></property>\n", name, value)
	}
	local := func(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }
	return map[string]string{
		"conf/core-site.xml": "<configuration>\n" + property("fs.defaultFS", "hdfs://"+h.NameNode) + property("hadoop.tmp.dir", h.dir+"/tmp") + "</configuration>\n",
		"conf/hdfs-site.xml": "<configuration>\n" +
			property("dfs.replication", "1") +
			property("dfs.permissions.enabled", "true") + // they do not bind the user that runs the tests
			property("dfs.namenode.name.dir", "file://"+h.dir+"/nn") +
			property("dfs.datanode.data.dir", "file://"+h.dir+"/dn") +
			property("dfs.namenode.http-address", local(ports[1])) +
			property("dfs.datanode.address", local(ports[2])) +
			property("dfs.datanode.ipc.address", local(ports[3])) +
			property("dfs.datanode.http.address", local(ports[4])) +
			property("dfs.datanode.hostname", "127.0.0.1") +
			property("dfs.namenode.datanode.registration.ip-hostname-check", "false") +
			property("dfs.namenode.safemode.extension", "0") +
			property("dfs.heartbeat.interval", "1") +
			property("dfs.namenode.heartbeat.recheck-interval", "1000") +
			property("dfs.client.block.write.replace-datanode-on-failure.policy", "NEVER") +
			"</configuration>\n",
		"conf/log4j.properties": `
log4j.rootLogger=INFO,C
log4j.appender.C=org.apache.log4j.ConsoleAppender
log4j.appender.C.target=System.err
log4j.appender.C.layout=org.apache.log4j.PatternLayout
log4j.appender.C.layout.ConversionPattern=%d %p %c{1}: %m%n
`,
		// The jars have no web pages, and the servers' HTTP side wants the folders.
		"conf/webapps/hdfs/index.html":     "",
		"conf/webapps/datanode/index.html": "",
	}
}

func (h *Cluster) java(name, class string, args ...string) (*process, error) {
	all := []string{"-Xmx192m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"}
	for _, pkg := range []string{"java.lang", "java.io", "java.nio", "sun.nio.ch"} {
		all = append(all, "--add-opens=java.base/"+pkg+"=ALL-UNNAMED")
	}
	all = append(all, "-Dhadoop.home.dir="+h.dir, "-cp", filepath.Join(h.dir, "conf")+":"+h.lib+"/*", class)
	return spawn("HDFS "+name, filepath.Join(h.dir, name+".log"), append(all, args...)...)
}

// live says whether the NameNode has its DataNode.
func (h *Cluster) live() bool {
	client := http.Client{Timeout: 2 * time.Second}
	reply, err := client.Get(fmt.Sprintf("http://127.0.0.1:%d/jmx?qry=Hadoop:service=NameNode,name=FSNamesystemState", h.http))
	if err != nil {
		return false
	}
	defer reply.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(reply.Body, 1<<20))
	return err == nil && strings.Contains(string(raw), `"NumLiveDataNodes" : 1`)
}

// open lets all users make directories in the root.
func (h *Cluster) open() error {
	me, err := user.Current()
	if err != nil {
		return err
	}
	c, err := hdfs.NewClient(hdfs.ClientOptions{Addresses: []string{h.NameNode}, User: me.Username})
	if err != nil {
		return err
	}
	return errors.Join(c.Chmod("/", 0o777), c.Close())
}

// Stop ends both servers; a second call does nothing.
func (h *Cluster) Stop() {
	h.data.kill(syscall.SIGTERM)
	h.name.kill(syscall.SIGTERM)
}

// SafeMode lets the NameNode refuse all changes, or take them again.
func (h *Cluster) SafeMode(t testing.TB, on bool) {
	t.Helper()
	do := "leave"
	if on {
		do = "enter"
	}
	p, err := h.java("dfsadmin", "org.apache.hadoop.hdfs.tools.DFSAdmin", "-safemode", do)
	if err != nil {
		t.Fatal(err)
	}
	if <-p.dead; !p.cmd.ProcessState.Success() {
		t.Fatalf("safe mode: %s\n%s", do, tail(p.log))
	}
}

// KillDataNode ends the DataNode as kill -9 does.
func (h *Cluster) KillDataNode() { h.data.kill(syscall.SIGKILL) }

// StartDataNode runs the DataNode again on its data and waits until the NameNode has it.
func (h *Cluster) StartDataNode(t testing.TB) {
	t.Helper()
	p, err := h.java("datanode", "org.apache.hadoop.hdfs.server.datanode.DataNode")
	if err != nil {
		t.Fatal(err)
	}
	h.data = p
	if err := await("known to the NameNode", h.live, p); err != nil {
		t.Fatal(err)
	}
}
