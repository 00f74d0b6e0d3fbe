package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestStreaming tries hadoop-streaming's command lines without a network. The
// folder and the configuration of Hadoop are the user's; so is HDFS by default.
func TestStreaming(t *testing.T) {
	t.Setenv("ZENNET_HOME", t.TempDir())
	t.Setenv("HADOOP_CONF_DIR", "")
	t.Setenv("HADOOP_HOME", "")
	t.Setenv("HADOOP_USER_NAME", "ann")
	dir := t.TempDir()
	t.Chdir(dir)
	conf := filepath.Join(t.TempDir(), "conf")
	for name, text := range map[string]string{
		filepath.Join(dir, "map.py"):         "#!/usr/bin/python3\n",
		filepath.Join(dir, "in", "a.txt"):    "a\n",
		filepath.Join(dir, "more.xml"):       "<configuration><property><name>mapred.reduce.tasks</name><value>3</value></property></configuration>",
		filepath.Join(dir, "broken.xml"):     "<configuration>",
		filepath.Join(conf, "core-site.xml"): "<configuration><property><name>fs.default.name</name><value>hdfs://${env.NN}:8020</value></property></configuration>",
	} {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("NN", "namenode")
	const good = "-input in -output out -mapper cat"
	for _, c := range []struct {
		args string
		want int
		text string // in stdout or stderr
	}{
		{"--help", 0, "zennet-job streaming --print"},
		{"-h", 0, "--slots int"},
		{"-info", 0, "zennet-job streaming --print"},
		{"", 2, "-input is missing"},
		{"--print " + good, 0, "outputs: out.results\n"},
		{"--print -- hadoop jar x.jar " + good, 0, "mapper: cat\n"},
		{"--print --budget 1_XEN --set slots=2 -conf more.xml " + good, 0, "mapred.reduce.tasks: \"3\"\n"},
		{"--print -conf broken.xml " + good, 2, "-conf broken.xml"},
		{"--print -conf none.xml " + good, 2, "no such file"},
		{"--print -D a.b=c " + good, 0, "warning: a.b: has no meaning here"},
		{"--print -file map.py " + good, 0, "- map.py\n"},
		{good + " --print", 2, "--print is no option of hadoop-streaming"},
		{"--slots", 2, "needs an argument"},
		{"--slots few " + good, 2, "--slots"},
		{"--budget 3 " + good, 2, "budget"},
		{"-libjars x.jar " + good, 2, "-libjars x.jar"},
		{"-mapper com.example.Map -input in -output out", 2, "com.example.Map is a Java class"},
		{"-D mapred.reduce.tasks=x " + good, 2, "mapred.reduce.tasks: x is no whole number"},
		{"-file none.py " + good, 2, "none.py"},
		{"-input nothing -output out -mapper cat", 2, "nothing"},
		{"-input in -output in -mapper cat", 2, "in"},
	} {
		var out, errs bytes.Buffer
		args := strings.Fields(c.args)
		for i := range args {
			args[i] = strings.ReplaceAll(args[i], "1_XEN", "1 XEN")
		}
		got := Run(t.Context(), append([]string{"streaming"}, args...), strings.NewReader(""), &out, &errs)
		if got != c.want || !strings.Contains(out.String()+errs.String(), c.text) {
			t.Errorf("zennet-job streaming %s: exit %d, want %d with %q:\n%s%s", c.args, got, c.want, c.text, out.String(), errs.String())
		}
	}

	t.Setenv("HADOOP_CONF_DIR", conf)
	var out, errs bytes.Buffer
	if got := Run(t.Context(), strings.Fields("streaming --print "+good), strings.NewReader(""), &out, &errs); got != 0 {
		t.Fatalf("exit %d: %s", got, errs.String())
	}
	for _, want := range []string{"- hdfs://namenode:8020/user/ann/in\n", "output: hdfs://namenode:8020/user/ann/out\n", "user: ann\n", "conf: " + conf + "\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}

	// What is printed is a job file that validate takes.
	job := filepath.Join(dir, "job.yaml")
	out.Reset()
	t.Setenv("HADOOP_CONF_DIR", "")
	if got := Run(t.Context(), strings.Fields("streaming --print -file map.py "+good), strings.NewReader(""), &out, &errs); got != 0 {
		t.Fatalf("exit %d: %s", got, errs.String())
	}
	if err := os.WriteFile(job, out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	out.Reset()
	if got := Run(t.Context(), []string{"validate", job}, strings.NewReader(""), &out, &errs); got != 0 || !strings.Contains(out.String(), "valid") {
		t.Errorf("validate: exit %d: %s%s", got, out.String(), errs.String())
	}
}
