// Package daemon puts the parts of a node together: a [Publisher] (market,
// engine, journal, local API) and a [Provider] (containers, meter, agent). Both
// reach the ledger and each other only through sockets, so the same two types
// make a zennetd on a machine of its own and the embedded network of
// jobrunner/devnet.
package daemon

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// WorkerName is the program that runs in every container.
const WorkerName = "zennet-worker"

// FindWorker looks for the worker: ZENNET_WORKER, beside this program, in PATH.
func FindWorker() (string, error) {
	if path := os.Getenv("ZENNET_WORKER"); path != "" {
		return path, nil
	}
	if self, err := os.Executable(); err == nil {
		path := filepath.Join(filepath.Dir(self), WorkerName)
		if info, err := os.Stat(path); err == nil && info.Mode()&0o111 != 0 {
			return path, nil
		}
	}
	path, err := exec.LookPath(WorkerName)
	if err != nil {
		return "", fmt.Errorf("%s is neither beside this program nor in PATH (make build puts both into bin/)", WorkerName)
	}
	return filepath.Abs(path)
}
