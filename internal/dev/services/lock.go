package services

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// lock keeps two runs of Up or Down apart: both would start the same instance.
// It ends with the process at the latest.
func lock(dir string, report Report) (unlock func(), err error) {
	path := filepath.Join(dir, localDir, "lock")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	descriptor := int(file.Fd())
	if syscall.Flock(descriptor, syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		report("waiting for another run of the set-up in this directory")
		if err := syscall.Flock(descriptor, syscall.LOCK_EX); err != nil {
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
	}
	return func() { file.Close() }, nil // closing is what unlocks
}
