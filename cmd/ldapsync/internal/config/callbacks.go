package config

import (
	"slices"
	"strings"
)

// The callbacks for those who are gone.
const (
	Deactivate = "deactivate"
	Delete     = "delete"
)

// activeDirectoryEnabled was a callback for each user, and is the rule of a flag here.
const activeDirectoryEnabled = "active-directory-enabled"

// The bit ACCOUNTDISABLE of Active Directory's userAccountControl (MS-ADTS 2.2.16).
const (
	userAccountControl = "userAccountControl"
	accountDisable     = 2
)

// oldNames are the original's callbacks; the last one's name is from before its 0.4.0.
var oldNames = [...][2]string{
	{"ldap_sync.callbacks.removed_user_deactivate", Deactivate},
	{"ldap_sync.callbacks.removed_user_delete", Delete},
	{"ldap_sync.callbacks.user_active_directory_enabled", activeDirectoryEnabled},
	{"ldap_sync.callbacks.user_active_directory_deactivate", activeDirectoryEnabled},
}

func newName(name string) string {
	for _, pair := range oldNames {
		if pair[0] == name {
			return pair[1]
		}
	}
	return name
}

// nameCallbacks gives callbacks with old names their own, and turns those for each user into the rules of flags.
func (c *Config) nameCallbacks() error {
	for i := range c.Targets {
		t := &c.Targets[i]
		path := "targets." + t.Name + ".removal.callbacks"
		for j, written := range t.Removal.Callbacks {
			name := newName(written)
			if name != Deactivate && name != Delete {
				return c.refuse(path, removalHint(name), "%s", foreignCallback(written))
			}
			t.Removal.Callbacks[j] = name
		}
		path = "targets." + t.Name + ".users.callbacks"
		for _, written := range t.Users.callbacks {
			name := newName(written)
			if name != activeDirectoryEnabled {
				return c.refuse(path, userHint(name), "%s", foreignCallback(written))
			}
			c.addActiveRule(t)
		}
	}
	return nil
}

// addActiveRule gives the target's sources the rule of Active Directory, unless they have one of their own.
func (c *Config) addActiveRule(t *Target) {
	for i := range c.Sources {
		s := &c.Sources[i]
		if s.Flags.Active == nil && (len(t.Sources) == 0 || slices.Contains(t.Sources, s.Name)) {
			s.Flags.Active = &FlagRule{Attribute: userAccountControl, Truth: Truth{NotBit: accountDisable}}
		}
	}
}

func foreignCallback(name string) string {
	if strings.Contains(name, ".") {
		return name + " is Python, which can't be called from here"
	}
	return name + " isn't a callback"
}

func removalHint(name string) string {
	if name == activeDirectoryEnabled {
		return "it isn't about removed users: write it under users.callbacks (LDAP_SYNC_USER_CALLBACKS)"
	}
	return "the callbacks are deactivate and delete; a program of your own can read user.removed from the stream"
}

func userHint(name string) string {
	if name == Deactivate || name == Delete {
		return "it is about removed users: write it under removal.callbacks (LDAP_SYNC_REMOVED_USER_CALLBACKS)"
	}
	return "say it by users.attributes (lower, trim, default, or, bool) or by the source's flags; a program of your own can read the stream"
}
