// Package cli holds what the commands share: exit codes, signals, tables, JSON.
package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"go.example/saga/internal/address"
	"go.example/saga/pkg/jsonmap"
)

// Exit codes of every command.
const (
	ExitOK       = 0
	ExitFailed   = 1 // the command could not do its work
	ExitUsage    = 2 // wrong arguments or settings; nothing was done
	ExitNotFound = 3 // what was asked for does not exist
	ExitRefused  = 4 // the other side said no: a business refusal or a conflict
)

// Error is an error with its own exit code.
type Error struct {
	Code int
	Err  error
}

func (e *Error) Error() string { return e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// Usagef is an error of arguments or settings.
func Usagef(format string, args ...any) error {
	return &Error{Code: ExitUsage, Err: fmt.Errorf(format, args...)}
}

// NotFoundf is the error for a thing that does not exist.
func NotFoundf(format string, args ...any) error {
	return &Error{Code: ExitNotFound, Err: fmt.Errorf(format, args...)}
}

// Refusedf is the error for a request that was understood and declined.
func Refusedf(format string, args ...any) error {
	return &Error{Code: ExitRefused, Err: fmt.Errorf(format, args...)}
}

// Main runs the command and exits with its code. The first SIGINT or SIGTERM
// cancels the command's context, the second ends the process at once.
func Main(root *cobra.Command) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	os.Exit(Run(ctx, root))
}

// Run executes the command and returns its exit code.
func Run(ctx context.Context, root *cobra.Command) int {
	root.SilenceUsage, root.SilenceErrors = true, true
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return Usagef("%w (see %s --help)", err, cmd.CommandPath())
	})
	begun := false
	root.PersistentPreRunE = func(cmd *cobra.Command, args []string) error {
		err := errors.Join(legible(cmd, args), cmd.ValidateRequiredFlags())
		begun = err == nil
		return err
	}
	err := root.ExecuteContext(ctx)
	if err == nil {
		return ExitOK
	}
	fmt.Fprintf(root.ErrOrStderr(), "%s: %s\n", root.Name(), address.Scrub(err.Error()))
	var coded *Error
	if errors.As(err, &coded) {
		return coded.Code
	}
	if !begun || errors.Is(err, address.ErrRefused) {
		return ExitUsage
	}
	return ExitFailed
}

// legible refuses arguments that no text of the database can equal, before anything is done.
func legible(cmd *cobra.Command, args []string) (err error) {
	for i, arg := range args {
		if !jsonmap.Storable(arg) {
			err = fmt.Errorf("argument %d is not UTF-8 text", i+1)
		}
	}
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if !jsonmap.Storable(f.Value.String()) {
			err = fmt.Errorf("--%s is not UTF-8 text", f.Name)
		}
	})
	return err
}

// Table writes rows under a header, aligned for people.
func Table(w io.Writer, header []string, rows [][]string) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, strings.Join(header, "\t"))
	for _, row := range rows {
		fmt.Fprintln(tw, strings.Join(row, "\t"))
	}
	return tw.Flush()
}

// JSON writes v as indented JSON for programs.
func JSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
