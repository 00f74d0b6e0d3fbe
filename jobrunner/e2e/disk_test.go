package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestJournalDiskFull puts the journal on a disk that fills up in the middle of a
// job: the job stops with exit 4 and says so; when there is room again and it is
// submitted again, it goes on, nothing finished runs again, and every lease is
// settled to its last voucher.
func TestJournalDiskFull(t *testing.T) {
	s := newSite(t)
	disk := t.TempDir()
	if err := unix.Mount("tmpfs", disk, "tmpfs", 0, "size=700k"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("mount tmpfs: %v", err)
		}
		t.Skipf("mount tmpfs: %v", err)
	}
	t.Cleanup(func() { unix.Unmount(disk, unix.MNT_DETACH) })
	if err := os.MkdirAll(s.home, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(disk, "journal.db"), filepath.Join(s.home, "journal.db")); err != nil {
		t.Fatal(err)
	}
	file := s.write("many.yaml", `version: 1
kind: container
name: many
command: ["sh", "-c", "echo $ZENNET_TASK_INDEX > f"]
array: 0-1199
collect: [f]
slots: 2
budget: 1 XEN
`)
	out, stderr := s.job(4, "submit", file)
	if !strings.Contains(stderr, "goes on when it is submitted again") || !strings.Contains(stderr, "full") {
		t.Errorf("it said:\n%s", tail([]byte(stderr), 2000))
	}
	id := first(out)
	if err := unix.Mount("tmpfs", disk, "tmpfs", unix.MS_REMOUNT, "size=64m"); err != nil {
		t.Fatal(err)
	}
	before := s.status(id)
	if before.State.Ended() {
		t.Errorf("the job is %s", before.State)
	}
	out, _ = s.job(0, "submit", file)
	if first(out) != id {
		t.Errorf("job %s became %s", id, first(out))
	}
	if st := s.status(id); st.State != "done" || st.Tasks.Done != 1200 {
		t.Errorf("status %+v", st)
	}
	s.receipt(id)
}
