package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"ldapsync/cmd/ldapsync/internal/config"
	"ldapsync/extractor"
	"ldapsync/internal/bus"
	"ldapsync/internal/fault"
	"ldapsync/proto"
)

// formUsername is what Django's forms, the admin's among them, accept as a username.
var formUsername = regexp.MustCompile(`^[\p{L}\p{M}\p{N}_.@+-]+$`)

// source reads the whole directory once, as run does, and keeps nothing.
func (c *checker) source(ctx context.Context, s *config.Source) {
	subject := "source " + s.Name
	if s.Users.Filter == "" && s.Groups.Filter == "" {
		c.problem(subject, fault.New(fault.Usage, "set users.filter (LDAP_SYNC_USER_FILTER), such as (objectClass=person)", "%w", errNothingToRead))
		return
	}
	if s.TLS.InsecureSkipVerify {
		c.doubt(subject, "set tls.ca_file to the directory's authority instead", "the directory's certificate is not verified")
	}
	dir, err := directory(c.cfg, s, checkPatience, c.logger)
	if err != nil {
		c.problem(subject, err)
		return
	}
	names := usernamesSeen{attributes: usernames(c.cfg, s.Name)}
	idless, err := withoutID(ctx, dir)
	if err == nil {
		var sum *extractor.Summary
		cfg := extraction(c.cfg, s, c.logger)
		cfg.SpoolDir = "" // the state directory may not be there
		if sum, err = extractor.New(cfg, dir, nil).Preview(ctx, true, names.see); err == nil {
			c.read(subject, s, sum)
		}
	}
	if err != nil {
		c.problem(subject, err)
		return
	}
	if idless {
		c.doubt(subject, "set id: to an attribute that survives a rename, such as employeeNumber", "the directory gives its entries no id: the username stands for it, and a rename makes a second account")
	}
	if names.odd > 0 {
		c.doubt(subject, "they are synchronized, but Django's admin refuses to save them: letters, digits and @/./+/-/_ only",
			fmt.Sprintf("%d usernames that Django's forms don't accept, such as %q", names.odd, names.example))
	}
}

func withoutID(ctx context.Context, dir extractor.Directory) (bool, error) {
	session, err := dir.Open(ctx, "")
	if err != nil {
		return false, err
	}
	id := session.Info().Question.GetIdAttribute()
	return id == "" || id == extractor.Username, session.Close()
}

func (c *checker) read(subject string, s *config.Source, sum *extractor.Summary) {
	c.fine(subject, fmt.Sprintf("%d users and %d groups read from %s", sum.Users.Read, sum.Groups.Read, sum.Server))
	if s.Users.Filter != "" && sum.Users.Read == 0 {
		c.doubt(subject, "check base and filter, and that the account may read them", "no user matches "+s.Users.Filter)
	}
	if s.Groups.Filter != "" && sum.Groups.Read == 0 {
		c.doubt(subject, "check base and filter, and that the account may read them", "no group matches "+s.Groups.Filter)
	}
	if n := sum.Users.Skipped + sum.Groups.Skipped; n > 0 && len(sum.Skipped) > 0 {
		c.doubt(subject, "they are left out, and nobody is removed while an entry without an id is among them",
			fmt.Sprintf("%d entries can't be used, such as %s: %s", n, sum.Skipped[0].DN, sum.Skipped[0].Reason))
	}
}

// usernamesSeen looks at the usernames of a preview.
type usernamesSeen struct {
	attributes []string
	odd        int
	example    string
}

func (u *usernamesSeen) see(e proto.Event) error {
	if e.Type != proto.TypeUserUpserted {
		return nil
	}
	m := new(proto.UserUpserted)
	if err := proto.Unmarshal(e, m); err != nil {
		return err
	}
	for _, user := range m.GetUsers() {
		if name := u.of(user); name != "" && !formUsername.MatchString(name) {
			if u.odd++; u.example == "" {
				u.example = name
			}
		}
	}
	return nil
}

func (u *usernamesSeen) of(user *proto.User) string {
	for _, wanted := range u.attributes {
		for _, a := range user.GetAttributes() {
			if strings.EqualFold(a.GetName(), wanted) && len(a.GetValues()) > 0 {
				return a.GetValues()[0]
			}
		}
	}
	return ""
}

// stream tries the server, or the state directory if there is a store in it.
func (c *checker) stream(ctx context.Context, sources []*config.Source) {
	const subject = "stream"
	if !c.cfg.NATS.URL.IsSet() && !bus.HasStore(c.cfg.State) {
		c.fine(subject, "none yet: the first run makes it in "+c.cfg.State)
		return
	}
	cfg, err := c.busConfig(c.cfg, checkPatience, c.logger)
	if err != nil {
		c.problem(subject, err)
		return
	}
	cfg.LockWait = checkPatience
	b, err := bus.Open(ctx, cfg)
	if err != nil {
		c.problem(subject, err)
		return
	}
	defer b.Close()
	for _, s := range sources {
		c.history(ctx, b, s.Name)
	}
}

func (c *checker) history(ctx context.Context, b *bus.Bus, source string) {
	subject := "stream of " + source
	log, err := b.OpenLog(ctx, source)
	if errors.Is(err, proto.ErrNotFound) {
		c.fine(subject, "none yet: the first run makes it")
		return
	}
	if err != nil {
		c.problem(subject, err)
		return
	}
	e, err := log.LastOf(ctx, proto.TypeSnapshotCommitted)
	switch {
	case errors.Is(err, proto.ErrNotFound):
		c.fine(subject, "no snapshot is committed yet")
	case err != nil:
		c.problem(subject, err)
	default:
		c.fine(subject, fmt.Sprintf("last snapshot committed at %s, sequence %d", e.Time.Format("2006-01-02 15:04:05 MST"), e.Sequence))
	}
}
