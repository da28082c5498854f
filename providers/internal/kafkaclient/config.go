// Package kafkaclient is what everything that talks to Kafka shares: the settings of provider "kafka", what they become for the
// client library, and the admin calls of the control plane. Every call ends within a bounded time, and its error names the
// broker and the cause.
package kafkaclient

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"collect/hclspec/schema"
	"collect/providers/internal/secure"
	"collect/runtime/flow"
)

// DevelopmentBroker stands in a list of brokers for the address of the development broker.
const DevelopmentBroker = "@development_broker"

// DevelopmentCluster is what the development broker calls its cluster.
const DevelopmentCluster = "collect-development"

// Config is the configuration of provider "kafka".
type Config struct {
	Brokers          []string          `collect:"brokers" doc:"Bootstrap servers, host:port. Empty: the development broker, which runs on this machine and is not for production."`
	ClientID         string            `collect:"client_id" doc:"Name by which the brokers know this client."`
	SecurityProtocol string            `collect:"security_protocol,enum=plaintext|ssl|sasl_plaintext|sasl_ssl" doc:"How brokers are spoken to."`
	Properties       map[string]string `collect:"properties" doc:"Further properties of the client library, librdkafka. Those that load code, run commands or contradict another argument are refused."`
	SASL             *SASL             `collect:"sasl" doc:"User and password."`
	TLS              *TLS              `collect:"tls" doc:"Certificates."`
}

// SASL is the sasl block.
type SASL struct {
	Mechanism string        `collect:"mechanism,enum=PLAIN|SCRAM-SHA-256|SCRAM-SHA-512" doc:"How the password is proven. Default: \"SCRAM-SHA-512\"."`
	Username  string        `collect:"username,required" doc:"User."`
	Password  schema.Secret `collect:"password,required,secret" doc:"Password."`
}

// TLS is the tls block.
type TLS struct {
	CA         string `collect:"ca,contents" doc:"File with the certificates of the authorities that are trusted; by default those of the system."`
	Cert       string `collect:"cert,contents" doc:"File with the client's certificate."`
	Key        string `collect:"key,contents" doc:"File with the client's key. It must not be readable by all users."`
	SkipVerify bool   `collect:"insecure_skip_verify" doc:"Trust any certificate. Whoever is in between can read and change everything."`
}

// Defaults gives the defaults.
func Defaults() Config { return Config{ClientID: "collect", SecurityProtocol: "plaintext"} }

// About describes the provider.
func About() schema.About {
	return schema.About{Doc: "A Kafka cluster. Without brokers the development broker stands in: a small broker on this machine that keeps its data in the data directory."}
}

// WithDefaults fills in what a provider block left out.
func (c Config) WithDefaults() Config {
	d := Defaults()
	if c.ClientID == "" {
		c.ClientID = d.ClientID
	}
	if c.SecurityProtocol == "" {
		c.SecurityProtocol = d.SecurityProtocol
	}
	return c
}

// Validate checks what tags cannot say.
func (c Config) Validate() error {
	for _, b := range c.Brokers {
		if err := checkBroker(b); err != nil {
			return err
		}
	}
	protocol := c.WithDefaults().SecurityProtocol
	sasl, tls := strings.HasPrefix(protocol, "sasl"), strings.HasSuffix(protocol, "ssl")
	switch {
	case sasl && c.SASL == nil:
		return fmt.Errorf("security_protocol %q needs a sasl block", protocol)
	case !sasl && c.SASL != nil:
		return fmt.Errorf("a sasl block needs security_protocol = \"sasl_ssl\" or \"sasl_plaintext\", not %q", protocol)
	case !tls && c.TLS != nil:
		return fmt.Errorf("a tls block needs security_protocol = \"ssl\" or \"sasl_ssl\", not %q", protocol)
	case c.TLS != nil && (c.TLS.Cert == "") != (c.TLS.Key == ""):
		return errors.New("tls.cert and tls.key belong together")
	}
	return checkProperties(c.Properties)
}

func checkBroker(b string) error {
	if b == DevelopmentBroker {
		return nil
	}
	host, port, err := net.SplitHostPort(b)
	n, perr := strconv.Atoi(port)
	if err != nil || perr != nil || host == "" || n < 1 || n > 65535 {
		return fmt.Errorf("brokers: %q is not host:port", b)
	}
	return nil
}

// allowed are the properties that users may set: they tune, and neither load code, run commands nor open files.
var allowed = strings.Fields(`
	allow.auto.create.topics api.version.fallback.ms api.version.request api.version.request.timeout.ms auto.commit.interval.ms
	batch.num.messages batch.size broker.address.family broker.address.ttl broker.version.fallback check.crcs client.dns.lookup
	client.rack connections.max.idle.ms coordinator.query.interval.ms debug delivery.timeout.ms enable.gapless.guarantee
	enable.metrics.push fetch.error.backoff.ms fetch.max.bytes fetch.message.max.bytes fetch.min.bytes fetch.queue.backoff.ms
	fetch.wait.max.ms group.instance.id group.protocol group.remote.assignor heartbeat.interval.ms isolation.level
	max.in.flight max.in.flight.requests.per.connection max.partition.fetch.bytes max.poll.interval.ms message.copy.max.bytes
	message.max.bytes message.send.max.retries message.timeout.ms metadata.max.age.ms metadata.recovery.strategy
	metadata.recovery.rebootstrap.trigger.ms partition.assignment.strategy queued.max.messages.kbytes queued.min.messages
	queue.buffering.backpressure.threshold receive.message.max.bytes reconnect.backoff.max.ms reconnect.backoff.ms
	request.timeout.ms retries retry.backoff.max.ms retry.backoff.ms sasl.kerberos.principal sasl.kerberos.service.name
	session.timeout.ms socket.connection.setup.timeout.ms socket.keepalive.enable socket.max.fails socket.nagle.disable
	socket.receive.buffer.bytes socket.send.buffer.bytes socket.timeout.ms ssl.cipher.suites ssl.curves.list
	ssl.endpoint.identification.algorithm ssl.sigalgs.list sticky.partitioning.linger.ms topic.metadata.propagation.max.ms
	topic.metadata.refresh.fast.interval.ms topic.metadata.refresh.interval.ms topic.metadata.refresh.sparse
	transaction.timeout.ms`)

// refused says why some properties are refused, where that is not plain.
var refused = map[string]string{
	"plugin.library.paths":       "it loads code",
	"ssl.engine.location":        "it loads code",
	"ssl.providers":              "it loads code",
	"sasl.kerberos.kinit.cmd":    "it runs a command",
	"sasl.kerberos.keytab":       "it is part of Kerberos, which this program does not have",
	"bootstrap.servers":          "use brokers",
	"metadata.broker.list":       "use brokers",
	"client.id":                  "use client_id",
	"security.protocol":          "use security_protocol",
	"sasl.mechanism":             "use the sasl block",
	"sasl.mechanisms":            "use the sasl block",
	"sasl.username":              "use the sasl block",
	"sasl.password":              "use the sasl block",
	"ssl.ca.location":            "use the tls block",
	"ssl.certificate.location":   "use the tls block",
	"ssl.key.location":           "use the tls block",
	"acks":                       "use the sink's acks",
	"request.required.acks":      "use the sink's acks",
	"enable.idempotence":         "use the sink's idempotent",
	"compression.type":           "use the sink's compression",
	"compression.codec":          "use the sink's compression",
	"linger.ms":                  "use the sink's linger",
	"queue.buffering.max.ms":     "use the sink's linger",
	"partitioner":                "use the sink's partitioner",
	"group.id":                   "use the source's group",
	"enable.auto.commit":         "the source commits what was acknowledged, and only that",
	"enable.auto.offset.store":   "the source commits what was acknowledged, and only that",
	"transactional.id":           "transactions are not supported",
	"queue.buffering.max.kbytes": "the sink's window bounds it",
}

func checkProperties(props map[string]string) error {
	names := make([]string, 0, len(props))
	for name := range props {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if why, ok := refused[name]; ok {
			return fmt.Errorf("properties: %q cannot be set: %s", name, why)
		}
		if !slices.Contains(allowed, name) {
			return fmt.Errorf("properties: %q cannot be set: it is not one of the properties that are known to be harmless", name)
		}
	}
	return nil
}

// CheckTopicName checks a name as Kafka does, and refuses the brokers' own topics.
func CheckTopicName(name string) error {
	switch {
	case name == "" || name == "." || name == "..":
		return fmt.Errorf("%q is not a topic name", name)
	case len(name) > 249:
		return fmt.Errorf("%.20q… has %d characters, and a topic name at most 249", name, len(name))
	case strings.HasPrefix(name, "__"):
		return fmt.Errorf("%q is one of the brokers' own topics", name)
	}
	for _, c := range []byte(name) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '.' && c != '_' && c != '-' {
			return fmt.Errorf("%q may only have letters, digits, \".\", \"_\" and \"-\"", name)
		}
	}
	return nil
}

// Map gives the settings of the client library that every client has; brokers are already resolved.
func (c Config) Map(brokers []string) kafka.ConfigMap {
	c = c.WithDefaults()
	m := kafka.ConfigMap{
		"bootstrap.servers":        strings.Join(brokers, ","),
		"client.id":                c.ClientID,
		"security.protocol":        c.SecurityProtocol,
		"go.logs.channel.enable":   true, // otherwise the library writes to the terminal
		"log.connection.close":     false,
		"socket.keepalive.enable":  true,
		"reconnect.backoff.max.ms": 2000,
		"enable.metrics.push":      false,
	}
	if s := c.SASL; s != nil {
		m["sasl.mechanism"] = s.Mechanism
		if s.Mechanism == "" {
			m["sasl.mechanism"] = "SCRAM-SHA-512"
		}
		m["sasl.username"], m["sasl.password"] = s.Username, s.Password.Reveal()
	}
	if t := c.TLS; t != nil {
		for name, v := range map[string]string{"ssl.ca.location": t.CA, "ssl.certificate.location": t.Cert, "ssl.key.location": t.Key} {
			if v != "" {
				m[name] = v
			}
		}
		if t.SkipVerify {
			m["enable.ssl.certificate.verification"] = false
		}
	}
	for name, v := range c.Properties {
		m[name] = v
	}
	return m
}

// CheckFiles looks at the files that the tls block names, which the library reads itself.
func (c Config) CheckFiles(disk flow.FS) error {
	if c.TLS == nil {
		return nil
	}
	return secure.Files{CA: c.TLS.CA, Cert: c.TLS.Cert, Key: c.TLS.Key}.Check(disk)
}

// Resolve gives the brokers' addresses, with the development broker's in place of its token.
func (c Config) Resolve(resolve func(token string) (string, error)) ([]string, error) {
	if len(c.Brokers) == 0 {
		return nil, errors.New("no brokers are given")
	}
	out := make([]string, 0, len(c.Brokers))
	for _, b := range c.Brokers {
		if strings.HasPrefix(b, "@") {
			if resolve == nil {
				return nil, fmt.Errorf("nobody knows the address of %s", b)
			}
			addr, err := resolve(b)
			if err != nil {
				return nil, fmt.Errorf("development broker: %w", err)
			}
			b = addr
		}
		out = append(out, b)
	}
	return out, nil
}
