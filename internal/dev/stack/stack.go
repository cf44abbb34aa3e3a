package stack

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"go.example/saga/internal/app"
)

// Settings are what the daemons run against.
type Settings struct {
	Root   string // of the project: where deploy/ is
	BinDir string // where Build put the programs
	LogDir string // one file a daemon
	// The databases' URLs and the broker's, with its virtual host.
	Reservation, Hotel, Payment, AMQP string
	// Form says whether the services share a database, which then all three URLs lead to.
	Form Form
	// As gives the URL with which a program, or "owner" for the migrations, reaches a
	// database; nil takes the database's own URL.
	As func(program, url string) string
	// AddressDir is where the daemons read addresses from, as files that Launch writes, so
	// that they can change; empty gives the addresses themselves.
	AddressDir string
	// Listen is the address of the reservation service, host:port; empty takes a
	// free port.
	Listen string
	// HTTPTargets are whom the relay may call by HTTP.
	HTTPTargets string
	// LogFormat is json or console.
	LogFormat string
	// Env are further settings of daemons, as NAME=text, by the daemon.
	Env map[string][]string
}

// Stack is the running daemons. Its methods are for one goroutine at a time.
type Stack struct {
	settings Settings
	http     map[string]*socket // of the services, by name
	daemons  map[string]*daemon
}

// Start is [Launch], and waits until all daemons are ready. On an error nothing
// runs.
func Start(ctx context.Context, settings Settings) (*Stack, error) {
	s, err := Launch(ctx, settings)
	if err != nil {
		return nil, err
	}
	if err := s.Ready(ctx); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

// Launch migrates the orchestrator's database, applies the saga definition and
// starts all daemons, without waiting for them. On an error nothing runs. It is
// syscall.EADDRINUSE when somebody else has the port in settings.
func Launch(ctx context.Context, settings Settings) (*Stack, error) {
	s := &Stack{settings: settings, http: map[string]*socket{}, daemons: map[string]*daemon{}}
	for name, address := range map[string]string{"reservation": cmp.Or(settings.Listen, loopback), "hotel": loopback, "payment": loopback, participants: loopback} {
		if !slices.Contains(settings.Form.Programs(), name) {
			continue
		}
		var err error
		if s.http[name], err = bind(address); err != nil {
			return nil, err
		}
	}
	if err := s.launch(ctx); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

func (s *Stack) launch(ctx context.Context) error {
	if err := os.MkdirAll(s.settings.LogDir, 0o755); err != nil {
		return fmt.Errorf("make the directory of the logs: %w", err)
	}
	if err := s.WriteAddresses(s.settings); err != nil {
		return err
	}
	if err := s.prepare(ctx); err != nil {
		return err
	}
	return s.start()
}

func (s *Stack) prepare(ctx context.Context) error {
	definition := filepath.Join(s.settings.Root, "deploy", s.settings.Form.definition())
	for _, args := range [][]string{{"migrate"}, {"definition", "apply", definition}} {
		var also []string
		if args[0] == "migrate" {
			// The last one counts.
			also = []string{"DATABASE_URL=" + s.as("owner", s.settings.Reservation), "DATABASE_URL_FILE="}
		}
		if _, err := s.command(ctx, "orchestrator", args, also...); err != nil {
			return err
		}
	}
	return nil
}

// Command runs a command of a daemon's program with the daemon's settings, and returns what it
// says.
func (s *Stack) Command(ctx context.Context, name string, args ...string) (out string, err error) {
	return s.command(ctx, name, args)
}

func (s *Stack) command(ctx context.Context, name string, args []string, also ...string) (out string, err error) {
	cmd := exec.CommandContext(ctx, s.program(name), args...)
	cmd.Env = append(s.environment(name), also...)
	text, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, text)
	}
	return string(text), nil
}

// Programs are the daemons that run, in the order of their start.
func (s *Stack) Programs() []string { return s.settings.Form.Programs() }

func (s *Stack) start() error {
	for _, name := range s.Programs() {
		health, err := bind(loopback)
		if err != nil {
			return err
		}
		d := &daemon{
			name: name, path: s.program(name), args: []string{verb(name)},
			env: append(s.environment(name), "HEALTH_ADDR="+inherited(0)), log: s.LogFile(name),
			sockets: []*socket{health},
		}
		if http := s.http[name]; http != nil {
			d.sockets = append(d.sockets, http)
			d.env = append(d.env, "LISTEN_ADDR="+inherited(1))
		}
		s.daemons[name] = d
		if err := d.start(); err != nil {
			return err
		}
	}
	return nil
}

// Ready waits until every daemon is.
func (s *Stack) Ready(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, d := range s.daemons {
		group.Go(func() error { return d.ready(ctx) })
	}
	return group.Wait()
}

// Health is nil when the daemon says that it is ready, or its reason why not.
func (s *Stack) Health(ctx context.Context, name string) error {
	return app.CheckHealth(ctx, s.daemons[name].sockets[0].addr)
}

// URL is where the reservation service listens.
func (s *Stack) URL() string { return s.url("reservation") }

// url is where a service listens, or the program that it is a part of.
func (s *Stack) url(service string) string {
	listens := s.http[service]
	if listens == nil {
		listens = s.http[participants]
	}
	return "http://" + listens.addr
}

// LogFile is the file that holds what the daemon wrote.
func (s *Stack) LogFile(name string) string {
	return filepath.Join(s.settings.LogDir, name+".log")
}

// Halt stops the daemon in order. Its port stays taken: connections to it are made, and nobody
// answers there until [Stack.Restart].
func (s *Stack) Halt(name string) error { return s.daemons[name].stop() }

// Kill ends the daemon as a crash does (SIGKILL) and leaves it so until [Stack.Restart].
func (s *Stack) Kill(name string) error { return s.daemons[name].kill() }

// Restart kills the daemon, unless it is dead already, starts it again and waits
// until it is ready.
func (s *Stack) Restart(ctx context.Context, name string) error {
	d := s.daemons[name]
	if err := d.kill(); err != nil {
		return err
	}
	if err := d.start(); err != nil {
		return err
	}
	return d.ready(ctx)
}

// Ended receives the name of each daemon that ends.
func (s *Stack) Ended() <-chan string {
	ended := make(chan string, len(s.daemons))
	for name, d := range s.daemons {
		go func(exited <-chan struct{}) {
			<-exited
			ended <- name
		}(d.exited)
	}
	return ended
}

// Stop stops the daemons in the reverse order of their start. An error names
// those that did not end in order. The ports stay taken, for a later Restart, until
// the stack is forgotten.
func (s *Stack) Stop() error {
	var errs []error
	for _, name := range slices.Backward(s.Programs()) {
		if d := s.daemons[name]; d != nil {
			errs = append(errs, d.stop())
		}
	}
	return errors.Join(errs...)
}

func (s *Stack) program(name string) string { return filepath.Join(s.settings.BinDir, name) }

func verb(name string) string {
	if name == "relay" || name == "orchestrator" {
		return "run"
	}
	return "serve"
}

// environment is what a daemon is configured with, and nothing of the caller's
// that could be taken for a setting.
func (s *Stack) environment(name string) []string {
	env := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "LOG_FORMAT=" + s.settings.LogFormat}
	for setting, text := range s.addresses(name, s.settings) {
		if s.settings.AddressDir != "" {
			setting, text = setting+"_FILE", s.addressFile(name, setting)
		}
		env = append(env, setting+"="+text)
	}
	if name == "orchestrator" || name == "reservation" || name == participants {
		env = append(env, "SERVICE=reservation")
	}
	if name == "relay" && s.settings.HTTPTargets != "" {
		env = append(env, "HTTP_TARGETS="+s.settings.HTTPTargets)
	}
	if s.settings.Form == SharedSchema && name != "relay" {
		env = append(env, "DATABASE_SCHEMA="+s.settings.Form.Schema(owner(name)))
	}
	if name == "reservation" {
		env = append(env, "HOTEL_URL="+s.url("hotel"), "PAYMENT_URL="+s.url("payment"))
	}
	return append(env, s.settings.Env[name]...)
}

// owner is the service whose tables a daemon works on.
func owner(name string) string {
	if name == "hotel" || name == "payment" {
		return name
	}
	return "reservation"
}

// addresses are a daemon's, by the setting.
func (s *Stack) addresses(name string, set Settings) map[string]string {
	all := map[string]string{"AMQP_URL": set.AMQP}
	switch name {
	case "relay":
		var urls []string
		for _, of := range [][2]string{{"reservation", set.Reservation}, {"hotel", set.Hotel}, {"payment", set.Payment}} {
			if url := s.settings.Form.listed(s.as(name, of[1]), of[0]); !slices.Contains(urls, url) {
				urls = append(urls, url)
			}
		}
		all["DATABASE_URLS"] = strings.Join(urls, " ")
	case "hotel":
		all["DATABASE_URL"] = s.as(name, set.Hotel)
	case "payment":
		all["DATABASE_URL"] = s.as(name, set.Payment)
	default:
		all["DATABASE_URL"] = s.as(name, set.Reservation)
	}
	return all
}

func (s *Stack) addressFile(name, setting string) string {
	return filepath.Join(s.settings.AddressDir, name+"."+strings.ToLower(setting))
}

// WriteAddresses puts those of the settings into the files that the daemons read, each at
// once, as an orchestrator of containers does. It does nothing where they read none.
func (s *Stack) WriteAddresses(set Settings) error {
	if s.settings.AddressDir == "" {
		return nil
	}
	for _, name := range s.Programs() {
		for setting, text := range s.addresses(name, set) {
			file := s.addressFile(name, setting)
			if err := os.WriteFile(file+".new", []byte(text+"\n"), 0o600); err != nil {
				return fmt.Errorf("write an address: %w", err)
			}
			if err := os.Rename(file+".new", file); err != nil {
				return fmt.Errorf("write an address: %w", err)
			}
		}
	}
	return nil
}

func (s *Stack) as(program, url string) string {
	if s.settings.As == nil {
		return url
	}
	return s.settings.As(program, url)
}
