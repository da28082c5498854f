package servertest

import (
	"fmt"
	"path/filepath"
	"syscall"
	"testing"
)

// Broker is a broker of one's own, for tests that kill it.
type Broker struct {
	Bootstrap string // host:port
	dir, lib  string
	port      int
	p         *process
}

// NewKafka starts a broker that stops with the test.
func NewKafka(t testing.TB) *Broker {
	t.Helper()
	need(t, "Kafka")
	k, err := retried(startKafka)
	if err != nil {
		t.Fatalf("start Kafka: %v", err)
	}
	t.Cleanup(k.Stop)
	return k
}

func startKafka() (*Broker, error) {
	lib, err := jars("kafka")
	if err != nil {
		return nil, err
	}
	dir, err := workDir("kafka")
	if err != nil {
		return nil, err
	}
	ports, err := freePorts(2)
	if err != nil {
		return nil, err
	}
	k := &Broker{Bootstrap: fmt.Sprintf("127.0.0.1:%d", ports[0]), dir: dir, lib: lib, port: ports[0]}
	// Events of tests have times of their own, some long ago: a retention that counts from them would delete what was just written.
	properties := fmt.Sprintf(`
node.id=1
process.roles=broker,controller
controller.quorum.voters=1@127.0.0.1:%[2]d
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:%[1]d,CONTROLLER://127.0.0.1:%[2]d
advertised.listeners=PLAINTEXT://127.0.0.1:%[1]d
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
log.dirs=%[3]s
auto.create.topics.enable=false
default.replication.factor=1
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
log.retention.ms=-1
`, ports[0], ports[1], filepath.Join(dir, "data"))
	if err := write(dir, map[string]string{"server.properties": properties}); err != nil {
		return nil, err
	}
	format, err := spawn("Kafka's formatter", k.log(), "-cp", lib+"/*", "kafka.tools.StorageTool", "format", "-t", "AAAAAAAAAAAAAAAAAAAAAQ", "-c", k.conf())
	if err != nil {
		return nil, err
	}
	<-format.dead
	if !format.cmd.ProcessState.Success() {
		return nil, fmt.Errorf("format the broker's directory:\n%s", tail(k.log()))
	}
	shared.onStop(k.Stop)
	return k, k.start()
}

func (k *Broker) log() string  { return filepath.Join(k.dir, "kafka.log") }
func (k *Broker) conf() string { return filepath.Join(k.dir, "server.properties") }

func (k *Broker) start() error {
	p, err := spawn("Kafka", k.log(), "-Xmx256m", "-Xms128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", k.lib+"/*", "kafka.Kafka", k.conf())
	if err != nil {
		return err
	}
	k.p = p
	return await("accepting connections", func() bool { return accepts(k.port) }, p)
}

// Stop ends the broker; a second call does nothing.
func (k *Broker) Stop() {
	k.p.signal(syscall.SIGCONT)
	k.p.kill(syscall.SIGTERM)
}

// Hang stops the broker's process: its connections stay, and nothing answers.
func (k *Broker) Hang() { k.p.signal(syscall.SIGSTOP) }

// GoOn lets it go on.
func (k *Broker) GoOn() { k.p.signal(syscall.SIGCONT) }

// Kill ends the broker as kill -9 does.
func (k *Broker) Kill() { k.p.kill(syscall.SIGKILL) }

// Start runs the broker again on the same port and data.
func (k *Broker) Start(t testing.TB) {
	t.Helper()
	if err := k.start(); err != nil {
		t.Fatal(err)
	}
}
