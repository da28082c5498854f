// Package devbroker is the development broker: what stands in for a Kafka cluster when a configuration declares no brokers. It is
// franz-go's kfake in a process of its own, on the loopback interface, with its data on disk and synced at each write, so that
// records, topics and offsets survive its restart, its kill and a power cut.
//
// It is no Kafka: one node, no replication, and it accepts some of what Kafka refuses (which the topic resource checks itself).
package devbroker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"

	"github.com/twmb/franz-go/pkg/kfake"

	"collect/providers/internal/kafkaclient"
)

// ClusterID is what the development broker calls its cluster.
const ClusterID = kafkaclient.DevelopmentCluster

// Options say how to run the broker.
type Options struct {
	Dir    string            // for its data; made when it is not there
	Listen string            // host:port on the loopback interface; port 0 chooses one
	Ready  func(addr string) // called once it takes connections; may be nil
	Log    io.Writer         // its log; nil: none
}

// Run serves until ctx ends, then writes what is left and stops.
func Run(ctx context.Context, o Options) error {
	host, port, err := split(o.Listen)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return fmt.Errorf("development broker: %w", err)
	}
	var lc net.ListenConfig
	opts := []kfake.Opt{
		kfake.NumBrokers(1), kfake.Ports(port), kfake.ClusterID(ClusterID),
		kfake.DataDir(o.Dir), kfake.SyncWrites(), kfake.DefaultNumPartitions(1),
		kfake.BrokerConfigs(map[string]string{"default.replication.factor": "1"}),
		kfake.ListenFn(func(network, _ string) (net.Listener, error) {
			return lc.Listen(ctx, network, net.JoinHostPort(host, strconv.Itoa(port)))
		}),
	}
	if o.Log != nil {
		opts = append(opts, kfake.WithLogger(kfake.BasicLogger(o.Log, kfake.LogLevelWarn)))
	}
	c, err := kfake.NewCluster(opts...)
	if err != nil {
		return fmt.Errorf("development broker on %s with data in %s: %w", o.Listen, o.Dir, err)
	}
	if o.Ready != nil {
		o.Ready(c.ListenAddrs()[0])
	}
	<-ctx.Done()
	c.Close()
	return nil
}

// split gives host and port; only the loopback interface is served, since the broker asks nobody who he is.
func split(listen string) (string, int, error) {
	host, p, err := net.SplitHostPort(listen)
	if err != nil {
		return "", 0, fmt.Errorf("development broker: listen address %q: %w", listen, err)
	}
	port, err := strconv.Atoi(p)
	if err != nil || port < 0 || port > 65535 {
		return "", 0, fmt.Errorf("development broker: listen address %q has no port", listen)
	}
	if host == "" {
		host = "127.0.0.1"
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return "", 0, errors.New("development broker: it serves this machine only: listen on 127.0.0.1")
	}
	return host, port, nil
}
