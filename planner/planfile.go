package planner

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"

	"collect/hclspec/schema"
	"collect/planner/state"
)

// A plan file is one line and a JSON document:
//
//	collect plan VERSION CODE\n
//	{"plan": {…}, "secrets": "…"}
//
// CODE authenticates everything behind the line with the installation's key (HMAC-SHA256). Secrets are sealed with the same key
// (AES-256-GCM): they can be read only where the plan can be applied.

const planMagic = "collect plan "

// maxPlan bounds what is read: 10,000 agents take about 40 MB.
const maxPlan = 1 << 29

type planBody struct {
	Plan    *Plan  `json:"plan"`
	Secrets []byte `json:"secrets,omitempty"`
}

// WritePlan writes a plan, with the secrets of its objects, to a file that only its owner can read. It replaces earlier plans and empty
// files only.
func WritePlan(name string, p *Plan, key *state.Key) error {
	if err := mayReplace(name); err != nil {
		return err
	}
	body := planBody{Plan: p}
	secrets := map[string]schema.Secrets{}
	for a, o := range p.Objects {
		if len(o.Secrets) > 0 {
			secrets[a] = o.Secrets
		}
	}
	if len(secrets) > 0 {
		raw, err := json.Marshal(secrets)
		if err != nil {
			return fmt.Errorf("write plan: %w", err)
		}
		if body.Secrets, err = key.Seal(raw); err != nil {
			return fmt.Errorf("write plan: %w", err)
		}
	}
	raw, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("write plan: %w", err)
	}
	raw = append(raw, '\n')
	head := planMagic + strconv.Itoa(PlanVersion) + " " + key.Authenticate(raw) + "\n"
	return state.WriteFile(name, append([]byte(head), raw...), 0o600)
}

// mayReplace says whether a plan may be written at a name: nothing else is lost there.
func mayReplace(name string) error {
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return err
	case info.IsDir():
		return errors.New("this is a directory: give the name of a file in it")
	case !info.Mode().IsRegular():
		return errors.New("this is not a regular file, and a plan is written as a whole or not at all")
	}
	head := make([]byte, len(planMagic))
	n, err := io.ReadFull(f, head)
	if err != nil && n > 0 || n > 0 && string(head[:n]) != planMagic {
		return errors.New("this file holds something else than a plan: choose another name, or delete it")
	}
	return nil
}

// PlanFile is a plan file that was read but not yet believed.
type PlanFile struct {
	Plan *Plan // only what it says of its installation may be used before Open

	name, code string
	raw        []byte
	sealed     []byte
}

// ReadPlan reads a plan file. Each thing that can be wrong with it has a sentence of its own.
func ReadPlan(name string) (*PlanFile, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, unreadable(name, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, unreadable(name, err)
	}
	if !info.Mode().IsRegular() || info.Size() > maxPlan {
		return nil, fmt.Errorf("file %s is not a plan file", name)
	}
	raw, err := io.ReadAll(io.LimitReader(f, maxPlan))
	if err != nil {
		return nil, unreadable(name, err)
	}
	head, body, _ := bytes.Cut(raw, []byte{'\n'})
	fields := strings.Split(strings.TrimPrefix(string(head), planMagic), " ")
	if !bytes.HasPrefix(head, []byte(planMagic)) || len(fields) != 2 {
		return nil, fmt.Errorf("file %s is not a plan file. Plan files are written by collect plan -out=FILE", name)
	}
	version, err := strconv.Atoi(fields[0])
	switch {
	case err != nil || fields[0] != strconv.Itoa(version) || version < 1:
		return nil, damaged(name)
	case version > PlanVersion:
		return nil, fmt.Errorf("plan file %s was written by a newer version of collect (format %d, this program reads up to %d). Apply it with that version", name, version, PlanVersion)
	}
	p := &PlanFile{name: name, code: fields[1], raw: body}
	var b planBody
	if err := json.Unmarshal(body, &b); err != nil || b.Plan == nil {
		return nil, damaged(name)
	}
	p.Plan, p.sealed = b.Plan, b.Secrets
	return p, nil
}

func unreadable(name string, err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err // the name is said once
	}
	return fmt.Errorf("plan file %s cannot be read: %w", name, err)
}

func damaged(name string) error {
	return fmt.Errorf("plan file %s is damaged: it is not what collect plan wrote. Make a new plan", name)
}

// ErrOtherInstallation says that a plan was made for another installation.
var ErrOtherInstallation = errors.New("made for another installation")

// Fits says whether the plan was made for an installation.
func (f *PlanFile) Fits(here Installation) error {
	was := f.Plan.Installation
	if was.Machine != here.Machine || was.DataDir != here.DataDir || was.Name != here.Name {
		return fmt.Errorf("plan file %s was %w: %q in %s%s, and this is %q in %s. Make a plan here", f.name, ErrOtherInstallation,
			was.Name, was.DataDir, elsewhere(was.Machine != here.Machine), here.Name, here.DataDir)
	}
	return nil
}

// Open authenticates the plan for an installation and gives it with its secrets.
func (f *PlanFile) Open(here Installation, key *state.Key) (*Plan, error) {
	if err := f.Fits(here); err != nil {
		return nil, err
	}
	if !key.Authentic(f.raw, f.code) {
		return nil, damaged(f.name)
	}
	if len(f.sealed) > 0 {
		raw, err := key.Unseal(f.sealed)
		if err != nil {
			return nil, damaged(f.name)
		}
		secrets := map[string]schema.Secrets{}
		if err := json.Unmarshal(raw, &secrets); err != nil {
			return nil, damaged(f.name)
		}
		for a, s := range secrets {
			if o := f.Plan.Objects[a]; o != nil {
				o.Secrets = s
			}
		}
	}
	return f.Plan, nil
}

func elsewhere(other bool) string {
	if other {
		return " on another machine"
	}
	return ""
}
