package cli_test

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/zennet/zennet/ledger/cmd/xencoind/cli"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"xencoind": func() {
			ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			if err := cli.Root().ExecuteContext(ctx); err != nil {
				fmt.Fprintln(os.Stderr, "xencoind:", err)
				os.Exit(cli.ExitCode(err))
			}
		},
	})
}

// TestScripts drives the real command as a user does.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"ready": ready,
			"code":  code,
		},
	})
}

// ready FILE VAR waits until a node's output file names its URL, and sets VAR.
func ready(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: ready FILE VAR")
	}
	url := regexp.MustCompile(`http://127\.0\.0\.1:\d+`)
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		data, err := os.ReadFile(ts.MkAbs(args[0]))
		if found := url.Find(data); err == nil && found != nil {
			ts.Setenv(args[1], string(found))
			return
		}
	}
	ts.Fatalf("%s: no node", args[0])
}

// code N COMMAND… runs xencoind and compares its exit code.
func code(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N COMMAND...")
	}
	got := "0"
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		got = regexp.MustCompile(`\d+`).FindString(err.Error())
	}
	if got != args[0] {
		ts.Fatalf("exit code %s, want %s", got, args[0])
	}
}
