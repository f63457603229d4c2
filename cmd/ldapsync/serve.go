package main

import (
	"log/slog"

	"github.com/spf13/cobra"
)

// serviceOptions are the flags of the services.
type serviceOptions struct {
	selection
	acceptStream bool
}

func (a *app) serveCommand() *cobra.Command {
	var o serviceOptions
	c := &cobra.Command{
		Use:   "serve",
		Short: "Run all stages as a service until stopped",
		Long: `Reads the sources at their intervals and on request (ldapsync trigger), applies to the targets and runs their callbacks, all in one
process, until it is stopped. Without NATS_URL, the stream lives in the state directory; the other commands, run by the same user or by
root with the same state directory, reach it there through this process.`,
		Args: arguments(0, 0, ""),
		RunE: func(c *cobra.Command, _ []string) error {
			return a.service(c.Context(), o, func(s *service) {
				s.addExtractors()
				s.addAppliers()
				s.addCallbacks()
			})
		},
	}
	o.flags(c)
	c.Flags().BoolVar(&o.acceptStream, "accept-stream", false, "go on although the stream isn't the one that the targets know")
	return c
}

func (a *app) extractCommand() *cobra.Command {
	var o serviceOptions
	c := &cobra.Command{
		Use:   "extract",
		Short: "Read the sources as a service: at intervals and on request",
		Args:  arguments(0, 0, ""),
		RunE: func(c *cobra.Command, _ []string) error {
			return a.stage(c, "extract", o, (*service).addExtractors)
		},
	}
	o.sourceFlag(c)
	return c
}

func (a *app) applyCommand() *cobra.Command {
	var o serviceOptions
	c := &cobra.Command{
		Use:   "apply",
		Short: "Apply the streams to the targets as a service",
		Args:  arguments(0, 0, ""),
		RunE: func(c *cobra.Command, _ []string) error {
			return a.stage(c, "apply", o, (*service).addAppliers)
		},
	}
	o.flags(c)
	c.Flags().BoolVar(&o.acceptStream, "accept-stream", false, "go on although the stream isn't the one that the targets know")
	return c
}

func (a *app) callbacksCommand() *cobra.Command {
	var o serviceOptions
	c := &cobra.Command{
		Use:   "callbacks",
		Short: "Handle the accounts of those who left as a service",
		Args:  arguments(0, 0, ""),
		RunE: func(c *cobra.Command, _ []string) error {
			return a.stage(c, "callbacks", o, (*service).addCallbacks)
		},
	}
	o.flags(c)
	return c
}

// stage runs one stage, which only makes sense with a NATS server that the others reach.
func (a *app) stage(c *cobra.Command, name string, o serviceOptions, add func(*service)) error {
	cfg, err := a.load()
	if err != nil {
		return err
	}
	if err := external(cfg, name); err != nil {
		return err
	}
	return a.service(c.Context(), o, add)
}

// serviceLevel is how much services log.
const serviceLevel = slog.LevelInfo
