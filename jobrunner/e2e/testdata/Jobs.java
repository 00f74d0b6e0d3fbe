import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.File;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.io.IOUtils;
import org.apache.hadoop.io.compress.CompressionCodec;
import org.apache.hadoop.io.compress.CompressionCodecFactory;
import org.apache.hadoop.mapred.Counters;
import org.apache.hadoop.streaming.StreamJob;
import org.apache.hadoop.util.ToolRunner;

/**
 * Jobs runs many streaming jobs in one JVM, and carries files to HDFS and back:
 *
 * <pre>
 * put FROM TO                copies a local folder; what lies in a folder "packed" is compressed by
 *                            Hadoop's codec for its name, what lies in "blocks" has blocks of 4 KiB
 * run JOBS ANSWERS           JOBS: a JSON list of argument lists; ANSWERS: of {code, error, counters}, on
 *                            YARN without counters
 * get FROM TO                copies a folder of outputs, its files decompressed
 * </pre>
 */
public class Jobs {
  static final Configuration conf = new Configuration();

  /** Job is a streaming job whose counters can be asked for. */
  static class Job extends StreamJob {
    Map<String, Long> counters() throws Exception {
      Map<String, Long> out = new LinkedHashMap<>();
      if (running_ == null || running_.getCounters() == null) {
        return out;
      }
      for (Counters.Group group : running_.getCounters()) {
        for (Counters.Counter counter : group) {
          out.put(group.getDisplayName() + "/" + counter.getDisplayName(), counter.getValue());
        }
      }
      return out;
    }
  }

  public static void main(String[] args) throws Exception {
    switch (args[0]) {
      case "put":
        put(FileSystem.get(conf), new File(args[1]), new Path(args[2]));
        break;
      case "run":
        run(new File(args[1]), new File(args[2]));
        break;
      case "get":
        FileSystem fs = FileSystem.get(conf);
        get(fs, new CompressionCodecFactory(conf), new Path(args[1]), new File(args[2]));
        break;
      default:
        throw new IllegalArgumentException(args[0]);
    }
    System.exit(0); // threads of Hadoop's may be left
  }

  static void put(FileSystem fs, File from, Path to) throws Exception {
    if (from.isDirectory()) {
      fs.mkdirs(to);
      for (File f : from.listFiles()) {
        put(fs, f, new Path(to, f.getName()));
      }
      return;
    }
    long block = to.toString().contains("/blocks/") ? 4096 : fs.getDefaultBlockSize(to);
    OutputStream out = fs.create(to, true, 4096, fs.getDefaultReplication(to), block);
    if (to.toString().contains("/packed/")) {
      CompressionCodec codec = new CompressionCodecFactory(conf).getCodec(to);
      out = codec.createOutputStream(out);
    }
    out.write(Files.readAllBytes(from.toPath()));
    out.close();
  }

  @SuppressWarnings("unchecked")
  static void run(File jobs, File answers) throws Exception {
    ObjectMapper json = new ObjectMapper();
    List<Map<String, Object>> out = new ArrayList<>();
    for (List<String> args : (List<List<String>>) json.readValue(jobs, List.class)) {
      Job job = new Job();
      Map<String, Object> answer = new LinkedHashMap<>();
      answer.put("error", "");
      try {
        answer.put("code", ToolRunner.run(job, args.toArray(new String[0])));
      } catch (Throwable t) {
        answer.put("code", 1);
        answer.put("error", t.toString());
      }
      try {
        answer.put("counters", job.counters());
      } catch (Exception e) { // YARN's are gone with the job
        answer.put("counters", null);
      }
      out.add(answer);
    }
    json.writeValue(answers, out);
  }

  static void get(FileSystem fs, CompressionCodecFactory codecs, Path from, File to) throws Exception {
    to.mkdirs();
    for (FileStatus status : fs.listStatus(from)) {
      Path path = status.getPath();
      File into = new File(to, path.getName());
      if (status.isDirectory()) {
        get(fs, codecs, path, into);
        continue;
      }
      InputStream in = fs.open(path);
      CompressionCodec codec = codecs.getCodec(path);
      if (codec != null && status.getLen() > 0) {
        in = codec.createInputStream(in);
      }
      try (InputStream source = in; OutputStream out = Files.newOutputStream(into.toPath())) {
        IOUtils.copyBytes(source, out, 65536);
      }
    }
  }
}
