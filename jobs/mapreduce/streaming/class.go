package streaming

import (
	"regexp"
	"strings"
)

// javaClass is what a command or setting that names a Java class looks like.
var javaClass = regexp.MustCompile(`^[a-z_][A-Za-z0-9_]*(\.[a-z_][A-Za-z0-9_]*)+\.[A-Z][A-Za-z0-9_$]*$`)

// classCommand are Hadoop's mappers and reducers that have an equal here.
var classCommand = map[string]string{
	"org.apache.hadoop.mapred.lib.IdentityMapper":                    BuiltinIdentity,
	"org.apache.hadoop.mapreduce.Mapper":                             BuiltinIdentity,
	"org.apache.hadoop.mapred.lib.IdentityReducer":                   BuiltinIdentity,
	"org.apache.hadoop.mapreduce.Reducer":                            BuiltinIdentity,
	"org.apache.hadoop.mapred.lib.InverseMapper":                     BuiltinInverse,
	"org.apache.hadoop.mapreduce.lib.map.InverseMapper":              BuiltinInverse,
	"org.apache.hadoop.mapred.lib.TokenCountMapper":                  BuiltinTokenCount,
	"org.apache.hadoop.mapreduce.lib.map.TokenCounterMapper":         BuiltinTokenCount,
	"org.apache.hadoop.mapred.lib.RegexMapper":                       BuiltinRegex,
	"org.apache.hadoop.mapreduce.lib.map.RegexMapper":                BuiltinRegex,
	"org.apache.hadoop.mapred.lib.LongSumReducer":                    BuiltinSum,
	"org.apache.hadoop.mapreduce.lib.reduce.LongSumReducer":          BuiltinSum,
	"org.apache.hadoop.mapreduce.lib.reduce.IntSumReducer":           BuiltinSum,
	"org.apache.hadoop.mapred.lib.aggregate.ValueAggregatorReducer":  BuiltinAggregate,
	"org.apache.hadoop.mapred.lib.aggregate.ValueAggregatorCombiner": BuiltinAggregate,
}

// classPartitioner are the partitioners that have an equal here.
var classPartitioner = map[string]string{
	"org.apache.hadoop.mapred.lib.HashPartitioner":                       PartitionHash,
	"org.apache.hadoop.mapreduce.lib.partition.HashPartitioner":          PartitionHash,
	"org.apache.hadoop.mapred.lib.KeyFieldBasedPartitioner":              PartitionKeyField,
	"org.apache.hadoop.mapreduce.lib.partition.KeyFieldBasedPartitioner": PartitionKeyField,
	"org.apache.hadoop.mapred.lib.TotalOrderPartitioner":                 PartitionRange,
	"org.apache.hadoop.mapreduce.lib.partition.TotalOrderPartitioner":    PartitionRange,
}

// PartitionerByClass is the kind of partitioner that a Java class has an equal in.
func PartitionerByClass(class string) (kind string, ok bool) {
	kind, ok = classPartitioner[class]
	return kind, ok
}

// classInput are the input formats that have an equal here. Hadoop takes three of
// them by their short names too.
var classInput = map[string]string{
	"TextInputFormat":                                               FormatText,
	"org.apache.hadoop.mapred.TextInputFormat":                      FormatText,
	"org.apache.hadoop.mapreduce.lib.input.TextInputFormat":         FormatText,
	"KeyValueTextInputFormat":                                       FormatKeyValue,
	"org.apache.hadoop.mapred.KeyValueTextInputFormat":              FormatKeyValue,
	"org.apache.hadoop.mapreduce.lib.input.KeyValueTextInputFormat": FormatKeyValue,
	"NLineInputFormat":                                              FormatNLine,
	"org.apache.hadoop.mapred.lib.NLineInputFormat":                 FormatNLine,
	"org.apache.hadoop.mapreduce.lib.input.NLineInputFormat":        FormatNLine,
}

// classOutput are the output formats that have an equal here; true: nothing is written.
var classOutput = map[string]bool{
	"TextOutputFormat":                                        false,
	"org.apache.hadoop.mapred.TextOutputFormat":               false,
	"org.apache.hadoop.mapreduce.lib.output.TextOutputFormat": false,
	"NullOutputFormat":                                        true,
	"org.apache.hadoop.mapred.lib.NullOutputFormat":           true,
	"org.apache.hadoop.mapreduce.lib.output.NullOutputFormat": true,
}

// classCodec are the codecs that are known, by the names that Config uses.
var classCodec = map[string]string{
	"org.apache.hadoop.io.compress.DefaultCodec":   CodecDeflate,
	"org.apache.hadoop.io.compress.DeflateCodec":   CodecDeflate,
	"org.apache.hadoop.io.compress.GzipCodec":      CodecGzip,
	"org.apache.hadoop.io.compress.BZip2Codec":     CodecBzip2,
	"org.apache.hadoop.io.compress.ZStandardCodec": CodecZstd,
	"org.apache.hadoop.io.compress.SnappyCodec":    CodecSnappy,
	"org.apache.hadoop.io.compress.Lz4Codec":       CodecLz4,
}

// Names of codecs.
const (
	CodecDeflate = "deflate"
	CodecGzip    = "gzip"
	CodecBzip2   = "bzip2"
	CodecZstd    = "zstd"
	CodecSnappy  = "snappy"
	CodecLz4     = "lz4"
)

const (
	classFieldComparator    = "org.apache.hadoop.mapred.lib.KeyFieldBasedComparator"
	classNewFieldComparator = "org.apache.hadoop.mapreduce.lib.partition.KeyFieldBasedComparator"
)

// textComparator are comparators that order by unsigned bytes, as ours does anyway.
var textComparator = map[string]bool{
	"org.apache.hadoop.io.Text$Comparator":    true,
	"org.apache.hadoop.io.Text.Comparator":    true,
	"org.apache.hadoop.io.WritableComparator": true,
}

// simpleClass is a class's name without its package.
func simpleClass(class string) string { return class[strings.LastIndexByte(class, '.')+1:] }
