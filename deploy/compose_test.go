// Package deploy_test checks the deployment files against the programs that they
// start. It needs no container engine.
package deploy_test

import (
	"net/url"
	"os"
	"path"
	"reflect"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/app/orchestrator"
	"go.example/saga/internal/app/relay"
	"go.example/saga/internal/app/sample"
	"go.example/saga/internal/cli/hotelcmd"
	"go.example/saga/internal/cli/orchestratorcmd"
	"go.example/saga/internal/cli/paymentcmd"
	"go.example/saga/internal/cli/relaycmd"
	"go.example/saga/internal/cli/reservationcmd"
	"go.example/saga/internal/dev/services"
)

// file is the part of the compose specification that compose.yaml uses. It is
// decoded strictly: another key is an error here, as a misspelled one is to compose.
type file struct {
	Name        string
	Daemon      yaml.MapSlice `yaml:"x-daemon"`
	Servers     yaml.MapSlice `yaml:"x-servers"`
	Environment yaml.MapSlice `yaml:"x-environment"`
	Health      yaml.MapSlice `yaml:"x-health"`
	Services    map[string]service
	Volumes     map[string]any
}

type service struct {
	Image       string
	Build       struct{ Context, Dockerfile string }
	Hostname    string
	Command     []string
	Environment map[string]string
	DependsOn   map[string]struct{ Condition string } `yaml:"depends_on"`
	Healthcheck struct {
		Test        []string
		Interval    string
		Timeout     string
		StartPeriod string `yaml:"start_period"`
		Retries     int
	}
	Ports       []string
	Volumes     []string
	Restart     string
	ReadOnly    bool     `yaml:"read_only"`
	CapDrop     []string `yaml:"cap_drop"`
	SecurityOpt []string `yaml:"security_opt"`
}

type program struct {
	command  *cobra.Command
	settings any
}

var programs = map[string]program{
	"relay":        {relaycmd.New(), relay.Settings{}},
	"orchestrator": {orchestratorcmd.New(), orchestrator.Settings{}},
	"reservation":  {reservationcmd.New(), sample.ReservationSettings{}},
	"hotel":        {hotelcmd.New(), sample.ParticipantSettings{}},
	"payment":      {paymentcmd.New(), sample.ParticipantSettings{}},
}

func load(t *testing.T) file {
	t.Helper()
	text, err := os.ReadFile("compose.yaml")
	require.NoError(t, err)
	var compose file
	require.NoError(t, yaml.UnmarshalWithOptions(text, &compose, yaml.Strict()))
	return compose
}

func TestImagesArePinnedAndPortsAreLocal(t *testing.T) {
	t.Parallel()
	for name, s := range load(t).Services {
		if s.Build.Dockerfile == "" {
			require.Regexp(t, `^[a-z]+:\d+\.\d+`, s.Image, name)
		}
		for _, port := range s.Ports {
			require.True(t, strings.HasPrefix(port, "127.0.0.1:"), "%s publishes %s to the world", name, port)
		}
	}
}

func TestDependenciesExistAndCanBeMet(t *testing.T) {
	t.Parallel()
	services := load(t).Services
	for name, s := range services {
		for on, d := range s.DependsOn {
			target, ok := services[on]
			require.True(t, ok, "%s depends on %s, which is no service", name, on)
			switch d.Condition {
			case "service_healthy":
				require.NotEmpty(t, target.Healthcheck.Test, "%s waits for the health of %s, which has no check", name, on)
			case "service_completed_successfully":
				require.Equal(t, "on-failure", target.Restart, "%s waits for the end of %s, which is restarted", name, on)
			default:
				t.Errorf("%s depends on %s under the unknown condition %q", name, on, d.Condition)
			}
		}
	}
}

func TestDaemonsAreStartedAsTheyWantToBe(t *testing.T) {
	t.Parallel()
	started := map[string]bool{}
	for name, s := range load(t).Services {
		if s.Build.Dockerfile == "" {
			continue
		}
		p, ok := programs[path.Base(s.Command[0])]
		require.True(t, ok, "%s starts %s, which is no daemon", name, s.Command[0])
		requireCommand(t, p.command, s.Command)
		known := variables(reflect.TypeOf(p.settings))
		for variable := range s.Environment {
			require.Contains(t, known, variable, "%s is given a variable that it does not read", name)
		}
		if s.Restart == "unless-stopped" {
			require.Equal(t, []string{"CMD", s.Command[0], "healthcheck"}, s.Healthcheck.Test, name)
			requireCommand(t, p.command, s.Healthcheck.Test[1:])
			require.NotEmpty(t, s.Environment["HEALTH_ADDR"], name)
			started[path.Base(s.Command[0])] = true
		}
		require.True(t, s.ReadOnly, name)
	}
	require.Len(t, started, len(programs))
}

// requireCommand walks the program's tree of commands along args.
func requireCommand(t *testing.T, root *cobra.Command, args []string) {
	t.Helper()
	found, rest, err := root.Find(args[1:])
	require.NoError(t, err)
	require.True(t, found.Runnable(), "%v is no command that runs", args)
	require.NoError(t, found.ValidateArgs(rest))
}

// variables are the environment variables that a settings struct reads.
func variables(settings reflect.Type) []string {
	var names []string
	for i := range settings.NumField() {
		field := settings.Field(i)
		if field.Anonymous {
			names = append(names, variables(field.Type)...)
		}
		if name, ok := field.Tag.Lookup("env"); ok {
			name, _, _ = strings.Cut(name, ",")
			names = append(names, name)
		}
	}
	return names
}

// The orchestrator has no name of its own: it is told whose sagas it drives.
func TestTheOrchestratorIsToldTheService(t *testing.T) {
	t.Parallel()
	told := 0
	for name, s := range load(t).Services {
		if len(s.Command) > 1 && path.Base(s.Command[0]) == "orchestrator" && (s.Command[1] == "migrate" || s.Command[1] == "run") {
			require.Equal(t, sample.DefaultReservationSettings().Service, s.Environment["SERVICE"], name)
			told++
		}
	}
	require.Equal(t, 2, told)
}

func TestEveryDatabaseInUseIsCreated(t *testing.T) {
	t.Parallel()
	script, err := os.ReadFile("databases.sql")
	require.NoError(t, err)
	for name, s := range load(t).Services {
		for _, address := range strings.Fields(s.Environment["DATABASE_URL"] + " " + s.Environment["DATABASE_URLS"]) {
			database, err := url.Parse(address)
			require.NoError(t, err)
			require.Contains(t, string(script), "CREATE DATABASE "+path.Base(database.Path)+";", name)
		}
	}
}

func TestImageIsStaticAndNotRoot(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("Dockerfile")
	require.NoError(t, err)
	require.Regexp(t, `(?m)^FROM golang:\d+\.\d+\.\d+-alpine AS build$`, string(text))
	require.Contains(t, string(text), "CGO_ENABLED=0")
	require.Regexp(t, `(?m)^FROM scratch$`, string(text))
	require.Regexp(t, `(?m)^USER [1-9]\d*:[1-9]\d*$`, string(text))
}

// The databases that the image makes are known to make as the project's own.
func TestDatabasesBearTheMark(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("databases.sql")
	require.NoError(t, err)
	for _, name := range []string{services.ReservationDatabase, services.HotelDatabase, services.PaymentDatabase} {
		require.Contains(t, string(text), "CREATE DATABASE "+name+";\n")
		require.Contains(t, string(text), "COMMENT ON DATABASE "+name+" IS '"+services.Mark+"';\n")
	}
}
