package hdfstest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
)

// process is one Java program of a cluster.
type process struct {
	name   string
	log    string
	cmd    *exec.Cmd
	done   chan struct{} // closed when it has ended
	killed bool          // on purpose
	err    error         // how; valid then
}

// spawn starts cmd from a thread that lives as long as this process: the kernel
// kills a child with Pdeathsig when the thread that started it ends.
var spawn = sync.OnceValue(func() func(*exec.Cmd) error {
	type request struct {
		cmd   *exec.Cmd
		reply chan error
	}
	requests := make(chan request)
	go func() {
		runtime.LockOSThread()
		for r := range requests {
			r.reply <- r.cmd.Start()
		}
	}()
	return func(cmd *exec.Cmd) error {
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
		r := request{cmd, make(chan error)}
		requests <- r
		return <-r.reply
	}
})

// java makes the command of a Java program with the cluster's configuration.
func (c *Cluster) java(main string, args ...string) *exec.Cmd {
	argv := []string{
		"--add-opens=java.base/java.lang=ALL-UNNAMED", "-Djava.net.preferIPv4Stack=true", "-Djava.io.tmpdir=" + filepath.Join(c.dir, "tmp"),
		"-Djdk.net.hosts.file=" + c.hosts(),
		"-Dlog4j.configuration=file:" + filepath.Join(c.Conf, "log4j.properties"),
		"-XX:+UseSerialGC", "-Xmx" + c.heap(),
		"-XX:SharedArchiveFile=" + c.made("classes.jsa"), "-Xlog:disable", // without it, it only starts later
	}
	if !c.o.Fast {
		argv = append(argv, "-XX:TieredStopAtLevel=1") // starts sooner, peaks lower
	}
	if c.krb5 != "" {
		argv = append(argv, "-Djava.security.krb5.conf="+c.krb5)
	}
	// The archive's jars come first, as it wants them.
	argv = append(argv, "-cp", c.lib+"/*:"+c.Conf+":"+c.web, main)
	cmd := exec.Command("java", append(argv, args...)...)
	cmd.Dir = c.dir
	// Without a locale Java can name no file whose name is no ASCII.
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "HADOOP_USER_NAME="+c.User, "HADOOP_CONF_DIR="+c.Conf)
	return cmd
}

// hosts is a file of the names that Java shall know: Hadoop looks up the machine's
// own, which a bare machine may not be able to resolve.
func (c *Cluster) hosts() string { return filepath.Join(c.dir, "hosts") }

func (c *Cluster) writeHosts() error {
	name, err := os.Hostname()
	if err != nil {
		return err
	}
	return os.WriteFile(c.hosts(), []byte("127.0.0.1 localhost "+name+"\n"), 0o644)
}

func (c *Cluster) heap() string {
	if c.o.Fast {
		return "768m"
	}
	return "256m"
}

// start starts a daemon; its output goes to a log file.
func (c *Cluster) start(name, main string, args ...string) (*process, error) {
	p := &process{name: name, log: filepath.Join(c.dir, "logs", name+".log"), cmd: c.java(main, args...), done: make(chan struct{})}
	out, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	p.cmd.Stdout, p.cmd.Stderr = out, out
	if err := spawn()(p.cmd); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// run runs a program to its end and returns what it printed on stdout.
func (c *Cluster) run(cmd *exec.Cmd) (string, error) {
	var out, complaint strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := spawn()(cmd); err != nil {
		return "", err
	}
	if err := cmd.Wait(); err != nil {
		return out.String(), fmt.Errorf("%s: %w\n%s%s", strings.Join(cmd.Args[len(cmd.Args)-min(3, len(cmd.Args)):], " "), err, out.String(), tail(complaint.String()))
	}
	return out.String(), nil
}

// Java runs a program of Hadoop (hdfstest.Shell, "org.apache.hadoop.…") with the
// cluster's configuration and returns its standard output.
func (c *Cluster) Java(main string, args ...string) (string, error) {
	return c.run(c.java(main, args...))
}

// Programs of Hadoop for Java.
const (
	Shell = "org.apache.hadoop.fs.FsShell"
	Admin = "org.apache.hadoop.hdfs.tools.DFSAdmin"
	HA    = "org.apache.hadoop.hdfs.tools.DFSHAAdmin"
	EC    = "org.apache.hadoop.hdfs.tools.ECAdmin"
)

// kill ends a process and waits for it.
func (p *process) kill() {
	if p == nil {
		return
	}
	p.signal(syscall.SIGKILL)
	<-p.done
}

func (p *process) signal(s syscall.Signal) {
	select {
	case <-p.done:
	default:
		p.cmd.Process.Signal(s)
	}
}

// freeze stops a process and waits until each of its threads stands still.
func (p *process) freeze() {
	p.signal(syscall.SIGSTOP)
	for !p.ended() && !p.frozen() {
		runtime.Gosched()
	}
}

func (p *process) frozen() bool {
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", p.cmd.Process.Pid))
	for _, t := range tasks {
		text, err := os.ReadFile(t)
		if err != nil {
			continue // the thread is gone
		}
		// The state follows the name, which is in parentheses.
		if _, state, ok := strings.Cut(string(text), ") "); ok && !strings.HasPrefix(state, "T") {
			return false
		}
	}
	return true
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// failure says how a process that should run ended.
func (p *process) failure() error {
	text, _ := os.ReadFile(p.log)
	return fmt.Errorf("%s ended (%v):\n%s", p.name, p.err, tail(string(text)))
}

func tail(s string) string {
	const most = 4000
	if len(s) > most {
		return "…" + s[len(s)-most:]
	}
	return s
}
