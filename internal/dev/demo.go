package main

import (
	"strings"

	"github.com/spf13/cobra"

	"go.example/saga/internal/dev/demo"
	"go.example/saga/internal/dev/twophase"
)

func newDemoCommand() *cobra.Command {
	var shared string
	cmd := &cobra.Command{
		Use: "demo [pattern]", Args: cobra.MaximumNArgs(1),
		Short:     "Place three reservations and show each saga's way to its end, or another pattern",
		ValidArgs: demo.Patterns(),
		RunE: func(cmd *cobra.Command, args []string) error {
			return demo.Run(cmd.Context(), strings.Join(args, ""), shared, cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVar(&shared, "shared", "", "the services share one database: a `form`, schema or table")
	return cmd
}

// newCoordinateCommand is the process that the demo of two-phase commit kills.
func newCoordinateCommand() *cobra.Command {
	return &cobra.Command{
		Use: demo.CoordinateCommand, Hidden: true, DisableFlagParsing: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			return twophase.Coordinate(cmd.Context(), args, cmd.InOrStdin(), cmd.OutOrStdout())
		},
	}
}

func newRunCommand() *cobra.Command {
	return &cobra.Command{
		Use: "run", Args: cobra.NoArgs,
		Short: "Keep the five daemons in the foreground with their logs, until Ctrl-C",
		RunE:  func(cmd *cobra.Command, _ []string) error { return demo.Foreground(cmd.Context(), cmd.OutOrStdout()) },
	}
}
