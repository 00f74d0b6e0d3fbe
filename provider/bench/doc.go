// Package bench holds the canonical benchmarks (PROTOCOL.md 2.2): kernels that
// load a machine in different ways, and their measurement in a container under
// the meter, which gives a provider the rows V and prices s that its rates come
// from.
package bench
