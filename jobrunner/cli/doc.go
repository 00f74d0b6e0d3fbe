// Package cli is the command lines of zennet-job and zennetd: flags, exit
// statuses, progress and tables for people, JSON for scripts. Reading commands
// read the journal; commands that need a living engine go through the socket of
// jobrunner/api, also when the host is this very process.
//
// Start at root.go, then submit.go.
package cli
