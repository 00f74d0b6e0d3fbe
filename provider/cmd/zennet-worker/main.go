// Zennet-worker is the program inside every leased container. Nobody runs it by
// hand: the provider's agent starts it as the container's first process.
//
//	zennet-worker serve             run the publisher's tasks, on the socket at descriptor 3
//	zennet-worker bench KERNEL …    run a canonical benchmark
//	zennet-worker mapreduce KIND    run a map, reduce or sample task, in its scratch folder
//	zennet-worker digest PROGRAM    print the hash of a program's file
//	zennet-worker version
package main

import (
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"

	"github.com/zennet/zennet/provider/bench"
	"github.com/zennet/zennet/provider/mapreduce"
	"github.com/zennet/zennet/provider/protocol"
	"github.com/zennet/zennet/provider/worker"
)

func main() {
	command := ""
	if len(os.Args) > 1 {
		command = os.Args[1]
	}
	switch command {
	case "serve":
		log := slog.New(slog.NewTextHandler(os.Stderr, nil))
		if err := worker.Init(log); err != nil {
			log.Error("worker ends", "err", err)
			os.Exit(1)
		}
	case "digest":
		digest(os.Args[2:])
	case "bench":
		os.Exit(bench.Main(os.Args[2:], os.Stdout))
	case "mapreduce":
		os.Exit(mapreduce.Main(os.Args[2:]))
	case "version":
		version := "unknown"
		if info, ok := debug.ReadBuildInfo(); ok {
			version = info.Main.Version
		}
		fmt.Printf("zennet-worker %s, protocol %d\n", version, protocol.WorkerVersion)
	default:
		usage()
	}
}

func usage() {
	fmt.Fprintln(os.Stderr, "usage: zennet-worker serve | bench KERNEL [ARGUMENT…] | mapreduce KIND | digest PROGRAM | version")
	os.Exit(2)
}
