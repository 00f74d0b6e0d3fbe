package e2e

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// inputs writes the scripts, and what the jobs read, which goes to HDFS: below
// packed/ compressed, below blocks/ in blocks of 4 KiB (testdata/Jobs.java).
func (h *hadoop) inputs() {
	h.t.Helper()
	in := func(name, text string) { h.write("in/"+name, text) }
	in("words.txt", text(600))
	in("mixed.txt", "a\tb\r\nc\rd\n\n\tempty key\n\r\r\n  lead\t\tdouble\nx\t\n\tz\n\t\n\t\t\na\tb\r\r\nno end")
	in("bytes.txt", "a\x00b\tc\x00\n\x00\t\x00\n\xff\xfe\tbad\n\xc3\t\xa9\n\xed\xa0\x80\tsurrogate\né\tü\n😀\tsmile\n\xf0\x9f\ttorn\n\x7f\x80\t\n")
	in("bom.txt", "\xef\xbb\xbffirst\t1\n\xef\xbb\xbfsecond\t2\r\nthird\t3\n")
	in("empty.txt", "")
	in("one.txt", "one line without an end")
	in("newline.txt", "\n")
	in("long.txt", strings.Repeat("k", 300_000)+"\t"+strings.Repeat("v", 200_000)+"\nshort\t1\n"+strings.Repeat("line without a TAB ", 20_000)+"\n")
	in("numbers.txt", "3\tx 10.5\n1\ty 2\n2\tz 10.50\n10\tw -1\n2\tagain 7\n-3\tv 0\n 4\tspace 1\n1.5\tu 1e3\n007\tt x\n\tempty 9\nabc\ts 3\n-0\tr 0\n")
	var dots strings.Builder
	for i := range 60 {
		fmt.Fprintf(&dots, "%c.%d.%02d.x%d value\t%d\n", 'a'+i%5, i%7, i%11, i%3, i)
	}
	dots.WriteString("nodots\nonly.one\n.\n..\n...\n.lead.x\ntrail.\n\n")
	in("dots.txt", dots.String())
	in("commas.csv", "k1,k2,v1,v2\nk1,k2\nk1\n,,\n,\nk1,,v\na;b;c\nk2,k1,é,\xff\n")
	in("delimited.txt", "one|two||three\nwith LF|four\r\n|||five|")
	in("aggregate.txt", "LongValueSum:n\t1\nLongValueSum:n\t-5\nLongValueMax:m\t3\nLongValueMax:m\t11\nLongValueMin:m\t3\nLongValueMin:m\t-11\n"+
		"DoubleValueSum:d\t1.5\nDoubleValueSum:d\t2.25e1\nStringValueMax:s\tabc\nStringValueMax:s\tabd\nStringValueMin:s\tabc\nStringValueMin:s\tABC\n"+
		"UniqValueCount:u\tx\nUniqValueCount:u\ty\nUniqValueCount:u\tx\nValueHistogram:h\ta\nValueHistogram:h\tb\nValueHistogram:h\ta\nValueHistogram:h\tc\nLongValueSum:\t4\nLongValueSum:a:b\t4\n")
	in("sums.txt", "LongValueSum:2\t1\nLongValueSum:2.0\t1\nLongValueSum:10\t5\nLongValueSum:2\t1\n")
	in("overlap.txt", "xaaabyaabaabzaab\naaaab")
	in("hidden/_a.txt", "hidden\n")
	in("hidden/.b.txt", "hidden\n")
	in("nosum.txt", "LongValueSum:x\n")
	in("histogram.txt", "ValueHistogram:h\ta\nValueHistogram:h\ta\t3\nValueHistogram:h\tb\nValueHistogram:é\t\xff\nUniqValueCount:u\t\xff\nUniqValueCount:u\t\xfe\nDoubleValueSum:d\t0.1\nDoubleValueSum:d\t0.2\nDoubleValueSum:big\t1e20\nDoubleValueSum:int\t3\n")
	for _, name := range []string{"a/x", "a.txt", "a-b", "B", "ü", "ab/y", "aü"} {
		in("order/"+name, name+strings.Repeat("-", 8-len(name)))
	}
	in("nest/a.txt", "nest a\n")
	in("nest/sub/b.txt", "nest b\n")
	in("nest/sub/_hidden/c.txt", "hidden\n")
	in("nest/sub/deep/d.txt", "nest d, longest\n")
	in("nest/.dot/e.txt", "hidden too\n")
	for _, name := range []string{"a1", "a2", "b1", "b22", "c[1]", "{x}", "with space", "a,b", "_under", ".dot", "ü", "a%20b", "a+b", "a=b"} {
		in("glob/"+name+".txt", "of "+name+"\n")
	}
	for _, ext := range []string{"gz", "bz2", "snappy", "lz4", "deflate"} {
		in("packed/mixed."+ext, "a\tb\r\nc\rd\n\n\tempty key\n"+text(50)+"no end")
		in("packed/empty."+ext, "")
	}
	in("packed/bom.gz", "\xef\xbb\xbffirst\nsecond\n")
	in("packed/long.snappy", text(20_000))
	in("bad/not.gz", "this is no gzip\n")
	one, two := gzipped("first\nsecond"), gzipped(" goes on\nthird\n")
	in("raw/two.gz", one+two)
	in("raw/torn.gz", gzipped(text(200))[:500])
	in("raw/UPPER.GZ", gzipped("upper\n"))
	in("raw/plain.zip", "no codec has this name\n")
	in("blocks/text.txt", text(400))
	in("blocks/crlf.txt", strings.ReplaceAll(text(400), "\n", "\r\n"))
	in("blocks/cr.txt", strings.ReplaceAll(text(300), "\n", "\r"))
	in("blocks/edge.txt", strings.Repeat("0123456789abcde\n", 1024)) // a line begins at each block
	in("blocks/ends.txt", strings.Repeat("\r\n", 6000))
	in("blocks/long.txt", strings.Repeat("x", 10_000)+"\n"+strings.Repeat("y", 9_000)+"\nz\n")
	in("blocks/delimited.txt", strings.ReplaceAll(text(300), "\n", "||"))
	in("blocks/packed/long.bz2", text(60_000))
	in("blocks/packed/small.gz", text(500))

	h.write("map.py", "import sys\nfor line in sys.stdin:\n    for w in line.split():\n        print(w[:3] + '\\t1')\n    sys.stderr.write('reporter:counter:my,lines,1\\n')\n")
	h.write("red.py", "import sys\nlast, n = None, 0\nfor line in sys.stdin:\n    k, v = line.rstrip('\\n').split('\\t', 1)\n    if k != last:\n        if last is not None: print(last + '\\t' + str(n))\n        last, n = k, 0\n    n += int(v)\nif last is not None: print(last + '\\t' + str(n))\n")
	h.write("agg.py", "import sys\nfor line in sys.stdin:\n    for w in line.split():\n        print('LongValueSum:' + w[:2] + '\\t2')\n        print('UniqValueCount:' + w[:1] + '\\t' + w)\n")
	h.write("env.py", `import os, re, sys
sys.stdin.read()
for name in sys.argv[1:]:
    value = os.environ.get(name, 'is not set')
    value = re.sub(r'_(local)?\d+_\d+', '_JOB', value)
    print(name + '\t' + re.sub('/out/[a-z]*/', '/out/', value))
`)
	h.write("names.py", `import os, re, sys
sys.stdin.read()
for name, value in sorted(os.environ.items()):
    if re.match(sys.argv[1], name):
        value = re.sub(r'_(local)?\d+_\d+', '_JOB', value)
        print(name + '\t' + re.sub('/out/[a-z]*/', '/out/', value))
`)
	h.write("say.sh", "#!/bin/sh\ncat >/dev/null\ncat \"$1\" >&2\n")
	h.write("counters.txt", "reporter:counter:g,n,1\nreporter:counter:g,n,-3\nreporter:counter: g , m ,2\nreporter:counter:g,m,x\nreporter:counter:g,m\nreporter:counter:g,m,1,2\n"+
		"reporter:counter:g,m, 5\nreporter:counter:g,m,+6\nreporter:counter:,,7\nreporter:counter:,n,7\nreporter:status:fine\nreporter:nonsense\n reporter:counter:g,n,100\n"+
		"log\nreporter:counter:é,ü,1\r\nreporter:counter:g,cr,1\rreporter:counter:g,cr,1\nreporter:counter:g,dots.in-name,1\nreporter:counter:g,big,9223372036854775807\n"+
		"reporter:counter:g,n,9223372036854775808\nreporter:counter:g,trail,1,\nreporter:counter:g,last,1")
	h.write("other.txt", "my:counter:g,n,4\nreporter:counter:g,n,1\n")
	h.write("kill.sh", "kill -9 $$\n")
	h.write("own.xml", "<configuration><property><name>my.own</name><value>from a file</value></property><property><name>mapred.reduce.tasks</name><value>2</value></property></configuration>\n")
	h.write("exit.sh", "#!/bin/sh\ncat\nexit $1\n")
	h.write("early.sh", "#!/bin/sh\nread line\necho \"$line\"\n")
	h.write("sub/show.sh", "#!/bin/sh\ncat >/dev/null\nfor f in \"$@\"; do echo \"$f\t$(cat $f | tr '\\n' ' ')\"; done\n")
	h.write("sub/data.txt", "data\nof two lines\n")
	files := map[string]string{"inner/one.txt": "one\n", "two.txt": "two\n"}
	h.write("a.tar", tarred(files))
	h.write("a.tgz", gzipped(tarred(files)))
	h.write("a.tar.gz", gzipped(tarred(files)))
	h.write("a.zip", zipped(files))
	h.write("a.jar", zipped(files))
	for _, dir := range []string{"none", "nest/nothing"} {
		if err := os.MkdirAll(filepath.Join(h.dir, "in", dir), 0o755); err != nil {
			h.t.Fatal(err)
		}
	}
	if err := h.java("put", h.dir+"/in", h.c.URL("/in")); err != nil {
		h.t.Fatal(err)
	}
}

func gzipped(text string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write([]byte(text)) // a bytes.Buffer takes everything
	z.Close()
	return b.String()
}

func tarred(files map[string]string) string {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for name, text := range files {
		w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(text))})
		w.Write([]byte(text))
	}
	w.Close()
	return b.String()
}

func zipped(files map[string]string) string {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for name, text := range files {
		if f, err := w.Create(name); err == nil {
			f.Write([]byte(text))
		}
	}
	w.Close()
	return b.String()
}
