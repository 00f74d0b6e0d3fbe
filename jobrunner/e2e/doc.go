// Package e2e holds tests of the real programs: zennet-job, zennetd, xencoind
// and zennet-worker are built, started as processes of their own, killed, and
// looked at from outside, through what scripts may rely on.
package e2e
