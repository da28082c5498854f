package topic

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"

	"collect/planner/resource"
	"collect/providers/internal/kafkaclient"
)

func TestTheDevelopmentBrokerTakesWhatKafkaTakes(t *testing.T) {
	t.Parallel()
	addr := broker(t, kafkaclient.DevelopmentCluster)
	w := newWorld(t, addr)
	w.addr = kafkaclient.DevelopmentBroker
	o := w.object("t", map[string]any{"replication_factor": 3.0, "config": map[string]any{"segment.ms": "60000", "unclean.leader.election.enable": "true"}})
	w.must(o, "", resource.Create)
	w.must(o, "", resource.NoOp)
	w.addr = addr
	w.produce("t", 1234)
	w.addr = kafkaclient.DevelopmentBroker
	ch := w.must(nil, "topic.t", resource.Delete) // needs no confirmation
	if len(ch.Loss) != 0 || !strings.Contains(ch.Note, "1,234 records, of the development broker") {
		t.Errorf("%+v", ch)
	}
}

func TestWithoutADevelopmentBrokerThereAreNoTopics(t *testing.T) {
	t.Parallel()
	w := newWorld(t, kafkaclient.DevelopmentBroker)
	w.kind = New(Options{Resolve: func(string) (string, error) { return "", fmt.Errorf("x: %w", ErrAbsent) }})
	ch, err := w.plan(w.object("t", nil), "")
	if err != nil || ch.Action != resource.Create {
		t.Errorf("%+v %v", ch, err)
	}
}

func TestAnUnreachableClusterIsAnErrorAndNeverADifference(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	k := New(Options{})
	w := newWorld(t, addr)
	o := w.object("t", nil)
	lives, err := k.Read(t.Context(), []*resource.Object{o}, nil)
	if err != nil || len(lives) != 1 || lives[0].Unread == "" {
		t.Fatalf("%+v %v", lives, err)
	}
	_, err = k.Diff(t.Context(), o, lives[0], nil, resource.DiffOptions{})
	var p *resource.Problem
	if !errors.As(err, &p) || !strings.Contains(p.Detail, addr) || !strings.Contains(p.Detail, "connection refused") {
		t.Errorf("got %v", err)
	}
}

func TestATopicMayTakeAnotherNameWhereItMovesToOtherBrokers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, broker(t, "c"))
	w.known["topic.t"] = &resource.Known{
		Address: "topic.t", Kind: "topic", Origin: resource.Created,
		Identity: map[string]string{"cluster": kafkaclient.DevelopmentCluster, "id": "x", "name": "t"},
	}
	o := w.object("t", map[string]any{"name": "lines"})
	if ch := w.must(o, "", resource.Create); !strings.Contains(ch.Reason, "moves to other brokers") {
		t.Errorf("reason %q", ch.Reason)
	}
	w.must(o, "", resource.NoOp)
}

func TestACreationSaysWhyATopicIsMadeAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, broker(t, "c"))
	o := w.object("t", nil)
	if ch := w.must(o, "", resource.Create); ch.Reason != "" {
		t.Errorf("a new topic: %q", ch.Reason)
	}
	other := newWorld(t, broker(t, "d"))
	other.known = w.known
	if ch := other.must(other.object("t", nil), "", resource.Create); !strings.Contains(ch.Reason, "on the brokers that are declared now") {
		t.Errorf("on another cluster: %q", ch.Reason)
	}
	third := newWorld(t, other.addr)
	third.must(third.object("t", nil), "", resource.Adopt)
	known := *other.known["topic.t"]
	third.known["topic.t"] = &known
	third.must(nil, "topic.t", resource.Delete)
	if ch := other.must(other.object("t", nil), "", resource.Create); !strings.Contains(ch.Reason, "any more") {
		t.Errorf("deleted by somebody: %q", ch.Reason)
	}
}
