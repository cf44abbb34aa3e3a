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

// CPU is the processor time of a process's own threads.
func CPU(pid int) (time.Duration, error) {
	stat, err := Read(pid)
	return stat.CPU, err
}

// FamilyCPU is the processor time of a process, of its children and of those that
// have ended: PostgreSQL is a process and one child for each session.
func FamilyCPU(pid int) (time.Duration, error) {
	parent, err := Read(pid)
	if err != nil {
		return 0, err
	}
	total := parent.CPU + parent.Reaped
	pids, err := pids()
	if err != nil {
		return 0, err
	}
	for _, child := range pids {
		stat, err := Read(child)
		if err == nil && stat.Parent == pid { // others may end while we look
			total += stat.CPU + stat.Reaped
		}
	}
	return total, nil
}

// PeakMemory is the most resident memory that a process has had, in bytes.
func PeakMemory(pid int) (int64, error) {
	text, err := os.ReadFile(filepath.Join(root, strconv.Itoa(pid), "status"))
	if err != nil {
		return 0, fmt.Errorf("read the memory of process %d: %w", pid, err)
	}
	return parsePeak(string(text))
}

func parsePeak(status string) (int64, error) {
	for line := range strings.Lines(status) {
		value, found := strings.CutPrefix(line, "VmHWM:")
		if !found {
			continue
		}
		kilobytes, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("VmHWM in /proc/PID/status: %w", err)
		}
		return kilobytes << 10, nil
	}
	return 0, errors.New("no VmHWM in /proc/PID/status")
}

func pids() ([]int, error) {
	entries, err := os.ReadDir(root)
	if err != nil {
		return nil, fmt.Errorf("list the processes: %w", err)
	}
	var pids []int
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}
