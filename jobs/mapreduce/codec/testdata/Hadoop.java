import java.io.*;
import java.nio.file.*;
import java.util.*;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.io.IOUtils;
import org.apache.hadoop.io.Text;
import org.apache.hadoop.io.compress.*;
import org.apache.hadoop.mapreduce.TaskAttemptID;
import org.apache.hadoop.mapreduce.lib.input.*;
import org.apache.hadoop.mapreduce.task.TaskAttemptContextImpl;

/**
 * Does what stdin says with Hadoop's own classes, one command a line:
 *   pack FILE TO         compresses with the codec of TO's extension; answers "ok"
 *   unpack FILE TO       decompresses with the codec of FILE's
 *   records FILE DELIMITER END…
 *                        reads the splits that end at END…; the delimiter is hex, or "-".
 *                        A line for each split: OFFSET:HEX of its records
 * What fails is answered by "! " and the exception.
 */
public class Hadoop {
  static final Configuration conf = new Configuration(false);

  public static void main(String[] args) throws Exception {
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
    PrintStream out = new PrintStream(new BufferedOutputStream(System.out, 1 << 16));
    for (String line; (line = in.readLine()) != null; ) {
      String[] f = line.split(" ");
      if (f[0].equals("records")) {
        long start = 0;
        for (int i = 3; i < f.length; i++) {
          long end = Long.parseLong(f[i]);
          out.println(answer(records(f[1], f[2], start, end)));
          start = end;
        }
      } else {
        out.println(answer(() -> copy(f[0], f[1], f[2])));
      }
    }
    out.flush();
  }

  interface Question { String ask() throws Exception; }

  static String answer(Question q) {
    try {
      return q.ask();
    } catch (Throwable e) {
      return "! " + e;
    }
  }

  static Question records(String file, String delimiter, long start, long end) {
    byte[] delim = delimiter.equals("-") ? null : HexFormat.of().parseHex(delimiter);
    return () -> {
      StringBuilder out = new StringBuilder();
      try (LineRecordReader r = new LineRecordReader(delim)) {
        r.initialize(new FileSplit(new Path("file://" + file), start, end - start, null),
            new TaskAttemptContextImpl(conf, new TaskAttemptID()));
        while (r.nextKeyValue()) {
          Text t = r.getCurrentValue();
          out.append(out.length() > 0 ? " " : "").append(r.getCurrentKey()).append(':');
          out.append(HexFormat.of().formatHex(t.getBytes(), 0, t.getLength()));
        }
      }
      return out.toString();
    };
  }

  static String copy(String verb, String from, String to) throws Exception {
    CompressionCodecFactory codecs = new CompressionCodecFactory(conf);
    InputStream in = new FileInputStream(from);
    OutputStream out = new FileOutputStream(to);
    if (verb.equals("pack")) {
      out = codecs.getCodec(new Path(to)).createOutputStream(out);
    } else {
      in = codecs.getCodec(new Path(from)).createInputStream(in);
    }
    IOUtils.copyBytes(in, out, 100_000, true);
    return "ok";
  }
}
