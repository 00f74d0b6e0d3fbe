// Package runtime runs leased containers with runc.
//
// A container is an OCI bundle in the runtime's folder: a read-only root (the
// host's programs, a rootfs folder, or an unpacked tar), a scratch volume of a
// fixed size, limits, an unprivileged user of its own, and the worker as its
// first process. [Runc.Start] makes one, [Runc.Dial] connects to its worker,
// [Runc.Remove] takes everything away again.
//
// It guarantees that
//   - a container sees nothing of the host but the image, the worker and the
//     folder of blobs that it was given, all read-only; has no capability, no
//     network and no device; and cannot exceed its limits (spec.go, seccomp.go);
//   - containers outlive the process that started them, and a new Runc on the
//     same folder finds them: the folder is the only state (bundle.go);
//   - nothing is left behind, also after a kill -9 at any point: the scratch
//     volume is mounted only inside the container, from a loop device that the
//     kernel detaches with its last user (scratch.go).
//
// What a worker does is package worker; what a container used is package meter.
// Start at runc.go, then spec.go.
package runtime
