package pipeline

import (
	"context"
	"fmt"
	"time"

	"collect/runtime/pipeline/internal/design"
	"collect/runtime/pipeline/internal/wait"
)

// restore goes back to the design of before a reload that failed. It must not end half way.
func (p *Pipeline) restore(ctx context.Context, old *design.Design) error {
	back, cancel := context.WithTimeout(context.WithoutCancel(ctx), old.Agent.Drain)
	defer cancel()
	err := p.converge(back, old, nil)
	if err == nil {
		p.removeLeft()
		err = p.forgone(old)
	}
	if err != nil {
		err = fmt.Errorf("the configuration before could not be restored: %w", err)
	}
	p.setBroken(err)
	return err
}

// mend restores until it works, or something else is configured.
func (p *Pipeline) mend() {
	retry := &wait.Backoff{Initial: time.Second, Max: 30 * time.Second, Rand: p.base.Rand}
	for wait.Sleep(p.hard, retry.Next()) == nil && p.life.Lock(p.hard) == nil {
		again := p.phaseIs() == running && p.isBroken() != nil && p.mendOnce() != nil
		p.life.Unlock()
		if !again {
			return
		}
	}
}

func (p *Pipeline) mendOnce() error {
	old, err := design.New(p.reg, p.spec, p.secrets)
	if err == nil {
		err = p.restore(p.hard, old)
	}
	if err != nil {
		p.base.Log.Error("the agent does not run as it should", "err", err)
		return err
	}
	p.base.Log.Info("the configuration before the failed reload runs again")
	return nil
}

// setBroken notes why not everything of the spec runs; nil: it does.
func (p *Pipeline) setBroken(err error) {
	p.mu.Lock()
	p.broken = err
	p.mu.Unlock()
}

func (p *Pipeline) isBroken() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.broken
}
