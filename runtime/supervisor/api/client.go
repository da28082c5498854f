package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"
)

// The longest times that calls take which are not bounded by the caller's context.
const (
	askLimit  = 2 * time.Second  // what is answered from memory
	workLimit = 10 * time.Minute // what waits for data to drain
)

// The largest answers that are read.
const (
	maxAnswer  = 64 << 20
	maxErrText = 64 << 10
)

// ErrUnreachable says that nothing answers on a control socket.
var ErrUnreachable = errors.New("does not answer on its control socket")

// ErrEnding is answered by a supervisor that is about to end; another one can be started.
var ErrEnding = errors.New("the supervisor is ending")

// RemoteError is a refusal of the process at the other end.
type RemoteError struct {
	Status int
	Text   string
}

// Error gives the text of the refusal.
func (e *RemoteError) Error() string { return e.Text }

// Is tells a supervisor that is ending from other refusals.
func (e *RemoteError) Is(target error) bool {
	return target == ErrEnding && e.Status == http.StatusServiceUnavailable
}

// Client talks to one process over its control socket. It keeps no connection between calls, and needs no close.
type Client struct {
	socket  string
	longest int64 // bytes of an answer
	http    http.Client
}

// Dial gives a client of a control socket. It does not connect before the first call.
func Dial(socket string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		c, err := (&net.Dialer{Timeout: askLimit}).DialContext(ctx, "unix", socket)
		if err != nil {
			return nil, err
		}
		uid, err := peer(c.(*net.UnixConn))
		if err == nil && uid != os.Geteuid() && uid != 0 {
			err = fmt.Errorf("%s belongs to a process of user %d", socket, uid)
		}
		if err != nil {
			return nil, errors.Join(err, c.Close())
		}
		return c, nil
	}
	return &Client{socket: socket, longest: maxAnswer, http: http.Client{
		Transport:     &http.Transport{DialContext: dial, DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: 16 << 10},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Snapshot asks an agent how it is.
func (c *Client) Snapshot(ctx context.Context) (Agent, error) {
	var a Agent
	return a, c.get(ctx, "/snapshot", &a)
}

// Spec asks an agent what it runs.
func (c *Client) Spec(ctx context.Context) (SpecReply, error) {
	var s SpecReply
	return s, c.get(ctx, "/spec", &s)
}

// Reload asks an agent to become another spec, and returns when it is ready.
func (c *Client) Reload(ctx context.Context, r ReloadRequest) error {
	return c.post(ctx, "/reload", r, nil)
}

// Drain asks an agent to stop its sources, to deliver what it holds (with Empty also what its durable channels hold), to answer
// and then to end.
func (c *Client) Drain(ctx context.Context, r StopRequest) (StopReply, error) {
	var s StopReply
	return s, c.post(ctx, "/drain", r, &s)
}

// Supervisor asks the supervisor what it watches.
func (c *Client) Supervisor(ctx context.Context) (SupervisorReply, error) {
	var s SupervisorReply
	return s, c.get(ctx, "/supervisor", &s)
}

// Start asks the supervisor to run an agent; one that runs is reloaded, or started again where the request says so. A fresh process
// has been started when it returns, and may not be ready yet.
func (c *Client) Start(ctx context.Context, r StartRequest) error {
	return c.post(ctx, "/start", r, nil)
}

// Stop asks the supervisor to stop an agent, and to keep it so.
func (c *Client) Stop(ctx context.Context, id string, r StopRequest) (StopReply, error) {
	var s StopReply
	return s, c.post(ctx, "/stop?id="+url.QueryEscape(id), r, &s)
}

// Discard asks an agent to remove an orphan.
func (c *Client) Discard(ctx context.Context, r DiscardRequest) error {
	return c.post(ctx, "/discard", r, nil)
}

// DiscardOf asks the supervisor to remove an orphan of an agent, whether that runs or not.
func (c *Client) DiscardOf(ctx context.Context, id string, r DiscardRequest) error {
	return c.post(ctx, "/discard?id="+url.QueryEscape(id), r, nil)
}

// StartBroker asks the supervisor to run the development broker, and returns when it takes connections.
func (c *Client) StartBroker(ctx context.Context, r BrokerRequest) (BrokerReply, error) {
	var b BrokerReply
	return b, c.post(ctx, "/broker/start", r, &b)
}

// StopBroker asks the supervisor to stop the development broker; with Remove its data go too.
func (c *Client) StopBroker(ctx context.Context, r StopRequest) error {
	return c.post(ctx, "/broker/stop", r, nil)
}

// Shutdown asks the supervisor to end. It answers before it has ended.
func (c *Client) Shutdown(ctx context.Context, mode ShutdownMode) error {
	return c.post(ctx, "/shutdown", ShutdownRequest{Mode: mode}, nil)
}

func (c *Client) get(ctx context.Context, path string, into any) error {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	return c.do(ctx, http.MethodGet, path, nil, into)
}

func (c *Client) post(ctx context.Context, path string, body, into any) error {
	raw, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("encode request: %w", err)
	}
	if len(raw) > maxRequest {
		return fmt.Errorf("the request has %d bytes, more than the %d that are allowed", len(raw), maxRequest)
	}
	ctx, cancel := context.WithTimeout(ctx, workLimit)
	defer cancel()
	return c.do(ctx, http.MethodPost, path, raw, into)
}

func (c *Client) do(ctx context.Context, method, path string, body []byte, into any) error {
	req, err := http.NewRequestWithContext(ctx, method, "http://collect"+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil && errors.Is(cause, context.Canceled) {
			return cause
		}
		return fmt.Errorf("%w (%s): %w", ErrUnreachable, c.socket, plainCause(err))
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return remoteError(resp)
	}
	if into == nil {
		return nil
	}
	raw, err := io.ReadAll(io.LimitReader(resp.Body, c.longest+1))
	if err != nil {
		return fmt.Errorf("%w (%s): %w", ErrUnreachable, c.socket, err)
	}
	if int64(len(raw)) > c.longest {
		return fmt.Errorf("the answer of %s is longer than %d bytes", c.socket, c.longest)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("answer of %s: %w", c.socket, err)
	}
	return nil
}

// plainCause leaves out the made-up URL of the request.
func plainCause(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

func remoteError(resp *http.Response) error {
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxErrText))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	var e ErrorReply
	if json.Unmarshal(raw, &e) != nil || e.Error == "" {
		e.Error = "answered " + resp.Status
	}
	return &RemoteError{Status: resp.StatusCode, Text: e.Error}
}
