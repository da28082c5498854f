package planner

import (
	"time"

	"collect/planner/resource"
)

// PlanVersion is the version of the plan file. A plan of another version is not read.
const PlanVersion = 1

// The kinds that the planner orders by name: the development broker before topics before agents.
const (
	KindBroker = "kafka"
	KindTopic  = "topic"
	KindAgent  = "agent"
)

// BrokerAddress is the object that stands for the development broker.
const BrokerAddress = "kafka.development_broker"

// Plan is everything that an apply would do. It is plain data and holds no secret.
type Plan struct {
	Version      int          `json:"version"`
	Program      string       `json:"program"` // version of this program
	Created      time.Time    `json:"created"`
	Installation Installation `json:"installation"`
	Destroy      bool         `json:"destroy,omitempty"` // everything is being destroyed
	// ForgetPositions says that a destroyed agent's read positions go too.
	ForgetPositions bool     `json:"forget_positions,omitempty"`
	Targets         []string `json:"targets,omitempty"`
	Excludes        []string `json:"excludes,omitempty"`

	// Changes are the objects that differ, in the order to be shown: what is made and changed, then what is destroyed.
	Changes []*resource.Change `json:"changes,omitempty"`
	// Unchanged are the addresses of objects that are as wanted.
	Unchanged []string `json:"unchanged,omitempty"`
	// NotRead are addresses that were not compared with reality, because of -refresh=false.
	NotRead []string `json:"not_read,omitempty"`
	// Protected are objects that prevent_destroy keeps although the plan would destroy them; such a plan ends with exit 1.
	Protected []Protected `json:"protected,omitempty"`
	Steps     []Step      `json:"steps,omitempty"`
	// Objects are the wanted objects of the steps, by address.
	Objects map[string]*resource.Object `json:"objects,omitempty"`
	// DependsOn are the references of every wanted object, for state: a later plan orders deletions by them.
	DependsOn map[string][]string `json:"depends_on,omitempty"`

	// Notes are about what exists and the plan does not touch, such as stored events that no channel owns.
	Notes []Note `json:"notes,omitempty"`

	Outputs      []Output `json:"outputs,omitempty"`
	Warnings     []string `json:"warnings,omitempty"`
	OutsideReads []string `json:"outside_reads,omitempty"` // files read outside the configuration's directory
	Serial       int      `json:"serial"`                  // of the state it was made from

	// Applying says that the plan is shown by what carries it out: then nobody needs to be told how to do that.
	Applying bool `json:"-"`
}

// Installation says for which installation a plan is, and from where it was made.
type Installation struct {
	Name         string `json:"name"`
	NameDeclared bool   `json:"name_declared,omitempty"`
	Root         string `json:"root"`
	DataDir      string `json:"data_dir"`
	Machine      string `json:"machine"`
	Commit       string `json:"commit,omitempty"` // of the configuration's repository
	Fresh        bool   `json:"fresh,omitempty"`  // nothing was ever applied here
}

// Step is one change to carry out.
type Step struct {
	Address string          `json:"address"`
	Kind    string          `json:"kind"`
	Action  resource.Action `json:"action"`
	// After are addresses of steps that must have succeeded before.
	After []string `json:"after,omitempty"`
	// First says that the step runs before everything that is not First, whatever becomes of it.
	First bool `json:"first,omitempty"`
}

// Note is something to know of an object that the plan does not touch.
type Note struct {
	Address string `json:"address"`
	Text    string `json:"text"`
}

// Protected is an object that is kept.
type Protected struct {
	Address string `json:"address"`
	Why     string `json:"why"`
}

// Output is an output value of the configuration.
type Output struct {
	Name        string          `json:"name"`
	Value       any             `json:"value,omitempty"` // nil when sensitive
	Before      any             `json:"before,omitempty"`
	Type        any             `json:"type,omitempty"` // as cty writes types
	Sensitive   bool            `json:"sensitive,omitempty"`
	Description string          `json:"description,omitempty"`
	Action      resource.Action `json:"action"`
}

// Counts are the figures of the summary line. A replaced object is not counted as destroyed: its data and positions stay.
type Counts struct {
	Add     int `json:"add"`
	Change  int `json:"change"`
	Destroy int `json:"remove"`
	Adopt   int `json:"adopt"`
	Forget  int `json:"forget"`
}

// Count counts the changes.
func (p *Plan) Count() Counts {
	var c Counts
	for _, ch := range p.Changes {
		c.count(ch.Action)
	}
	return c
}

func (c *Counts) count(a resource.Action) {
	switch a {
	case resource.Create:
		c.Add++
	case resource.Update, resource.Replace, resource.Start:
		c.Change++
	case resource.Delete:
		c.Destroy++
	case resource.Adopt:
		c.Adopt++
	case resource.Forget:
		c.Forget++
	}
}

// Differs says whether reality, or an output, differs from the configuration. What changes only what is remembered is no
// difference: adopting something that is as wanted, forgetting something that stays, and outputs where no state is left.
func (p *Plan) Differs() bool {
	c := p.Count()
	return c.Add+c.Change+c.Destroy > 0 || p.Serial > 0 && p.outputsDiffer()
}

func (p *Plan) outputsDiffer() bool {
	for _, o := range p.Outputs {
		if o.Action != resource.NoOp {
			return true
		}
	}
	return false
}

// Empty says that there is nothing to carry out, not even to remember.
func (p *Plan) Empty() bool { return len(p.Steps) == 0 && !p.outputsDiffer() }

// Losses are all losses of the plan.
func (p *Plan) Losses() []resource.Loss {
	var all []resource.Loss
	for _, c := range p.Changes {
		all = append(all, c.Loss...)
	}
	return all
}

// Change finds the change of an object.
func (p *Plan) Change(address string) *resource.Change {
	for _, c := range p.Changes {
		if c.Address == address {
			return c
		}
	}
	return nil
}
