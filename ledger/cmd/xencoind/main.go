// Command xencoind runs a node of the XenCoin ledger.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/zennet/zennet/ledger/cmd/xencoind/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := cli.Root().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "xencoind:", err)
		os.Exit(cli.ExitCode(err))
	}
}
