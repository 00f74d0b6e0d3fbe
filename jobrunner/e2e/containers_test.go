package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// workers are the first processes of the containers of some providers.
func (w *world) workers(homes ...string) (pids []int) {
	w.t.Helper()
	for _, home := range homes {
		states, err := filepath.Glob(filepath.Join(home, "provider", "runc", "*", "*", "state.json"))
		if err != nil {
			w.t.Fatal(err)
		}
		for _, path := range states {
			data, err := os.ReadFile(path)
			var state struct {
				PID int `json:"init_process_pid"`
			}
			if err == nil && json.Unmarshal(data, &state) == nil && state.PID > 1 {
				pids = append(pids, state.PID)
			}
		}
	}
	return pids
}

// flipKept changes a byte in each map output that lies ready in a provider's
// containers, and says in how many. One that was just written may not have been hashed yet.
func (w *world) flipKept(provider int) (n int) {
	w.t.Helper()
	for _, pid := range w.workers(w.homes[provider]) {
		found, err := filepath.Glob(fmt.Sprintf("/proc/%d/root/work/tasks/*/seg/0*", pid))
		if err != nil {
			w.t.Fatal(err)
		}
		for _, path := range found {
			info, err := os.Stat(path)
			if err != nil || info.Size() < 1000 || time.Since(info.ModTime()) < time.Second {
				continue
			}
			data, err := os.ReadFile(path)
			if err != nil {
				continue
			}
			data[len(data)/2] ^= 1
			if os.WriteFile(path, data, 0o644) == nil {
				n++
			}
		}
	}
	return n
}
