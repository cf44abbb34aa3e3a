package contender

import (
	"context"
	"fmt"
	"os/exec"
)

// NewRelay is the relay as a process, with the settings that it has by default
// and those given, for example "RELAY_RETENTION=1s".
func NewRelay(program string, settings ...string) Contender {
	return Contender{
		Name: Relay, Share: 1,
		Fill: func(ctx context.Context, job Job) error {
			if err := Migrate(ctx, program, job); err != nil {
				return err
			}
			return FillOutbox(ctx, job, 0, job.Rows)
		},
		Command: func(job Job) (*exec.Cmd, error) {
			cmd := exec.Command(program, "run")
			cmd.Env = append(environment(job), settings...)
			return cmd, nil
		},
	}
}

// Migrate makes the outbox's tables in the job's database.
func Migrate(ctx context.Context, program string, job Job) error {
	cmd := exec.CommandContext(ctx, program, "migrate")
	cmd.Env = environment(job)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("relay migrate: %w\n%s", err, out)
	}
	return nil
}

// environment has nothing of this shell's, which may hold settings of a relay.
func environment(job Job) []string {
	return []string{"DATABASE_URLS=" + job.Database, "AMQP_URL=" + job.AMQP}
}
