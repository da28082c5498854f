package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Owner is owner.json: whose installation a data directory is.
type Owner struct {
	Version      int       `json:"version"`
	Name         string    `json:"name"`
	NameDeclared bool      `json:"name_declared,omitempty"`
	Root         string    `json:"root"` // configuration's directory when it was made
	UID          int       `json:"uid"`
	User         string    `json:"user"`
	Machine      string    `json:"machine"`
	Created      time.Time `json:"created"`
}

// Myself fills in who runs this program, and where.
func Myself(name string, declared bool, root string) Owner {
	return Owner{Version: 1, Name: name, NameDeclared: declared, Root: root, UID: os.Geteuid(), User: UserName(os.Geteuid()), Machine: Machine()}
}

// UserName gives the name of a user, or the number where there is none.
func UserName(uid int) string {
	if u, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		return u.Username
	}
	return strconv.Itoa(uid)
}

// Machine identifies this machine.
func Machine() string {
	for _, name := range []string{"/etc/machine-id", "/var/lib/dbus/machine-id"} {
		if raw, err := os.ReadFile(name); err == nil && len(strings.TrimSpace(string(raw))) > 0 {
			return strings.TrimSpace(string(raw))
		}
	}
	host, err := os.Hostname()
	if err != nil {
		return "unknown"
	}
	return host
}

// Check looks at a data directory before anything in it is believed or changed. It makes nothing. Fresh says that
// nothing was ever applied there; otherwise had is what owner.json says.
func Check(dir string, want Owner) (had Owner, fresh bool, err error) {
	if err := checkAncestors(dir, want.UID); err != nil {
		return had, false, err
	}
	info, err := os.Lstat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return had, true, nil
	case err != nil:
		return had, false, fmt.Errorf("data directory: %w", err)
	case info.Mode()&fs.ModeSymlink != 0: // under two names it would be two installations: paths in plans, sockets of processes
		return had, false, fmt.Errorf("data directory %s is a link: name the directory itself, with COLLECT_DATA_DIR or collect { data_dir }%s", dir, leadsTo(dir))
	case !info.IsDir():
		return had, false, fmt.Errorf("data directory %s is not a directory", dir)
	}
	if uid := ownerOf(info); uid != want.UID {
		return had, false, otherUser(dir, uid, UserName(uid))
	}
	if info.Mode().Perm()&0o022 != 0 {
		return had, false, fmt.Errorf("data directory %s is writable by other users (mode %04o): run chmod 700 %s", dir, info.Mode().Perm(), dir)
	}
	raw, err := readFile(filepath.Join(dir, "owner.json"), 1<<16)
	if errors.Is(err, fs.ErrNotExist) {
		return had, true, nil
	}
	if err != nil {
		return had, false, fmt.Errorf("%s cannot be read: %w", filepath.Join(dir, "owner.json"), err)
	}
	if json.Unmarshal(raw, &had) != nil {
		return had, false, fmt.Errorf("%s is damaged: it is not what collect wrote. It is safe to delete it: the next apply writes it again", filepath.Join(dir, "owner.json"))
	}
	return had, false, had.admits(dir, want)
}

// leadsTo says where a link leads.
func leadsTo(link string) string {
	if aim, err := filepath.EvalSymlinks(link); err == nil {
		return " (it leads to " + aim + ")"
	}
	return ""
}

func (had Owner) admits(dir string, want Owner) error {
	switch {
	case had.Version > 1:
		return fmt.Errorf("data directory %s was made by a newer version of collect; use that version", dir)
	case had.UID != want.UID:
		return otherUser(dir, had.UID, had.User)
	case had.Machine != want.Machine:
		return fmt.Errorf("data directory %s belongs to an installation on another machine (%s): choose another one with COLLECT_DATA_DIR", dir, had.Machine)
	case had.Name != want.Name:
		return fmt.Errorf("data directory %s belongs to the installation %q, not to %q: choose another one with COLLECT_DATA_DIR or collect { data_dir }", dir, had.Name, want.Name)
	case had.Root != want.Root && !want.NameDeclared:
		return fmt.Errorf("installation %q in %s was made from %s, and this is %s. The name is only the directory's; if both are the same installation, declare it: collect { name = %q }. Otherwise declare another name", had.Name, dir, had.Root, want.Root, had.Name)
	}
	return nil
}

func otherUser(dir string, uid int, name string) error {
	return fmt.Errorf("data directory %s is owned by %s (uid %d): run as %s, or with sudo -u %s", dir, name, uid, name, name)
}

func ownerOf(info fs.FileInfo) int {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(st.Uid)
	}
	return -1
}

// checkAncestors refuses a data directory that another user could exchange: every directory above it must belong to root or
// to us and must not be writable by others, except sticky ones, where only the owner of an entry can replace it.
func checkAncestors(dir string, uid int) error {
	if !filepath.IsAbs(dir) {
		return fmt.Errorf("data directory %s is not an absolute path", dir)
	}
	seen := map[string]bool{}
	for up := filepath.Dir(filepath.Clean(dir)); ; up = filepath.Dir(up) {
		if err := checkAncestor(dir, up, uid, seen); err != nil {
			return err
		}
		if real, err := filepath.EvalSymlinks(up); err == nil && real != up {
			for r := real; ; r = filepath.Dir(r) {
				if err := checkAncestor(dir, r, uid, seen); err != nil {
					return err
				}
				if r == filepath.Dir(r) {
					break
				}
			}
		}
		if up == filepath.Dir(up) {
			return nil
		}
	}
}

func checkAncestor(dir, up string, uid int, seen map[string]bool) error {
	if seen[up] {
		return nil
	}
	seen[up] = true
	info, err := os.Stat(up)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // will be made by us
	}
	if err != nil {
		return fmt.Errorf("data directory %s: %w", dir, err)
	}
	if !info.IsDir() {
		return fmt.Errorf("data directory %s: %s is not a directory", dir, up)
	}
	if owner := ownerOf(info); owner != 0 && owner != uid {
		return fmt.Errorf("data directory %s is not safe: %s belongs to %s, who could exchange what is in it", dir, up, UserName(owner))
	}
	writable := info.Mode().Perm() & 0o022
	if st, ok := info.Sys().(*syscall.Stat_t); ok && st.Gid == st.Uid {
		writable &= 0o002 // the group of a user alone, as most distributions make it
	}
	if writable != 0 && info.Mode()&os.ModeSticky == 0 {
		return fmt.Errorf("data directory %s is not safe: %s is writable by other users (mode %04o). Run chmod go-w %s, or name another place with COLLECT_DATA_DIR or collect { data_dir }", dir, up, info.Mode().Perm(), up)
	}
	return nil
}

// names are what an installation holds. A file system's own lost+found may lie beside it.
const names = "owner.json runtime lock key state.json state.journal revisions supervisor.lock supervisor.log supervisor.log.1 bin work agents broker kept lost+found"

// checkContent refuses a directory that is somebody's but no installation's, before its mode is changed and anything is written to it:
// a slip in data_dir would close a home directory, or worse, to everybody else.
func checkContent(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil || slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() == "owner.json" }) {
		return nil // it is made, or its error is told, later; an installation may hold what somebody put there
	}
	known := strings.Fields(names)
	for _, e := range entries {
		if !slices.Contains(known, e.Name()) && !strings.HasPrefix(e.Name(), ".tmp-") && !strings.HasPrefix(e.Name(), ".new-") {
			return fmt.Errorf("data directory %s holds %s, which is not collect's: choose an empty directory with COLLECT_DATA_DIR or collect { data_dir }", dir, e.Name())
		}
	}
	return nil
}

// Prepare makes the data directory and what identifies it, for an apply. It keeps the owner.json that is there.
func Prepare(dir string, own Owner, now time.Time) error {
	if err := checkContent(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make data directory: %w. Choose another one with COLLECT_DATA_DIR or collect { data_dir }", err)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return fmt.Errorf("make data directory: %w", err)
	}
	had, fresh, err := Check(dir, own)
	if err != nil {
		return err
	}
	own.Created = now.UTC().Truncate(time.Second)
	if !fresh {
		if had.Root == own.Root && had.NameDeclared == own.NameDeclared {
			return nil
		}
		own.Created = had.Created
	}
	raw, err := json.MarshalIndent(own, "", " ")
	if err != nil {
		return fmt.Errorf("write owner.json: %w", err)
	}
	return WriteFile(filepath.Join(dir, "owner.json"), append(raw, '\n'), 0o600)
}
