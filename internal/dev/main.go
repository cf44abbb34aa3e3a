// Command dev is the project's own tool: `go run ./internal/dev` needs nothing
// but Go. The Makefile calls it.
package main

import (
	"github.com/spf13/cobra"

	"go.example/saga/internal/cli"
)

func main() {
	root := &cobra.Command{
		Use:   "dev",
		Short: "Set up the services, run the demo",
	}
	root.AddCommand(newServicesCommand(), newDemoCommand(), newRunCommand(), newCoordinateCommand())
	cli.Main(root)
}
