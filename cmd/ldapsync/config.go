package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func (a *app) configCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "config",
		Short: "Print the configuration in effect, without secrets",
		Long: `Prints what the file, the environment and the flags come to, with defaults filled in and secrets replaced by ***.
It is a complete ldapsync.yaml but for the secrets.`,
		Args: arguments(0, 0, ""),
		RunE: func(*cobra.Command, []string) error {
			cfg, err := a.load()
			if err != nil {
				return err
			}
			text, err := cfg.Print()
			if err != nil {
				return err
			}
			if cfg.File != "" {
				text = "# from " + cfg.File + " and the environment\n" + text
			}
			_, err = fmt.Fprint(a.stdout, text)
			return err
		},
	}
}
