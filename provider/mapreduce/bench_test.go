package mapreduce

import (
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/zennet/zennet/jobs/mapreduce"
)

// benchmark runs a map over a text, and tells MiB for each second of processor time
// of this process.
func benchmark(b *testing.B, j *job, in string) {
	b.Helper()
	b.SetBytes(int64(len(in)))
	began := ownCPU()
	for b.Loop() {
		task := mapreduce.Task{Kind: mapreduce.KindMap, Stdin: []mapreduce.Source{{File: "in"}}, Memory: 64 * megabyte}
		if _, err := j.task(b, task, io.MultiReader(strings.NewReader(in)), nil); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(in)*b.N)/megabyte/(ownCPU()-began).Seconds(), "MiB/cpu-s")
}

// prose is a text of words of 2 to 12 letters, of which 50,000 are different.
func prose(size int) string {
	random := rand.New(rand.NewPCG(1, 1))
	words := make([]string, 50_000)
	for i := range words {
		b := make([]byte, 2+random.IntN(6)+random.IntN(6))
		for i := range b {
			b[i] = byte('a' + random.IntN(26))
		}
		words[i] = string(b)
	}
	zipf := rand.NewZipf(random, 1.1, 3, uint64(len(words)-1))
	var b strings.Builder
	for n := 1; b.Len() < size; n++ {
		b.WriteString(words[zipf.Uint64()])
		b.WriteByte(" \n"[n%12/11])
	}
	return b.String()
}

// Word count with our own operations.
func BenchmarkWordCount(b *testing.B) {
	benchmark(b, &job{Options: streamed("builtin:wordcount", "builtin:sum"), inputs: []string{""}}, prose(32*megabyte))
}

// A mapper that changes nothing: what the pipes, the splitting and the sorting cost.
func BenchmarkCatWords(b *testing.B) {
	in := strings.ReplaceAll(prose(16*megabyte), " ", "\t1\n")
	benchmark(b, &job{Options: streamed("cat", "cat"), inputs: []string{""}}, in)
}

// TeraSort's rows, with our own operations.
func BenchmarkTera(b *testing.B) {
	random := rand.New(rand.NewPCG(1, 1))
	var in strings.Builder
	for in.Len() < 32*megabyte {
		for range 10 {
			in.WriteByte(byte('!' + random.IntN(94)))
		}
		in.WriteString("\t00000000000000000000000000001234")
		for i := range 7 {
			in.WriteString(strings.Repeat(string(rune('A'+random.IntN(26)+i)), 8))
		}
		in.WriteString("\n")
	}
	benchmark(b, &job{Options: streamed("builtin:identity", "", "mapreduce.job.inputformat.class=KeyValueTextInputFormat"), inputs: []string{""}}, in.String())
}

// A word count by programs whose combiner runs at spills only, or at their merge too.
// Tells what goes to the reducer.
func BenchmarkCombiner(b *testing.B) {
	in := strings.ReplaceAll(prose(16*megabyte), " ", "\t1\n")
	for _, least := range []string{"1000", "3"} {
		b.Run("minspills="+least, func(b *testing.B) {
			j := &job{Options: streamed("cat", "awk -f reduce.awk", "mapreduce.map.combine.minspills="+least), inputs: []string{""}, files: map[string]string{"reduce.awk": awkReduce}}
			j.Combiner = "awk -f reduce.awk"
			j.change = func(task *mapreduce.Task) { task.Memory = 2 * megabyte }
			benchmark(b, j, in)
			b.ReportMetric(float64(j.facts[mapreduce.MapOutputFileBytes])/float64(b.N)/1024, "KiB-out/op")
			b.ReportMetric(float64(j.facts[mapreduce.CombineOutput])/float64(b.N), "combined/op")
		})
	}
}
