package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/zennet/zennet/jobrunner/files/hdfs"
	"github.com/zennet/zennet/jobs/mapreduce/commandline"
)

type streamingFlags struct {
	submitFlags
	slots int
	print bool
}

func streamingCmd(e env) *cobra.Command {
	var f streamingFlags
	cmd := &cobra.Command{
		Use:   "streaming [flags] [hadoop jar hadoop-streaming.jar] -input … -output …",
		Short: "Run a hadoop-streaming command line as it stands",
		Long: `Takes hadoop-streaming's command line, makes a job file of kind mapreduce of it and runs
that as submit does; --print shows it instead. Flags of zennet-job have two dashes and
come first; what follows is Hadoop's:

  -input PATH…  -output PATH  -mapper CMD  -combiner CMD  -reducer CMD|NONE|aggregate
  -numReduceTasks N  -partitioner CLASS  -inputformat CLASS  -outputformat CLASS
  -file PATH…  -files PATH#LINK,…  -archives FILE.tgz#FOLDER,…  -cacheFile  -cacheArchive
  -D NAME=VALUE  -jobconf NAME=VALUE  -conf FILE.xml  -cmdenv NAME=VALUE  -lazyOutput
  -fs URI  -background

Paths are relative to where you are. A path of -input, -output, -cacheFile or
-cacheArchive without a scheme lies where fs.defaultFS says (-D, -fs, -conf, or
core-site.xml in HADOOP_CONF_DIR): in HDFS, relative ones in /user/NAME; without any it
is a path of this machine. -file, -files and -archives name files of this machine, or
hdfs: URLs.

Java classes run as the built-in operation that equals them, or are refused by name, as
are -libjars, -inputreader, -io and SequenceFiles. Properties (-D) without a meaning here
only reach the environment of mapper and reducer, with a warning.

Logs, report and receipt go to OUTPUT.results where you are, unless --outputs says
otherwise. Exit status as of submit.`,
		Example: `  zennet-job streaming -files map.py,reduce.py -input books -output counts \
      -mapper 'python3 map.py' -reducer 'python3 reduce.py' -numReduceTasks 4
  zennet-job streaming --budget "2 XEN" --slots 8 hadoop jar hadoop-streaming.jar \
      -D mapred.reduce.tasks=0 -input hdfs://nn:8020/logs/*.gz -output hdfs://nn:8020/errors -mapper 'grep ERROR'
  zennet-job streaming --print -input books -output counts -mapper cat -reducer aggregate > job.yaml`,
		Args:               cobra.ArbitraryArgs,
		DisableFlagParsing: true, // Hadoop's options are no flags of ours
	}
	flags := pflag.NewFlagSet("streaming", pflag.ContinueOnError)
	f.define(flags)
	flags.IntVar(&f.slots, "slots", 0, "containers at once, at most")
	flags.StringArrayVar(&f.sets, "set", nil, "override a key of the job file: dotted.key=value (repeatable)")
	flags.BoolVar(&f.print, "print", false, "print the job file and run nothing")
	flags.BoolP("help", "h", false, "help for streaming")
	cmd.Flags().AddFlagSet(flags) // for the help
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		own, theirs := ownFlags(flags, args)
		if err := flags.Parse(own); err != nil {
			return usage("streaming: %v (see zennet-job streaming --help)", err)
		}
		if help, err := flags.GetBool("help"); err != nil || help {
			return cmd.Help()
		}
		return streaming(cmd.Context(), e, cmd, theirs, f)
	}
	return cmd
}

// ownFlags are the flags of ours that stand before Hadoop's command line: words with
// two dashes that we know, and their values. A "--" between them is dropped.
func ownFlags(flags *pflag.FlagSet, args []string) (own, theirs []string) {
	for len(args) > 0 {
		if args[0] == "--" {
			return own, args[1:]
		}
		name, isLong := strings.CutPrefix(args[0], "--")
		name, _, valued := strings.Cut(name, "=")
		flag := flags.Lookup(name)
		if args[0] == "-h" {
			isLong, flag = true, flags.Lookup("help")
		}
		if !isLong || flag == nil {
			break
		}
		n := 1
		if !valued && flag.NoOptDefVal == "" {
			n = min(2, len(args))
		}
		own, args = append(own, args[:n]...), args[n:]
	}
	return own, args
}

func streaming(ctx context.Context, e env, cmd *cobra.Command, words []string, f streamingFlags) error {
	world, err := streamingWorld()
	if err != nil {
		return err
	}
	job, err := commandline.Parse(words, world)
	if err != nil {
		return usage("streaming: %w (see zennet-job streaming --help)", err)
	}
	if job.Help {
		return cmd.Help()
	}
	for _, text := range job.Warnings {
		e.say("warning: %s", text)
	}
	if f.print {
		_, err := e.out.Write(job.YAML)
		return err
	}
	if f.slots != 0 {
		f.sets = append(f.sets, "slots="+strconv.Itoa(f.slots))
	}
	f.detach = f.detach || job.Background
	return submitFile(ctx, e, jobFile{"streaming", job.YAML, job.Dir}, f.submitFlags)
}

// streamingWorld is what the user's environment says of a command line's meaning.
func streamingWorld() (commandline.World, error) {
	dir, err := os.Getwd()
	if err != nil {
		return commandline.World{}, fmt.Errorf("the folder that this is run in: %w", err)
	}
	w := commandline.World{Dir: filepath.Clean(dir), User: os.Getenv("HADOOP_USER_NAME"), Settings: readSettings}
	if w.User == "" {
		if u, err := user.Current(); err == nil {
			w.User = u.Username
		}
	}
	w.ConfDir = os.Getenv("HADOOP_CONF_DIR")
	if home := os.Getenv("HADOOP_HOME"); w.ConfDir == "" && home != "" {
		if dir := filepath.Join(home, "etc", "hadoop"); exists(filepath.Join(dir, "core-site.xml")) {
			w.ConfDir = dir
		}
	}
	if w.ConfDir == "" {
		return w, nil
	}
	if w.ConfDir, err = filepath.Abs(w.ConfDir); err != nil {
		return w, usage("HADOOP_CONF_DIR: %v", err)
	}
	settings, err := hdfs.LoadSettings(w.ConfDir)
	if err != nil {
		return w, exit{exitUsage, err}
	}
	w.DefaultFS = settings.Get("fs.defaultFS")
	return w, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// maxSettings bounds a configuration file, in bytes.
const maxSettings = 8 << 20

// readSettings reads the properties of a Hadoop configuration file.
func readSettings(path string) (map[string]string, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxSettings+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxSettings {
		return nil, fmt.Errorf("%s is larger than %d bytes", path, maxSettings)
	}
	return hdfs.ParseSettings(text)
}
