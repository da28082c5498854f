package supervisor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"collect/runtime/supervisor/api"
	"collect/runtime/supervisor/internal/process"
)

const (
	brokerLimit = 20 * time.Second // to take connections
	brokerStop  = 15 * time.Second // to end
)

// BrokerAddressName is the address of the development broker in plans.
const brokerAddress = "kafka.development_broker"

func (s *supervisor) brokerUnit() *unit {
	dir := s.layout.BrokerDir()
	u := newUnit(brokerID, brokerAddress, dir, s.log)
	u.prepare = func() (process.Command, error) {
		return process.Command{Path: s.binary, Args: api.BrokerArgs(s.layout), Env: process.Env(), Log: filepath.Join(dir, "broker.log")}, s.checked.Verify(s.binary)
	}
	return u
}

// startBroker runs the development broker, and returns when it takes connections. Its port is chosen once.
func (s *supervisor) startBroker(ctx context.Context, r api.BrokerRequest) (api.BrokerReply, error) {
	u, err := s.unit(brokerID, s.brokerUnit)
	if err != nil {
		return api.BrokerReply{}, err
	}
	end, err := u.begin(ctx)
	if err != nil {
		return api.BrokerReply{}, err
	}
	defer end()
	meta, err := PrepareBroker(s.layout, r.Port)
	if err != nil {
		return api.BrokerReply{}, err
	}
	if err := s.desire(u, api.Running); err != nil {
		return api.BrokerReply{}, err
	}
	u.setWant(true)
	reply := api.BrokerReply{Address: api.BrokerAddress(meta)}
	err = until(ctx, brokerLimit, func() (bool, error) {
		st := u.status()
		if st.State == api.Crashed {
			return false, fmt.Errorf("the development broker does not start: %s; %s", st.LastExit, tail(filepath.Join(u.dir, "broker.log")))
		}
		h, held, err := api.Probe(u.lock)
		reply.PID = h.PID
		return held && h.PID == st.PID && takesConnections(ctx, reply.Address), err
	})
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("the development broker takes no connections on %s: %s", reply.Address, tail(filepath.Join(u.dir, "broker.log")))
	}
	return reply, err
}

func takesConnections(ctx context.Context, address string) bool {
	c, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", address)
	return err == nil && c.Close() == nil
}

// PrepareBroker makes the directory of the development broker, and chooses its port when it has none.
func PrepareBroker(l api.Layout, port int) (api.BrokerMeta, error) {
	var meta api.BrokerMeta
	if err := api.PrivateDir(l.BrokerDir()); err != nil {
		return meta, fmt.Errorf("directory of the development broker: %w", err)
	}
	path := filepath.Join(l.BrokerDir(), "meta.json")
	if ok, err := api.ReadFile(path, &meta); err != nil || ok {
		return meta, err
	}
	meta.Port = port
	if port == 0 {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return meta, fmt.Errorf("choose a port: %w", err)
		}
		meta.Port = ln.Addr().(*net.TCPAddr).Port
		if err := ln.Close(); err != nil {
			return meta, fmt.Errorf("choose a port: %w", err)
		}
	}
	return meta, writeJSON(path, meta)
}

// LockBroker takes the lock of the development broker for the process that runs it, and gives the address to listen on.
func LockBroker(l api.Layout, build string) (*api.Lock, string, error) {
	meta, err := PrepareBroker(l, 0)
	if err != nil {
		return nil, "", err
	}
	lock, err := api.TakeLock(filepath.Join(l.BrokerDir(), "lock"), build, brokerAddress)
	return lock, api.BrokerAddress(meta), err
}

// stopBroker stops the development broker; with Remove its data go too.
func (s *supervisor) stopBroker(ctx context.Context, r api.StopRequest) error {
	u, err := s.unit(brokerID, nil)
	if err != nil {
		return err
	}
	if u == nil {
		if r.Remove {
			return os.RemoveAll(s.layout.BrokerDir())
		}
		return nil
	}
	end, err := u.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	if _, err := s.halt(ctx, u, brokerStop); err != nil {
		return err
	}
	if err := s.desire(u, api.Stopped); err != nil {
		return err
	}
	if h, held, err := api.Probe(u.lock); err != nil || held {
		return errors.Join(err, heldByOther(u, h, held))
	}
	if !r.Remove {
		return nil
	}
	if err := os.RemoveAll(u.dir); err != nil {
		return fmt.Errorf("remove the development broker: %w", err)
	}
	s.forget(u)
	return nil
}
