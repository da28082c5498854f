package topic

import (
	"context"

	"collect/planner/resource"
	"collect/providers/internal/kafkaclient"
)

var _ resource.Counter = (*Topics)(nil)

// Count gives the records of a topic that was read. want are the declared topics, for their secrets.
func (t *Topics) Count(ctx context.Context, live *resource.Live, known *resource.Known, want []*resource.Object) (int64, error) {
	c, err := fromKnown(known, want)
	if err != nil {
		return 0, err
	}
	a, err := t.admin(c)
	if err != nil {
		return 0, err
	}
	defer a.Close()
	partitions, _ := live.Have["partitions"].(float64)
	return a.Records(ctx, &kafkaclient.Topic{Name: live.Identity["name"], Partitions: int(partitions)})
}
