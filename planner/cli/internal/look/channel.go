package look

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"collect/planner/cli/internal/call"
	"collect/planner/cli/internal/tfjson"
	"collect/planner/cli/internal/words"
	"collect/planner/resource"
	"collect/runtime/supervisor/api"
)

func (c *command) channelCommand() *cli.Command {
	asJSON := &cli.BoolFlag{Name: "json", Usage: "machine-readable output"}
	return &cli.Command{
		Name: "channel", Usage: "what a channel holds on disk: inspect, verify, dump, repair",
		Subcommands: []*cli.Command{
			{
				Name: "inspect", Usage: "its files, readers and damage; changes nothing", ArgsUsage: "ADDRESS",
				Flags: []cli.Flag{asJSON, call.NoColorFlag()}, Action: c.channelInspect,
			},
			{
				Name: "verify", Usage: "check every byte; exit code 1 when something is damaged", ArgsUsage: "ADDRESS",
				Flags: []cli.Flag{asJSON, call.NoColorFlag()}, Action: c.channelVerify,
			},
			{
				Name: "dump", Usage: "print the events that wait, as JSON lines", ArgsUsage: "ADDRESS", Action: c.channelDump,
				Flags: []cli.Flag{
					&cli.BoolFlag{Name: "all", Usage: "also delivered events that are still on disk"},
					&cli.BoolFlag{Name: "raw", Usage: "bodies as they are, each with a line end"},
					&cli.BoolFlag{Name: "json", Hidden: true, Usage: "the form without -raw"}, call.NoColorFlag(),
				},
			},
			{
				Name: "repair", Usage: "set damaged pieces aside; the agent must not run", ArgsUsage: "ADDRESS", Action: c.channelRepair,
				Flags: []cli.Flag{
					asJSON, &cli.BoolFlag{Name: "auto-approve", Usage: "do not ask"},
					&cli.BoolFlag{Name: "input", Value: true, Usage: "-input=false: never ask"}, call.NoColorFlag(),
				},
			},
		},
	}
}

// channelAt is a channel that was addressed.
type channelAt struct {
	address string
	agentID string
	agent   string // its directory
	channel api.Channel
	call.Channels
}

// findChannel finds the channel that a command names. What is applied counts, not what the configuration says now.
func (c *command) findChannel(ctx *cli.Context) (*channelAt, error) {
	if err := call.AtMost(ctx, 1); err != nil {
		return nil, err
	}
	p, err := c.Find()
	if err != nil {
		return nil, err
	}
	address, tools := ctx.Args().First(), c.Deps.Channels(p.Layout)
	agents := call.AgentDirs(p.Layout)
	known := map[string]*channelAt{}
	for agent, dir := range agents {
		id := filepath.Base(dir)
		channels, err := tools.Channels(id)
		if err != nil && strings.HasPrefix(address, agent+".") { // that of others is of no interest here
			return nil, fmt.Errorf("channels of %s: %w", agent, err)
		}
		for _, ch := range channels {
			at := agent + ".channel." + ch.Name
			known[at] = &channelAt{address: at, agentID: id, agent: dir, channel: ch, Channels: tools}
		}
	}
	at := known[address]
	if at == nil {
		at = known["agent."+address]
	}
	if at == nil {
		return nil, unknownChannel(address, words.Sorted(known), len(agents) > 0)
	}
	if !at.channel.Stores {
		return nil, at.nothingStored()
	}
	return at, nil
}

func unknownChannel(address string, known []string, applied bool) error {
	list := " Channels: " + strings.Join(known, ", ") + "."
	switch near := words.Nearest(address, known); {
	case !applied:
		return call.Refuse("Unknown channel", "Nothing was applied yet, so there is no channel to look into.")
	case address == "":
		return call.Refuse("Which channel?", "Give the address of one.%s", list)
	case near != "":
		return call.Refuse("Unknown channel", "There is no channel %s. Did you mean %s?", address, near)
	}
	return call.Refuse("Unknown channel", "There is no channel %s.%s", address, list)
}

func (a *channelAt) nothingStored() error {
	if a.channel.Type == "" {
		return call.Refuse("Nothing is stored", "%s left the configuration and holds nothing.", a.address)
	}
	return call.Refuse("Nothing is stored", "%s is a %s channel: what it holds is in the memory of its agent and nowhere else.", a.address, a.channel.Type)
}

func (c *command) channelInspect(ctx *cli.Context) error {
	at, err := c.findChannel(ctx)
	if err != nil {
		return err
	}
	r, err := at.Inspect(at.agentID, at.channel)
	if err != nil {
		return err
	}
	r.Address = at.address
	if ctx.Bool("json") {
		return c.PrintJSON(r)
	}
	fmt.Fprintf(c.Out, "%s · %s · %s waiting · %s\n", r.Address, r.Type, resource.Events(int64(r.Waiting)), r.Dir)
	for _, k := range r.Readers {
		c.showReader(k, r.Events)
	}
	for _, s := range r.Segments {
		frames := "no frames"
		if s.Frames > 0 {
			frames = fmt.Sprintf("frames %d to %d", s.First, s.Last)
		}
		fmt.Fprintf(c.Out, "  %-10s %s   %s, %s, %s, since %s\n", "segment", s.Name, frames, resource.Events(s.Events), resource.Size(s.Bytes),
			s.Created.Format(time.DateTime+" UTC"))
	}
	for _, name := range r.SetAside {
		fmt.Fprintf(c.Out, "  %-10s %s\n", "set aside", name)
	}
	for _, d := range r.Damage {
		fmt.Fprintf(c.Out, "  %-10s %s\n", "damaged", damageText(d, d.Segment))
	}
	return nil
}

func (c *command) showReader(k api.ChannelReader, events uint64) {
	name := k.Name
	if name == "" {
		name = "nobody, where the last one was"
	}
	beyond := ""
	if k.Ranges > 0 {
		beyond = fmt.Sprintf(" and in %s beyond", words.Plural(k.Ranges, "piece"))
	}
	fmt.Fprintf(c.Out, "  %-10s %s   delivered up to frame %d%s, %s of %s wait\n", "reader", name, k.Frontier, beyond,
		resource.Number(int64(k.Waiting)), resource.Events(int64(events)))
}

// damageText says what is wrong where.
func damageText(d api.ChannelDamage, file string) string {
	events := ""
	if d.Events > 0 {
		events = ", " + resource.Events(int64(d.Events))
	}
	return fmt.Sprintf("%s at %d, %s bytes%s: %s", file, d.Offset, resource.Number(d.Bytes), events, d.Reason)
}

// damageSum says how much is damaged.
func damageSum(all []api.ChannelDamage) string {
	var bytes, events int64
	for _, d := range all {
		bytes, events = bytes+d.Bytes, events+int64(d.Events)
	}
	return fmt.Sprintf("%s, %s, %s", words.Plural(len(all), "piece"), resource.Size(bytes), resource.Events(events))
}

func (c *command) showDamage(r api.ChannelReport) {
	fmt.Fprintf(c.Out, "%s is damaged: %s.\n", r.Address, damageSum(r.Damage))
	for _, d := range r.Damage {
		fmt.Fprintf(c.Out, "  %s\n", damageText(d, filepath.Join(r.Dir, d.Segment)))
	}
}

func (c *command) channelVerify(ctx *cli.Context) error {
	at, err := c.findChannel(ctx)
	if err != nil {
		return err
	}
	r, err := at.Verify(at.agentID, at.channel)
	if err != nil {
		return err
	}
	r.Address = at.address
	switch {
	case ctx.Bool("json"):
		err = c.PrintJSON(r)
	case len(r.Damage) > 0:
		c.showDamage(r)
		fmt.Fprintf(c.Out, "The agent delivers the rest. While it does not run, \"collect channel repair %s\" sets the damaged pieces aside.\n", r.Address)
	default:
		c.showWhole(r)
	}
	if len(r.Damage) > 0 {
		err = errors.Join(err, call.Exit(1))
	}
	return err
}

func (c *command) showWhole(r api.ChannelReport) {
	var bytes, events int64
	frames := 0
	for _, s := range r.Segments {
		bytes, events, frames = bytes+s.Bytes, events+s.Events, frames+s.Frames
	}
	fmt.Fprintf(c.Out, "%s is whole: %s, %s, %s in %s.\n", r.Address, words.Plural(frames, "frame"), resource.Events(events), resource.Size(bytes),
		words.Plural(len(r.Segments), "segment"))
}

// dumpBuffer is how much of a dump is written at once.
const dumpBuffer = 64 << 10

func (c *command) channelDump(ctx *cli.Context) error {
	o := call.DumpOptions{All: ctx.Bool("all"), Raw: ctx.Bool("raw")}
	if o.Raw && ctx.Bool("json") {
		return call.Refuse("Options do not fit", "Give -raw or -json, not both.")
	}
	at, err := c.findChannel(ctx)
	if err != nil {
		return err
	}
	defer call.OutliveReader()()
	out := bufio.NewWriterSize(c.Stdout, dumpBuffer)
	var w io.Writer = tfjson.Visible(out)
	switch {
	case o.Raw && c.IsTerminal(c.Stdout):
		w = c.Out
	case o.Raw:
		w = out
	}
	r, err := at.Dump(at.agentID, at.channel, o, func(event []byte) error {
		_, err := w.Write(event)
		return err
	})
	if werr := out.Flush(); err == nil {
		err = werr
	}
	if errors.Is(err, syscall.EPIPE) { // who read has enough
		return nil
	}
	if err != nil || len(r.Damage) == 0 {
		return err
	}
	return call.Refuse("Not everything can be read", "Missing are %s. \"collect channel verify %s\" says where.", damageSum(r.Damage), at.address)
}

func (c *command) channelRepair(ctx *cli.Context) error {
	at, err := c.findChannel(ctx)
	if err != nil {
		return err
	}
	ask, err := c.asksRepair(ctx)
	if err != nil {
		return err
	}
	holder, held, err := api.Probe(filepath.Join(at.agent, "lock"))
	if err != nil {
		return err
	}
	if held {
		return agentRuns(&api.HeldError{Path: filepath.Join(at.agent, "lock"), Holder: holder})
	}
	if ask {
		r, err := at.Verify(at.agentID, at.channel)
		if err != nil {
			return err
		}
		if r.Address = at.address; len(r.Damage) > 0 {
			c.showDamage(r)
			if err := c.askRepair(ctx); err != nil {
				return err
			}
		}
	}
	r, err := at.Repair(at.agentID, at.channel)
	if held, ok := errors.AsType[*api.HeldError](err); ok {
		return agentRuns(held)
	}
	if err != nil {
		return err
	}
	r.Address = at.address
	if ctx.Bool("json") {
		return c.PrintJSON(r)
	}
	c.showRepaired(r)
	return nil
}

// asksRepair says whether to ask before something is changed. It refuses where nobody could answer.
func (c *command) asksRepair(ctx *cli.Context) (bool, error) {
	switch {
	case ctx.Bool("auto-approve"):
		return false, nil
	case ctx.Bool("json"):
		return false, call.Refuse("Nobody can approve", "-json asks no question: add -auto-approve.")
	case !ctx.Bool("input"), !c.IsTerminal(c.In):
		return false, call.Refuse("Nobody can approve", "There is no terminal to ask on: add -auto-approve.")
	}
	return true, nil
}

func (c *command) askRepair(ctx *cli.Context) error {
	fmt.Fprint(c.Out, "\nDo you want to set this aside, and deliver the rest without it? Only 'yes' is accepted: ")
	answer, err := c.ReadLine(ctx.Context)
	if err == nil && answer != "yes" {
		err = call.Refuse("Not approved", "Nothing was changed.")
	}
	fmt.Fprintln(c.Out)
	return err
}

func agentRuns(held *api.HeldError) error {
	return call.Refuse("Agent runs", "%s. A channel is repaired while its agent does not run; inspect, verify and dump work meanwhile.", held.Error())
}

func (c *command) showRepaired(r api.ChannelReport) {
	if len(r.Damage) == 0 {
		c.showWhole(r)
		fmt.Fprintln(c.Out, "Nothing was changed.")
		return
	}
	fmt.Fprintf(c.Out, "Repaired %s: damaged were %s; the rest is as it was.\n", r.Address, damageSum(r.Damage))
	for _, d := range r.Damage {
		kept := "nothing is left of it"
		if d.SetAside != "" {
			kept = "set aside in " + d.SetAside
		}
		fmt.Fprintf(c.Out, "  %s; %s\n", damageText(d, filepath.Join(r.Dir, d.Segment)), kept)
	}
	fmt.Fprintln(c.Out, "The agent delivers the rest when it starts.")
}
