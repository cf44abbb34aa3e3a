package report

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"
)

// Facts say under what circumstances the figures came to be.
type Facts struct {
	Command          string
	When             time.Time
	Postgres, Broker string // versions
}

// Markdown is a list of the facts, with those that the machine tells of itself.
func (f Facts) Markdown() string {
	return fmt.Sprintf(`- Command: %s
- Date: %s
- Machine: %d cores (%s), %s of memory, %s/%s
- Servers: PostgreSQL %s, RabbitMQ %s, on the same machine
- Programs: %s, %s
`,
		"`"+f.Command+"`", f.When.UTC().Format(time.DateOnly),
		runtime.NumCPU(), processor(read("/proc/cpuinfo")), memory(read("/proc/meminfo")), runtime.GOOS, runtime.GOARCH,
		f.Postgres, f.Broker, runtime.Version(), strings.Join(peers(), ", "))
}

func read(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return "" // a system without it
	}
	return string(text)
}

const unknown = "unknown"

// entry is the value of the first line that begins with key, in the files of
// /proc that are lists of keys and values.
func entry(text, key string) (string, bool) {
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(line, ":")
		if strings.TrimSpace(name) == key {
			return strings.TrimSpace(value), true
		}
	}
	return "", false
}

func processor(cpuinfo string) string {
	if model, found := entry(cpuinfo, "model name"); found {
		return model
	}
	return unknown
}

func memory(meminfo string) string {
	total, _ := entry(meminfo, "MemTotal")
	kilobytes, err := strconv.ParseFloat(strings.TrimSuffix(total, " kB"), 64)
	if err != nil {
		return unknown
	}
	return fmt.Sprintf("%.0f GiB", kilobytes/(1<<20))
}

// peers are the libraries measured beside the relay, and those that all share.
func peers() []string {
	info, _ := debug.ReadBuildInfo()
	if info == nil {
		return nil
	}
	return versions(info.Deps)
}

func versions(deps []*debug.Module) []string {
	var found []string
	for _, path := range []string{
		"github.com/ThreeDotsLabs/watermill", "github.com/ThreeDotsLabs/watermill-sql/v4", "github.com/ThreeDotsLabs/watermill-amqp/v3",
		"github.com/riverqueue/river", "github.com/dbos-inc/dbos-transact-golang", "github.com/jackc/pgx/v5", "github.com/rabbitmq/amqp091-go",
	} {
		for _, d := range deps {
			if d.Path == path {
				_, name, _ := strings.Cut(path, "/")
				found = append(found, name+" "+d.Version)
			}
		}
	}
	return found
}
