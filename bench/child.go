package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/pprof"

	"golang.org/x/sync/errgroup"

	"ldapsync/applier"
	"ldapsync/extractor"
	"ldapsync/extractor/ldap"
	"ldapsync/internal/bus"
	"ldapsync/internal/django"
	store "ldapsync/internal/django/postgres"
	"ldapsync/proto"
)

// source is the name of the source, and of the target.
const source = "bench"

// job is one stage in a process of its own: this program, started again.
type job struct {
	Stage   string // extract, publish, apply, pass or verify
	URI     string // of the directory
	State   string // state directory, with the stream
	DSN     string // of the database
	Profile string // where profiles go, without the ending; "": none
}

// command is the process that does it.
func (j job) command(ctx context.Context) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(j)
	if err != nil {
		return nil, err
	}
	return exec.CommandContext(ctx, self, "child", string(text)), nil
}

// child does a job and prints what a run prints, as far as it is needed.
func child(ctx context.Context, text string) error {
	var j job
	if err := json.Unmarshal([]byte(text), &j); err != nil {
		return err
	}
	stages := map[string]func(context.Context) (*extractor.Summary, error){
		"extract": j.extract, "publish": j.publish, "apply": j.apply, "pass": j.pass, "verify": j.verify,
	}
	stage, ok := stages[j.Stage]
	if !ok {
		return fmt.Errorf("no stage %q", j.Stage)
	}
	stop, err := j.profile()
	if err != nil {
		return err
	}
	s, err := stage(ctx)
	if err := errors.Join(err, stop()); err != nil {
		return fmt.Errorf("%s: %w", j.Stage, err)
	}
	var out summary
	if s != nil {
		out.Sources = []passed{{Users: counts{s.Users.Read, s.Users.Added, s.Users.Changed, s.Users.Removed, s.Users.Skipped},
			Groups: counts{s.Groups.Read, s.Groups.Added, s.Groups.Changed, s.Groups.Removed, s.Groups.Skipped}}}
	}
	return json.NewEncoder(os.Stdout).Encode(out)
}

// profile begins to record where time and memory go, and returns what ends that.
func (j job) profile() (stop func() error, err error) {
	if j.Profile == "" {
		return func() error { return nil }, nil
	}
	if err := os.MkdirAll(filepath.Dir(j.Profile), 0o755); err != nil {
		return nil, err
	}
	runtime.MemProfileRate = 64 << 10
	cpu, err := os.Create(j.Profile + ".cpu.pprof")
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(cpu); err != nil {
		return nil, err
	}
	return func() error {
		pprof.StopCPUProfile()
		allocs, err := os.Create(j.Profile + ".allocs.pprof")
		if err != nil {
			return err
		}
		return errors.Join(cpu.Close(), pprof.Lookup("allocs").WriteTo(allocs, 0), allocs.Close())
	}, nil
}

func (j job) directory() (*ldap.Directory, error) {
	c := ldap.DefaultConfig()
	c.URIs, c.Bases = []string{j.URI}, []string{baseDN}
	c.BindDN, c.Password = readerDN, func() (string, error) { return readerPassword, nil }
	c.UserFilter, c.GroupFilter = userFilter, groupFilter
	c.UserAttributes, c.GroupAttributes = userAttributes, groupAttributes
	return ldap.New(c)
}

func (j job) extractor(log extractor.Log) (*extractor.Extractor, error) {
	d, err := j.directory()
	return extractor.New(extractor.Config{
		Source: source, Username: []string{"uid"}, GroupName: []string{"cn"}, Users: true, Groups: true, SpoolDir: j.State,
	}, d, log), err
}

// extract reads, normalizes, digests, compares and encodes everything, and throws the events away.
func (j job) extract(ctx context.Context) (*extractor.Summary, error) {
	x, err := j.extractor(nil)
	if err != nil {
		return nil, err
	}
	return x.Preview(ctx, false, func(proto.Event) error { return nil })
}

// publish makes the first snapshot in a new stream.
func (j job) publish(ctx context.Context) (s *extractor.Summary, err error) {
	b, log, err := j.stream(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	x, err := j.extractor(log)
	if err != nil {
		return nil, err
	}
	return x.Pass(ctx, extractor.Options{})
}

func (j job) stream(ctx context.Context) (*bus.Bus, *bus.Log, error) {
	b, err := bus.Open(ctx, bus.Config{StateDir: j.State})
	if err != nil {
		return nil, nil, err
	}
	log, err := b.Log(ctx, source)
	if err != nil {
		return nil, nil, errors.Join(err, b.Close())
	}
	return b, log, nil
}

// apply applies what a stream holds.
func (j job) apply(ctx context.Context) (_ *extractor.Summary, err error) {
	b, log, err := j.stream(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	_, last, err := log.Bounds(ctx)
	if err != nil {
		return nil, err
	}
	return nil, j.applying(ctx, log, func() (uint64, error) { return last, nil })
}

// pass is what "ldapsync run" does, in a process that can be profiled.
func (j job) pass(ctx context.Context) (s *extractor.Summary, err error) {
	b, log, err := j.stream(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	x, err := j.extractor(log)
	if err != nil {
		return nil, err
	}
	err = j.applying(ctx, log, func() (uint64, error) {
		if s, err = x.Pass(ctx, extractor.Options{}); err != nil {
			return 0, err
		}
		return s.Last, nil
	})
	return s, err
}

// target opens the database, and says what is applied to it and how.
func (j job) target(ctx context.Context) (*store.Store, applier.Config, error) {
	c := applier.Config{Target: source, Source: source, Memberships: true, Adopt: applier.Adoption{Existing: true}, BatchEntries: 3000} // as the program does it
	st, err := store.Open(ctx, store.Config{DSN: j.DSN, Settings: django.Settings{
		Users: django.Users{Columns: []string{"first_name", "last_name", "email"}}, Groups: django.Groups{Membership: true},
	}})
	if err != nil {
		return nil, c, err
	}
	c.Users, err = applier.NewMapping(st.Users(), []applier.Field{
		{Column: "username", From: []string{"uid"}}, {Column: "first_name", From: []string{"givenName"}},
		{Column: "last_name", From: []string{"sn"}}, {Column: "email", From: []string{"mail"}},
	})
	if err == nil {
		c.Groups, err = applier.NewMapping(st.Groups(), []applier.Field{{Column: "name", From: []string{"cn"}}})
	}
	if err != nil {
		return nil, c, errors.Join(err, st.Close())
	}
	return st, c, nil
}

// applying applies a stream while extract is at work, and up to the sequence that it returns.
func (j job) applying(ctx context.Context, log *bus.Log, extract func() (uint64, error)) error {
	st, c, err := j.target(ctx)
	if err != nil {
		return err
	}
	defer st.Close()
	a := applier.New(c, st, log)
	ctx, cancel := context.WithCancelCause(ctx)
	var group errgroup.Group
	group.Go(func() error {
		err := a.Run(ctx)
		cancel(err)
		return err
	})
	last, err := extract()
	if err == nil {
		err = a.WaitFor(ctx, last)
	}
	cancel(nil)
	_ = group.Wait() // its error is WaitFor's
	return err
}
