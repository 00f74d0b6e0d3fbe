package streaming

import (
	"strings"
	"testing"
	"time"
)

// TestEnvironment holds the names that mappers and reducers rely on, new and old.
func TestEnvironment(t *testing.T) {
	c := Config{Name: "word count", Reducers: 3, Timeout: 600 * time.Second, Truncate: -1,
		Conf: []Setting{{"mapred.reduce.tasks", "3"}, {"my.own-key", "v ${mapred.job.id}"}, {"mapreduce.map.input.file", "mine"}, {"my.empty", ""}},
		Env:  []Setting{{"A", "1 2"}, {"TMPDIR", "/nowhere"}}}
	task := TaskEnv{JobID: "c0ffee", Map: true, Task: 4, Attempt: 1, Maps: 12, User: "ann", Dir: "/zennet/work", SideDir: "/zennet/out",
		Inputs: []string{"hdfs://nn/a", "hdfs://nn/b"}, Output: "hdfs://nn/out", Files: []string{"map.py"}, Archives: []string{"lib"},
		File: "hdfs://nn/a/x", Start: 5, Length: 7}
	id := HadoopID("c0ffee")
	if stamp, serial, ok := strings.Cut(id, "_"); !ok || len(stamp) != 13 || len(serial) != 4 || id == HadoopID("decaf") {
		t.Fatalf("%s is no job number of Hadoop's", id)
	}
	both := []string{
		"mapreduce_job_id=job_" + id, "mapred_job_id=job_" + id,
		"mapreduce_task_output_dir=/zennet/out", "mapred_work_output_dir=/zennet/out",
		"mapreduce_job_name=word count", "mapreduce_job_maps=12", "mapreduce_job_reduces=3", "mapreduce_job_user_name=ann",
		"mapreduce_task_timeout=600000", "mapreduce_job_local_dir=/zennet/work", "job_local_dir=/zennet/work", "mapred_local_dir=/zennet/work",
		"mapreduce_job_working_dir=/zennet/work", "mapreduce_job_cache_files=map.py", "mapred_cache_localFiles=/zennet/work/map.py",
		"mapreduce_input_fileinputformat_inputdir=hdfs://nn/a,hdfs://nn/b", "mapreduce_output_fileoutputformat_outputdir=hdfs://nn/out",
		"my_own_key=v job_" + id, "A=1 2", "TMPDIR=/zennet/work/tmp", "PWD=/zennet/work",
	}
	maps := []string{
		"mapreduce_task_id=task_" + id + "_m_000004", "mapred_tip_id=task_" + id + "_m_000004",
		"mapreduce_task_attempt_id=attempt_" + id + "_m_000004_1", "mapred_task_id=attempt_" + id + "_m_000004_1",
		"mapreduce_task_partition=4", "mapred_task_partition=4", "mapreduce_task_ismap=true", "mapred_task_is_map=true",
		"mapreduce_map_input_file=hdfs://nn/a/x", "mapreduce_map_input_start=5", "mapreduce_map_input_length=7",
		"map_input_file=hdfs://nn/a/x", "map_input_start=5", "map_input_length=7",
	}
	got := Environment(c, task)
	expect(t, got, append(maps, both...))
	reduce := task
	reduce.Map = false
	expect(t, Environment(c, reduce), append([]string{"mapreduce_task_id=task_" + id + "_r_000004", "mapreduce_task_ismap=false"}, both...))
	for _, v := range got {
		for _, never := range []string{"mapred_reduce_tasks=", "mapred_job_name=", "user_name=", "my_empty="} {
			if strings.HasPrefix(v, never) {
				t.Errorf("Hadoop sets no %s", v)
			}
		}
	}
	for _, v := range Environment(c, reduce) {
		if strings.HasPrefix(v, "map_input_") {
			t.Errorf("a reduce has %s", v)
		}
	}
}

func expect(t *testing.T, got, want []string) {
	t.Helper()
	has := map[string]bool{}
	names := map[string]bool{}
	for _, v := range got {
		has[v] = true
		name, _, _ := strings.Cut(v, "=")
		if names[name] {
			t.Errorf("%s twice", name)
		}
		names[name] = true
	}
	for _, v := range want {
		if !has[v] {
			name, _, _ := strings.Cut(v, "=")
			for _, other := range got {
				if strings.HasPrefix(other, name+"=") {
					t.Logf("have %s", other)
				}
			}
			t.Errorf("no %s", v)
		}
	}
}
