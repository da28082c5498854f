package cli

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestOptionsMayStandAnywhere(t *testing.T) {
	r := newRig(t, oneAgent)
	plan := filepath.Join(t.TempDir(), "plan")
	r.want(0, "Saved the plan", "plan", "-out", plan)
	r.want(1, "belongs to plan", "apply", plan, "-target=agent.a")
	r.want(0, "Applied: 1 added", "apply", plan, "-parallelism", "2")
	r.want(0, "0 to add", "plan", "-var", `names=["a","b"]`, "-var", "size=3")
}

func TestMistakesOnTheCommandLine(t *testing.T) {
	r := newRig(t, oneAgent)
	tests := map[string]struct {
		args []string
		want string
	}{
		"unknown command":           {[]string{"aply"}, `no command "aply". Did you mean "apply"?`},
		"unknown subcommand":        {[]string{"state", "lst"}, `Did you mean "list"?`},
		"unknown option":            {[]string{"plan", "-detailed-exitcod"}, "Did you mean -detailed-exitcode?"},
		"unknown option, no guess":  {[]string{"plan", "-quux"}, `"collect plan -help" lists the options`},
		"option without its value":  {[]string{"plan", "-out"}, "Wrong option"},
		"bad value":                 {[]string{"apply", "-parallelism=x"}, "Wrong option"},
		"a value that is no time":   {[]string{"plan", "-lock-timeout=5x"}, `Invalid value "5x" for flag -lock-timeout: write a time such as 30s or 5m.`},
		"a wait that is no time":    {[]string{"apply", "-wait=soon"}, "for flag -wait: write a time such as 30s"},
		"a value that is no number": {[]string{"logs", "-n=x", "agent.a"}, "for flag -n: write a whole number."},
		"neither true nor false":    {[]string{"plan", "-refresh=maybe"}, "for -refresh: write true or false."},
		"a file to format, nowhere": {[]string{"fmt", "nosuch.hcl"}, "nosuch.hcl: no such file or directory."},
		"plan over a configuration": {[]string{"plan", "-out=" + r.dir + "/main.hcl"}, "holds something else than a plan"},
		"-var without =":            {[]string{"plan", "-var", "size"}, "-var takes NAME=VALUE"},
		"an argument too many":      {[]string{"plan", "detailed-exitcode"}, "does not take"},
		"-chdir behind the command": {[]string{"plan", "-chdir=x"}, "stands before the command"},
		"unknown variable":          {[]string{"plan", "-var", "sise=1"}, "size"},
		"unknown target":            {[]string{"plan", "-target=agent.b"}, "Did you mean agent.a?"},
		"unknown agent to run":      {[]string{"run", "agent.b"}, "Did you mean agent.a?"},
		"unknown agent for logs":    {[]string{"logs", "agent.a"}, "Nothing was applied yet"},
		"logs of nobody":            {[]string{"logs"}, "Give the address of an agent"},
		"output before apply":       {[]string{"output", "size"}, "nothing was applied yet"},
		"a name that is not near":   {[]string{"bogus"}, `"collect -help" lists the commands`},
		"no such subcommand":        {[]string{"state", "bogus"}, `collect state has no command "bogus". "collect state -help"`},
		"a negative time to wait":   {[]string{"apply", "-auto-approve", "-wait=-3s"}, "-wait=-3s: a time to wait is not negative"},
		"a negative lock timeout":   {[]string{"plan", "-lock-timeout=-3s"}, "is not negative"},
		"no step at a time":         {[]string{"apply", "-auto-approve", "-parallelism=0"}, "at least one step"},
		"a plan file in nowhere":    {[]string{"plan", "-out=/proc/nonexistent/x"}, "/proc/nonexistent/x: no such file or directory."},
		"a directory as plan file":  {[]string{"plan", "-out=/"}, "Plan file cannot be written"},
		"not a plan file":           {[]string{"apply", os.Args[0]}, "is not a plan file"},
		"no such plan file":         {[]string{"apply", "nosuch"}, "Plan file nosuch cannot be read: no such file or directory."},
		"wrong directory":           {[]string{"-chdir=/proc/nonexistent", "plan"}, "nonexistent"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) { r.want(1, tt.want, tt.args...) })
	}
}

func TestTheVersionIsAlsoAskedForWithAnOption(t *testing.T) {
	r := newRig(t, oneAgent)
	want := r.want(0, "collect ", "version").out
	for _, arg := range []string{"-version", "--version", "-v"} {
		var out strings.Builder
		if code := Main(t.Context(), r.deps, []string{"collect", arg}, r.env, strings.NewReader(""), &out, io.Discard); code != 0 || out.String() != want {
			t.Errorf("%s: exit %d, %q", arg, code, out.String())
		}
	}
}

func TestHelpIsACommandToo(t *testing.T) {
	r := newRig(t, oneAgent)
	r.want(0, "COMMANDS:", "help")
	r.want(0, "collect plan - show what apply would change", "help", "plan")
	r.want(0, "collect state list - ", "help", "state", "list")
}
