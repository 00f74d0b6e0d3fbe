package main

import (
	"fmt"
	"os"

	"github.com/zennet/zennet/provider/worker"
)

// digest prints the hash of a program's file.
func digest(args []string) {
	if len(args) != 1 {
		usage()
	}
	hash, err := worker.Digest(args[0])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(hash)
}
