package topic

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"collect/planner/resource"
	"collect/providers/internal/kafkaclient"
)

// Apply carries out a change, and returns when the brokers show it.
func (t *Topics) Apply(ctx context.Context, ch *resource.Change, want *resource.Object, opt resource.ApplyOptions) (*resource.Known, error) {
	report := opt.Report
	if report == nil {
		report = func(string) {}
	}
	switch ch.Action {
	case resource.Forget:
		return nil, nil
	case resource.Delete:
		return nil, t.delete(ctx, ch, opt, report)
	case resource.NoOp:
		return ch.Known, nil
	}
	if want == nil {
		return nil, fmt.Errorf("%s is not declared", ch.Address)
	}
	c, err := decode(want.Want, want.Secrets)
	if err != nil {
		return nil, err
	}
	a, err := t.admin(c)
	if err != nil {
		return nil, err
	}
	defer a.Close()
	origin := resource.Created
	if ch.Action == resource.Create {
		if origin, err = create1(ctx, a, c, report); err != nil {
			return nil, err
		}
	} else if ch.Known == nil || ch.Known.Origin != resource.Created {
		origin = resource.Adopted
	}
	reset, err := t.change(ctx, a, c, ch, report)
	if err != nil {
		return nil, err
	}
	d, err := t.settle(ctx, a, c, ch, reset)
	if err != nil {
		return nil, err
	}
	id, err := a.ClusterID(ctx)
	if err != nil {
		return nil, err
	}
	return remember(ch, want, c, d, id, origin), nil
}

// remember gives what state keeps.
func remember(ch *resource.Change, want *resource.Object, c Config, d *kafkaclient.Topic, clusterID string, origin resource.Origin) *resource.Known {
	config := map[string]any{}
	for k, v := range c.Config {
		config[k] = v
	}
	return &resource.Known{
		Address: ch.Address, Kind: "topic", Origin: origin, Identity: map[string]string{"cluster": clusterID, "id": d.ID, "name": d.Name},
		Applied: map[string]any{"config": config, "provider": want.Want["provider"]}, Protect: want.PreventDestroy,
	}
}

// create1 makes the topic. One that exists by now, as after an apply that was killed, is changed to what is wanted instead; who made it
// is not known, so it counts as adopted unless this very call made it.
func create1(ctx context.Context, a *kafkaclient.Admin, c Config, report func(string)) (resource.Origin, error) {
	report(fmt.Sprintf("creating %s with %s", c.Name, count(c.Partitions, "partition")))
	err := a.Create(ctx, kafkaclient.Spec{Name: c.Name, Partitions: c.Partitions, Replicas: c.ReplicationFactor, Config: c.Config})
	var k kafka.Error
	if errors.As(err, &k) && k.Code() == kafka.ErrTopicAlreadyExists {
		return resource.Adopted, nil
	}
	return resource.Created, err
}

// change alters partitions and settings where they differ. It looks again instead of trusting the plan, so that it can be repeated.
func (t *Topics) change(ctx context.Context, a *kafkaclient.Admin, c Config, ch *resource.Change, report func(string)) (reset []string, err error) {
	found, err := a.Describe(ctx, []string{c.Name})
	if err != nil || found[c.Name] == nil { // just made and not shown everywhere yet
		return nil, err
	}
	d := found[c.Name]
	planned := map[string]bool{}
	for _, it := range ch.Items {
		planned[it.Path] = true
		if key, ok := strings.CutPrefix(it.Path, "config."); ok && it.Action == resource.Delete && d.Config[key].Own {
			reset = append(reset, key)
		}
	}
	if planned["partitions"] && c.Partitions > d.Partitions {
		report(fmt.Sprintf("altering partitions %d -> %d", d.Partitions, c.Partitions))
		if err := a.AddPartitions(ctx, c.Name, c.Partitions); err != nil {
			return nil, err
		}
	}
	set := map[string]string{}
	for k, v := range c.Config {
		if planned["config."+k] && !(d.Config[k].Own && same(k, d.Config[k].Value, v)) {
			set[k] = v
		}
	}
	if len(set)+len(reset) > 0 {
		report("altering " + count(len(set)+len(reset), "setting"))
	}
	return reset, a.Alter(ctx, c.Name, set, reset)
}

// settle reads the topic until it is as planned: brokers show changes after a while.
func (t *Topics) settle(ctx context.Context, a *kafkaclient.Admin, c Config, ch *resource.Change, reset []string) (*kafkaclient.Topic, error) {
	development := c.development()
	end := time.Now().Add(time.Duration(t.o.Wait) * time.Second)
	for wait := 20 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		found, err := a.Describe(ctx, []string{c.Name})
		why := ""
		if err == nil {
			if why = differs(found[c.Name], c, ch, reset, development); why == "" {
				return found[c.Name], nil
			}
		}
		if time.Now().After(end) {
			if err != nil {
				return nil, err
			}
			return nil, fmt.Errorf("topic %s on %s does not show the change after %d s: %s", c.Name, hostsOf(c), t.o.Wait, why)
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, ctx.Err()
		}
	}
}

// differs says what is not as planned yet, or "".
func differs(d *kafkaclient.Topic, c Config, ch *resource.Change, reset []string, development bool) string {
	if d == nil {
		return "it does not exist"
	}
	planned := map[string]bool{}
	for _, it := range ch.Items {
		planned[it.Path] = true
	}
	if planned["partitions"] && d.Partitions < c.Partitions {
		return fmt.Sprintf("it has %s", count(d.Partitions, "partition"))
	}
	for _, k := range keys(c.Config) {
		e, shown := d.Config[k]
		if !planned["config."+k] || !shown && development {
			continue
		}
		if !same(k, e.Value, c.Config[k]) {
			return fmt.Sprintf("%s is %q", k, e.Value)
		}
	}
	for _, k := range reset {
		if d.Config[k].Own {
			return k + " is still set"
		}
	}
	return ""
}

// delete deletes a topic that this configuration made, when it still is that topic and the user confirmed what it holds.
func (t *Topics) delete(ctx context.Context, ch *resource.Change, opt resource.ApplyOptions, report func(string)) error {
	if ch.Known == nil || ch.Known.Origin != resource.Created {
		return fmt.Errorf("%s was not made by this configuration and is not deleted", ch.Address)
	}
	c, err := fromKnown(ch.Known, nil)
	if err != nil {
		return err
	}
	a, err := t.admin(c)
	if errors.Is(err, ErrAbsent) {
		return nil
	}
	if err != nil {
		return err
	}
	defer a.Close()
	name := ch.Known.Identity["name"]
	found, err := a.Describe(ctx, []string{name})
	if err != nil {
		return err
	}
	d := found[name]
	if d == nil {
		return nil
	}
	if d.ID != ch.Known.Identity["id"] {
		return fmt.Errorf("topic %s was made anew by somebody else since the plan and is not deleted", name)
	}
	if ch.Known.Identity["cluster"] != kafkaclient.DevelopmentCluster {
		if err := t.confirmed(ctx, a, ch, d, opt); err != nil {
			return err
		}
	}
	report("deleting " + name)
	if err := a.Delete(ctx, name); err != nil {
		return err
	}
	return t.gone(ctx, a, name, d.ID)
}

// still is how long nothing may arrive in a topic before more than was shown is deleted.
const still = time.Second

// confirmed refuses to delete more records than the user has agreed to: those that the plan showed, and, where agents of the same plan
// wrote to the topic, what arrived until they had stopped. That they have is why this runs now. Records do not tell who wrote them; but
// a topic that still grows after its agents have stopped has other writers, of which the plan did not speak.
func (t *Topics) confirmed(ctx context.Context, a *kafkaclient.Admin, ch *resource.Change, d *kafkaclient.Topic, opt resource.ApplyOptions) error {
	n, err := a.Records(ctx, d)
	if err != nil || n == 0 {
		return err
	}
	allowed, ok := opt.Confirmed[ch.Address]
	if !ok {
		return fmt.Errorf("topic %s holds %d records: deleting it needs -confirm-loss=%s", d.Name, n, ch.Address)
	}
	if n <= allowed {
		return nil
	}
	if !slices.ContainsFunc(ch.Loss, func(l resource.Loss) bool { return l.Address == ch.Address && len(l.Writers) > 0 }) {
		return fmt.Errorf("topic %s holds %d records, and the loss of %d was confirmed: plan again", d.Name, n, allowed)
	}
	before, err := a.Written(ctx, d)
	if err != nil {
		return err
	}
	timer := time.NewTimer(still)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	now, err := a.Written(ctx, d)
	if err != nil {
		return err
	}
	if now != before {
		return fmt.Errorf("topic %s still grows although the agents of this plan have stopped: somebody else writes to it. It holds %d records, and the loss of %d was confirmed: plan again",
			d.Name, n, allowed)
	}
	return nil
}

func (t *Topics) gone(ctx context.Context, a *kafkaclient.Admin, name, id string) error {
	end := time.Now().Add(time.Duration(t.o.Wait) * time.Second)
	for wait := 20 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		found, err := a.Describe(ctx, []string{name})
		if err == nil && (found[name] == nil || found[name].ID != id) {
			return nil
		}
		if time.Now().After(end) {
			return errors.Join(err, fmt.Errorf("topic %s is still there after %d s", name, t.o.Wait))
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}
