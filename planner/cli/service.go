package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"collect/planner/cli/internal/call"
)

func (c *command) serviceCommand() *cli.Command {
	return &cli.Command{
		Name: "service", Usage: "print a systemd unit that runs this installation's agents after a boot", Flags: c.ValueFlags(),
		Action: func(ctx *cli.Context) error {
			if err := call.NoArguments(ctx); err != nil {
				return err
			}
			s, err := c.Load()
			if err != nil {
				return err
			}
			program, err := c.Executable()
			if err != nil {
				return err
			}
			_, err = fmt.Fprint(c.Out, unit(s, program))
			return err
		},
	}
}

// unit gives a systemd unit. The agents may write their data, and what their sinks and sources write; nothing else.
func unit(s *call.Session, program string) string {
	var paths strings.Builder
	for _, p := range writtenPaths(s.Config, s.Deps.Types, s.Layout) {
		fmt.Fprintf(&paths, "ReadWritePaths=%s\n", unitQuote("-"+p))
	}
	return fmt.Sprintf(unitText, s.Config.Name, s.Own.User, unitQuote(program), unitQuote(s.Layout.Data), paths.String(), s.Now().UTC().Format(time.DateOnly))
}

const unitText = `# collect: agents of the installation %[1]q, written %[6]s. Install as /etc/systemd/system/collect-NAME.service
[Unit]
Description=collect: agents of %[1]s
Wants=network-online.target
After=network-online.target

[Service]
Type=exec
User=%[2]s
ExecStart=%[3]s supervise --data-dir %[4]s
KillMode=control-group
Restart=on-failure
TimeoutStopSec=90
UMask=0077
%[5]sNoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
ProtectSystem=strict
ProtectHome=read-only
ProtectProc=invisible
PrivateDevices=yes
PrivateMounts=yes
RemoveIPC=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target
`

// unitQuote quotes a path for a unit: % begins a specifier, and spaces separate.
func unitQuote(p string) string {
	p = strings.ReplaceAll(p, "%", "%%")
	if strings.ContainsAny(p, " \t\"\\") {
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(p) + `"`
	}
	return p
}
