// Command zennet-job runs jobs on machines leased from strangers. See
// zennet-job --help.
package main

import (
	"context"
	"os"

	"github.com/zennet/zennet/jobrunner/cli"
)

func main() {
	os.Exit(cli.Run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
