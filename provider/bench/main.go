package bench

import (
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"time"
)

// Main is the command "bench KERNEL [--seed N] [--scale X] [--dir DIR] [--linger D]":
// it runs one kernel on one core, prints one line of JSON with its checksum and
// wall time, and returns the exit status: 0, 1 where the kernel failed, 2 where
// the arguments are wrong. With --linger it stays that long afterwards, so that
// who watches from outside still finds the process and its files when the work is
// done.
func Main(args []string, stdout io.Writer) int {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(os.Stderr)
	seed := flags.Uint64("seed", 1, "what the kernel works on")
	scale := flags.Float64("scale", 1, "how much work: 1 is about half a second")
	dir := flags.String("dir", ".", "folder to write to")
	linger := flags.Duration("linger", 0, "how long to stay when done")
	if len(args) == 0 {
		fmt.Fprintln(os.Stderr, "usage: bench KERNEL [flags]; the kernels are:")
		for _, k := range Kernels {
			fmt.Fprintf(os.Stderr, "  %-10s %s\n", k.Name, k.For)
		}
		return 2
	}
	if err := flags.Parse(args[1:]); err != nil {
		return 2
	}
	if flags.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "bench: unexpected argument %q\n", flags.Arg(0))
		return 2
	}
	// One core, and no collector beside the kernel: the work is the kernel's alone.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	start := time.Now()
	sum, err := Run(args[0], *seed, *scale, *dir)
	wall := time.Since(start)
	if err != nil {
		fmt.Fprintf(os.Stderr, "bench: %v\n", err)
		return 1
	}
	if _, err := fmt.Fprintf(stdout, "{\"kernel\":%q,\"version\":%d,\"seed\":%d,\"scale\":%v,\"checksum\":\"%016x\",\"wall_ns\":%d}\n",
		args[0], Version, *seed, *scale, sum, wall.Nanoseconds()); err != nil {
		return 1
	}
	time.Sleep(*linger)
	return 0
}
