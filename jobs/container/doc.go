// Package container plans jobs of kind container: one task for every value of an
// array, every combination of a matrix, or one alone.
//
// A task's content id must change with whatever its program can see, and with
// nothing else, so that a longer array takes the finished tasks over. What counts
// is put into the task's environment here: the array's value and the matrix
// parameters always; the task's number and the number of tasks only where the
// command, its variables or an input file mention them. It is pure.
package container
