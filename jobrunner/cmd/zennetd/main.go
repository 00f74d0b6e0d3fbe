// Command zennetd is the node: publisher, provider, or a whole small network.
// See zennetd --help.
package main

import (
	"context"
	"os"

	"github.com/zennet/zennet/jobrunner/cli"
)

func main() {
	os.Exit(cli.RunDaemon(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
