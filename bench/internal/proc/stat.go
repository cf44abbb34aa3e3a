// Package proc reads Linux's /proc: how much processor time and memory a process
// has used, and which process listens on a port. On other systems every call
// fails.
package proc

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const root = "/proc"

// tick is the unit of the times in /proc/PID/stat: USER_HZ is 100 for programs on
// every architecture that Go supports.
const tick = 10 * time.Millisecond

// Stat is what /proc/PID/stat says of a process.
type Stat struct {
	Command string
	Parent  int
	// CPU is the time of its own threads, Reaped that of the children that have
	// ended.
	CPU, Reaped time.Duration
}

// Read looks at a process.
func Read(pid int) (Stat, error) {
	text, err := os.ReadFile(filepath.Join(root, strconv.Itoa(pid), "stat"))
	if err != nil {
		return Stat{}, fmt.Errorf("read the times of process %d: %w", pid, err)
	}
	stat, err := parseStat(string(text))
	if err != nil {
		return Stat{}, fmt.Errorf("process %d: %w", pid, err)
	}
	return stat, nil
}

// Fields of /proc/PID/stat after the command, whose own field is the second.
const (
	fieldParent = 1
	fieldUser   = 11 // followed by system, children's user, children's system
	fieldsRead  = 15
)

func parseStat(text string) (Stat, error) {
	// The command stands in parentheses and may itself hold parentheses and blanks.
	from, to := strings.IndexByte(text, '('), strings.LastIndexByte(text, ')')
	if from < 0 || to < from {
		return Stat{}, errors.New("the line of /proc/PID/stat has no command")
	}
	fields := strings.Fields(text[to+1:])
	if len(fields) < fieldsRead {
		return Stat{}, errors.New("the line of /proc/PID/stat is too short")
	}
	parent, err := strconv.Atoi(fields[fieldParent])
	if err != nil {
		return Stat{}, fmt.Errorf("the parent in /proc/PID/stat: %w", err)
	}
	var times [4]time.Duration
	for i := range times {
		ticks, err := strconv.ParseInt(fields[fieldUser+i], 10, 64)
		if err != nil {
			return Stat{}, fmt.Errorf("a time in /proc/PID/stat: %w", err)
		}
		times[i] = time.Duration(ticks) * tick
	}
	return Stat{Command: text[from+1 : to], Parent: parent, CPU: times[0] + times[1], Reaped: times[2] + times[3]}, nil
}
