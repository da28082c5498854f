package kafkaclient

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

// Cause remembers why brokers could not be reached. The library's calls only say that the time is up; the reason stands in its log.
type Cause struct {
	mu      sync.Mutex // guards both below
	last    string
	refused map[string]bool // brokers that refuse connections, or whose host does not exist
}

var logLine = regexp.MustCompile(`^\[thrd:.*?\]: (?:(?:[a-z_]+://)?([^\s/]+)(?:/\S+)?: )?(.*?)(?: \(after \d+ms in state [A-Z_]+.*\))?$`)

var connectFailed = regexp.MustCompile(`^Connect to \S+ failed: (.*)$`)

// noAnswer is how the library tells, in several ways, that a broker is silent. It adds guesses about the broker's version.
var noAnswer = regexp.MustCompile(`(?i)\btimed out\b`)

// refusal is how the library tells that there is nothing to wait for; a broker that does not answer ends otherwise.
var refusal = regexp.MustCompile(`(?:Connection refused|Name or service not known|Name does not resolve|No address associated with hostname)$`)

// Follow reads the library's log until it is closed. Other lines than failures go to keep, which may be nil.
func (c *Cause) Follow(logs <-chan kafka.LogEvent, keep func(kafka.LogEvent)) {
	for e := range logs {
		if (e.Tag == "FAIL" || e.Tag == "ERROR" || e.Level <= 3) && !strings.HasSuffix(e.Message, "brokers are down") { // which says less
			c.Set(Explain(e.Message))
			c.note(e.Message)
		}
		if keep != nil {
			keep(e)
		}
	}
}

// Explain makes "127.0.0.1:9092: connection refused" of a line of the library's log.
func Explain(line string) string {
	m := logLine.FindStringSubmatch(line)
	if m == nil {
		return line
	}
	text := m[2]
	if f := connectFailed.FindStringSubmatch(text); f != nil {
		text = strings.ToLower(f[1][:1]) + f[1][1:]
	}
	if noAnswer.MatchString(text) {
		text = "no answer in time"
	}
	if m[1] == "" || strings.HasPrefix(text, m[1]) {
		return text
	}
	return m[1] + ": " + text
}

// note keeps which broker refused. The library tells the same failure again only after a while, so one counts until Clear.
func (c *Cause) note(line string) {
	m := logLine.FindStringSubmatch(line)
	if m == nil || m[1] == "" || !refusal.MatchString(m[2]) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.refused == nil {
		c.refused = map[string]bool{}
	}
	c.refused[m[1]] = true
}

// allRefuse says whether each of the brokers refused since the last success.
func (c *Cause) allRefuse(brokers []string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !slices.ContainsFunc(brokers, func(b string) bool { return !c.refused[b] })
}

// Set stores a reason.
func (c *Cause) Set(text string) {
	c.mu.Lock()
	c.last = text
	c.mu.Unlock()
}

// Clear forgets, after something succeeded.
func (c *Cause) Clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last, c.refused = "", nil
}

// Last gives the newest reason, or "".
func (c *Cause) Last() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last
}

// Wrap says what could not be done, with which brokers, and why.
func (c *Cause) Wrap(brokers []string, doing string, err error) error {
	if err == nil {
		return nil
	}
	where := strings.Join(brokers, ",")
	if Unreachable(err) {
		if last := c.Last(); last != "" {
			return &UnreachableError{Brokers: brokers, Cause: last, doing: doing}
		}
		cause := err.Error()
		if timeUp(err) {
			cause = "no answer in time" // not even a refusal
		}
		return &UnreachableError{Brokers: brokers, Cause: cause, doing: doing}
	}
	return fmt.Errorf("kafka %s: %s: %w", where, doing, err)
}

// timeUp says whether an error says only that: the library's own bound and ours may end a call.
func timeUp(err error) bool {
	var k kafka.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &k) && (k.Code() == kafka.ErrTimedOut || k.Code() == kafka.ErrMsgTimedOut)
}

// UnreachableError says that no broker answered.
type UnreachableError struct {
	Brokers []string
	Cause   string
	doing   string
}

func (e *UnreachableError) Error() string {
	return fmt.Sprintf("kafka %s is not reachable: %s: %s", strings.Join(e.Brokers, ","), e.doing, e.Cause)
}

// Unreachable says whether an error means that no broker answered.
func Unreachable(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	var k kafka.Error
	if !errors.As(err, &k) {
		return false
	}
	switch k.Code() {
	case kafka.ErrTransport, kafka.ErrTimedOut, kafka.ErrAllBrokersDown, kafka.ErrResolve, kafka.ErrTimedOutQueue, kafka.ErrMsgTimedOut, kafka.ErrDestroy:
		return true
	}
	return false
}
