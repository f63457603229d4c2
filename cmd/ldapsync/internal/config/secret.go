package config

import (
	"fmt"
	"io"
	"os"
	"strings"

	"ldapsync/internal/fault"
)

// Secret is a password, or a URL that may hold one: a value, or a file to read it from. It prints as ***.
type Secret struct {
	value string
	file  string
	set   bool
}

// NewSecret returns a secret with a value.
func NewSecret(value string) Secret { return Secret{value: value, set: true} }

// SecretFile returns a secret that is read from a file whenever it is asked for, so that it can be rotated.
func SecretFile(file string) Secret { return Secret{file: file, set: true} }

// IsSet tells whether the secret was configured, be it as empty text.
func (s Secret) IsSet() bool { return s.set }

// File is the file it is read from; "" if it has a value of its own.
func (s Secret) File() string { return s.file }

// Value returns the secret. A file's last line break isn't part of it. A file that can't be read is a Usage fault.
func (s Secret) Value() (string, error) {
	if s.file == "" {
		return s.value, nil
	}
	b, err := os.ReadFile(s.file)
	if err != nil {
		return "", fault.New(fault.Usage, "the file must exist and be readable for the user that runs ldapsync", "secret file: %w", err)
	}
	return strings.TrimRight(string(b), "\r\n"), nil
}

const hidden = "***"

// Format writes *** for every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// String returns *** if there is a secret, and nothing otherwise.
func (s Secret) String() string {
	if !s.set {
		return ""
	}
	return hidden
}

// GoString is String.
func (s Secret) GoString() string { return s.String() }

// MarshalText is String; JSON and slog use it.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalYAML is String; of a file, its name is shown.
func (s Secret) MarshalYAML() (any, error) {
	if s.file != "" {
		return hidden + " (from " + s.file + ")", nil
	}
	return s.String(), nil
}

// IsZero lets omitempty leave it out.
func (s Secret) IsZero() bool { return !s.set }
