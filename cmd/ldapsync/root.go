package main

import (
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"ldapsync/cmd/ldapsync/internal/config"
)

// app is what every command has in common.
type app struct {
	environ        []string
	stdout, stderr io.Writer

	configFile, state, natsURL string
	verbose                    bool
	logJSON                    bool
	interruptible              bool // whatever error a signal leads to means interrupted
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "ldapsync",
		Short: "Keep Django's users and groups equal to an LDAP directory",
		Long: `ldapsync reads users and groups from an LDAP directory, publishes what changed to NATS JetStream, and applies it to the
tables of a Django project. "ldapsync run" does all of it once; "ldapsync demo" shows it without anything to set up.`,
		SilenceErrors:     true,
		SilenceUsage:      true,
		Args:              cobra.ArbitraryArgs,
		RunE:              group,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: false},
	}
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usage(c.CommandPath()+" --help shows what there is", "%s", err)
	})
	flags := root.PersistentFlags()
	flags.StringVar(&a.configFile, "config", "", "configuration `file` (default: $LDAPSYNC_CONFIG, ./ldapsync.yaml, /etc/ldapsync/ldapsync.yaml)")
	flags.StringVar(&a.state, "state", "", "state `directory` (default: $LDAPSYNC_STATE_DIR, $STATE_DIRECTORY, ~/.local/state/ldapsync)")
	flags.StringVar(&a.natsURL, "nats-url", "", "`URL` of the NATS server (default: $NATS_URL, else one inside the process)")
	flags.BoolVarP(&a.verbose, "verbose", "v", false, "log what is done in detail")
	flags.BoolVar(&a.logJSON, "log-json", false, "log as JSON, a line each")
	root.AddCommand(a.snapshotsCommand(), a.explainCommand())
	root.AddCommand(a.runCommand(), a.checkCommand(), a.migrateCommand(), a.demoCommand(), a.deadLettersCommand(),
		a.heldCommand(), a.consumersCommand(), a.replayCommand(), a.verifyCommand(), a.restoreCommand(), a.orphansCommand(), a.forgetCommand(),
		a.extractCommand(), a.applyCommand(), a.callbacksCommand(), a.serveCommand(), a.triggerCommand(), a.configCommand(), a.versionCommand())
	return root
}

// group is what a command does that only groups others: it shows its help, or refuses a subcommand that isn't there.
func group(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return c.Help()
	}
	hint := c.CommandPath() + " --help lists the commands"
	if c.SuggestionsMinimumDistance == 0 {
		c.SuggestionsMinimumDistance = 2
	}
	if near := c.SuggestionsFor(args[0]); len(near) > 0 {
		hint = "did you mean " + strings.Join(near, " or ") + "?"
	}
	return usage(hint, "%s: no command %q", c.CommandPath(), args[0])
}

// arguments refuses any other number of arguments.
func arguments(least, most int, what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		hint := "usage: " + c.UseLine()
		switch {
		case len(args) < least:
			return usage(hint, "%s: %s is missing", c.CommandPath(), what)
		case len(args) > most && most == 0:
			return usage(hint, "%s: takes no arguments, not %q", c.CommandPath(), args[0])
		case len(args) > most:
			return usage(hint, "%s: one argument too many: %q", c.CommandPath(), args[most])
		}
		return nil
	}
}

// load reads the configuration.
func (a *app) load() (*config.Config, error) {
	o := config.Options{File: a.configFile, Environ: a.environ}
	for _, f := range []config.Flag{{Name: "state", Path: "state", Value: a.state}, {Name: "nats-url", Path: "nats.url", Value: a.natsURL}} {
		if f.Value != "" {
			o.Flags = append(o.Flags, f)
		}
	}
	return config.Load(o)
}

// logger logs to standard error: warnings for commands that people wait for, more for services.
func (a *app) logger(level slog.Level) *slog.Logger {
	if a.verbose {
		level = slog.LevelDebug
	}
	o := &slog.HandlerOptions{Level: level}
	if a.logJSON {
		return slog.New(slog.NewJSONHandler(a.stderr, o))
	}
	return slog.New(slog.NewTextHandler(a.stderr, o))
}

// terminal tells whether w is a terminal, and how wide.
func terminal(w io.Writer) (width int, ok bool) {
	f, isFile := w.(*os.File)
	if !isFile || !term.IsTerminal(int(f.Fd())) {
		return 0, false
	}
	if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
		return width, true
	}
	return 80, true // it doesn't say
}
