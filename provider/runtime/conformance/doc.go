// Package conformance tests a container runtime from a publisher's and from a
// hostile task's point of view. Every runtime of the product passes the same
// suite: [Suite].
//
// It holds no rule of its own: what a container may and may not do is in the
// documentation of packages runtime and worker; each test names the rule that it
// would see broken. The hostile tasks run python3, sh and coreutils of the image
// "host", as a publisher's would.
package conformance
