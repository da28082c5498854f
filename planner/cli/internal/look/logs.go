package look

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"collect/planner"
	"collect/planner/cli/internal/call"
	"collect/planner/cli/internal/words"
	"collect/runtime/supervisor/api"
)

func (c *command) logsCommand() *cli.Command {
	return &cli.Command{
		Name: "logs", Usage: "what an agent, the supervisor or the development broker wrote", ArgsUsage: "AGENT|supervisor|broker",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "f", Aliases: []string{"follow"}, Usage: "go on with what comes"},
			&cli.IntFlag{Name: "n", Value: 200, Usage: "last `LINES`; 0: all"}, call.NoColorFlag(),
		},
		Action: c.logs,
	}
}

func (c *command) logs(ctx *cli.Context) error {
	if err := call.AtMost(ctx, 1); err != nil {
		return err
	}
	p, err := c.Find()
	if err != nil {
		return err
	}
	name, err := logFile(p.Layout, ctx.Args().First())
	if err != nil {
		return err
	}
	f, err := openLog(name)
	if errors.Is(err, fs.ErrNotExist) {
		return call.Refuse("No log yet", "%s has written nothing.", ctx.Args().First())
	}
	if err != nil {
		return err
	}
	defer func() { f.Close() }()
	if err := c.lastLines(name, f, ctx.Int("n")); err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	if !ctx.Bool("f") {
		return nil
	}
	signals := c.Listen(ctx.Context, "")
	defer signals.Stop()
	until, end := signals.UntilFirst()
	defer end()
	f, err = c.follow(until, name, f)
	return err
}

// lastLines prints the last n lines of a log, all with 0: those of the file that was put aside when it had grown long are a part of it.
func (c *command) lastLines(name string, f *os.File, n int) error {
	missing, err := seekLines(f, n)
	if err != nil {
		return err
	}
	if missing > 0 || n <= 0 {
		old, err := openLog(name + ".1")
		if err == nil {
			defer old.Close()
			if _, err = seekLines(old, missing); err == nil {
				_, err = io.Copy(c.Out, old)
			}
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	_, err = io.Copy(c.Out, f)
	return err
}

// follow prints what is added to a log, also when the file is exchanged for a new one.
func (c *command) follow(ctx context.Context, name string, f *os.File) (*os.File, error) {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		n, err := io.Copy(c.Out, f)
		if err != nil {
			return f, fmt.Errorf("read %s: %w", name, err)
		}
		if n > 0 {
			call.FlushScreen(c.Out)
		}
		if next := exchanged(name, f); next != nil {
			_, err := io.Copy(c.Out, f) // what came before the new file
			if f.Close(); err != nil {
				return next, fmt.Errorf("read %s: %w", name, err)
			}
			f = next
			continue
		}
		select {
		case <-ctx.Done():
			return f, nil
		case <-tick.C:
			if c.Stdout.Abandoned() {
				return f, nil
			}
		}
	}
}

// exchanged opens the new file when the name does not mean the open one any more, or when it was cut.
func exchanged(name string, f *os.File) *os.File {
	there, err := os.Stat(name)
	if err != nil {
		return nil
	}
	here, err := f.Stat()
	if err != nil {
		return nil
	}
	at, err := f.Seek(0, io.SeekCurrent)
	if err != nil || os.SameFile(here, there) && there.Size() >= at {
		return nil
	}
	next, err := openLog(name)
	if err != nil {
		return nil
	}
	return next
}

func openLog(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	return f, nil
}

// seekLines goes to where the last n lines begin, to the beginning with 0, and says how many lines the file has too few.
func seekLines(f *os.File, n int) (missing int, err error) {
	if n <= 0 {
		return 0, nil
	}
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return 0, err
	}
	buf := make([]byte, 64<<10)
	for end := size; end > 0; {
		begin := max(0, end-int64(len(buf)))
		part := buf[:end-begin]
		if _, err := f.ReadAt(part, begin); err != nil {
			return 0, err
		}
		if end == size && part[len(part)-1] == '\n' { // the end of the last line begins no other
			part = part[:len(part)-1]
		}
		for {
			i := bytes.LastIndexByte(part, '\n')
			if i < 0 {
				break
			}
			if n--; n == 0 {
				_, err := f.Seek(begin+int64(i)+1, io.SeekStart)
				return 0, err
			}
			part = part[:i]
		}
		end = begin
	}
	if size > 0 {
		n-- // the first line
	}
	_, err = f.Seek(0, io.SeekStart)
	return n, err
}

// logFile finds the log of an address.
func logFile(l api.Layout, address string) (string, error) {
	agents := call.AgentDirs(l)
	switch address {
	case "":
		return "", call.Refuse("Whose log?", "Give the address of an agent, \"supervisor\" or \"broker\".%s", listOf(agents))
	case "supervisor":
		return filepath.Join(l.Data, "supervisor.log"), nil
	case "broker", planner.BrokerAddress:
		return filepath.Join(l.BrokerDir(), "broker.log"), nil
	}
	for _, try := range []string{address, "agent." + address} {
		if dir, ok := agents[try]; ok {
			return filepath.Join(dir, "agent.log"), nil
		}
	}
	if near := words.Nearest(address, words.Sorted(agents)); near != "" {
		return "", call.Refuse("Unknown agent", "No agent %s runs here. Did you mean %s?", address, near)
	}
	return "", call.Refuse("Unknown agent", "No agent %s runs here.%s", address, listOf(agents))
}

func listOf(agents map[string]string) string {
	if len(agents) == 0 {
		return " Nothing was applied yet."
	}
	return " Agents: " + strings.Join(words.Sorted(agents), ", ") + "."
}
