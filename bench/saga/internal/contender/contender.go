// Package contender carries out orders: this system as it is released, plain
// transactions as the floor below which no coordination can go, and what else one
// could use. Each has a client, a process of its own that this program is a second
// time; it places orders as a [Load] says, for all who do so, and knows when they have
// ended.
package contender

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"github.com/jackc/pgx/v5/pgxpool"

	"go.example/saga/bench/internal/lab"
	"go.example/saga/bench/saga/internal/booking"
	"go.example/saga/internal/footprint"
)

// The names of the contenders.
const (
	Floor  = "floor"
	System = "this system"
	River  = "river"
	DBOS   = "dbos"
)

// poolSize is how many connections a client has to each database, as the sample's
// reservation service does. It is more than the cores can serve, so that commits share
// the disk's writes, and three times as many are within PostgreSQL's usual 100.
const poolSize = 16

// Job is where a contender works.
type Job struct {
	Databases booking.Databases
	AMQP      string
}

// Contender is one way to carry out orders.
type Contender struct {
	Name string
	// Share divides the orders of a round: a slow contender gets fewer, so that all
	// rounds take about as long.
	Share int
	// Sagas says that it leaves sagas to compare with.
	Sagas bool
	// daemons starts the processes beside the client.
	daemons func(context.Context, *lab.Lab, Job) (*Daemons, error)
}

// All are the contenders, with the released programs in a directory.
func All(programs string) []Contender {
	return []Contender{
		{Name: Floor, Share: 1},
		NewSystem(programs),
		{Name: River, Share: 2},
		{Name: DBOS, Share: 4},
	}
}

// NewSystem is this system, with its programs in a directory.
func NewSystem(programs string) Contender {
	return Contender{
		Name: System, Share: 1, Sagas: true,
		daemons: func(ctx context.Context, l *lab.Lab, job Job) (*Daemons, error) {
			return startDaemons(ctx, l, programs, job)
		},
	}
}

// NewDBOS is the peer that is compared order by order.
func NewDBOS() Contender { return Contender{Name: DBOS, Share: 4} }

const jobVariable = "BENCH_JOB"

// Verb is the first argument of this program where it is a contender's client.
const Verb = "contend"

// client is this program again.
func (c Contender) client(job Job) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	text, err := json.Marshal(job)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, Verb, c.Name)
	cmd.Env = append(os.Environ(), jobVariable+"="+string(text))
	return cmd, nil
}

// Serve is the work of such a process, until nobody asks any more.
func Serve(name string) error {
	open, known := map[string]func(context.Context, Job) (place, func(), error){
		Floor: openFloor, System: openSystem, River: openRiver, DBOS: openDBOS,
	}[name]
	if !known {
		return fmt.Errorf("no contender is called %q", name)
	}
	var job Job
	if err := json.Unmarshal([]byte(os.Getenv(jobVariable)), &job); err != nil {
		return fmt.Errorf("read %s: %w", jobVariable, err)
	}
	footprint.Usual.Keep() // as the reservation service does; all clients alike
	// SIGTERM comes with the end of the input, which ends it in order.
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	do, closeAll, err := open(context.WithoutCancel(ctx), job)
	if err != nil {
		return err
	}
	defer closeAll()
	return serve(ctx, os.Stdin, os.Stdout, do)
}

// pools are a client's connections to the three databases.
type pools struct{ reservation, hotel, payment *pgxpool.Pool }

func connect(ctx context.Context, d booking.Databases) (p pools, err error) {
	for url, pool := range map[string]**pgxpool.Pool{d.Reservation: &p.reservation, d.Hotel: &p.hotel, d.Payment: &p.payment} {
		if *pool, err = newPool(ctx, url, poolSize, nil); err != nil {
			return p, err
		}
	}
	return p, nil
}

func newPool(ctx context.Context, url string, size int32, settings map[string]string) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("the URL of a service's database: %w", err)
	}
	config.MaxConns = size
	// As the daemons of this system have it: no contender reads a whole table because
	// the table was empty when its statement was planned.
	config.ConnConfig.RuntimeParams["enable_seqscan"] = "off"
	config.ConnConfig.RuntimeParams["jit"] = "off"
	maps.Copy(config.ConnConfig.RuntimeParams, settings)
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("connect to a service's database: %w", err)
	}
	return pool, nil
}

func (p pools) close() {
	p.reservation.Close()
	p.hotel.Close()
	p.payment.Close()
}
