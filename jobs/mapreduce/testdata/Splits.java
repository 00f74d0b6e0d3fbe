// Splits asks Hadoop's own input formats how they cut files into splits, and puts
// the answers where the expected results of split/*.txt stand. Run it with the jars
// of Hadoop 3.4.2 (hadoop-common and hadoop-mapreduce-client-core with what they
// need):
//
//   java -cp 'lib/*' Splits.java split/text.txt
//
// A case is "split maps=M least=L block=B" with a file and its size a line, or
// "lines n=N" with a file and its content a line, which ends at "----".
import java.io.*;
import java.nio.file.*;
import java.util.*;
import org.apache.hadoop.mapred.*;

public class Splits {
  public static void main(String[] args) throws Exception {
    Path file = Paths.get(args[0]);
    StringBuilder out = new StringBuilder();
    List<String> block = new ArrayList<>();
    boolean answer = false;
    for (String line : Files.readAllLines(file)) {
      if (answer) {
        answer = !line.isEmpty();
        if (answer) continue;
      }
      out.append(line).append('\n');
      if (line.equals("----")) {
        out.append(ask(block));
        block.clear();
        answer = true;
      } else if (!line.isEmpty() && !line.startsWith("#")) {
        block.add(line);
      }
    }
    Files.writeString(file, out.toString());
  }

  static String ask(List<String> block) throws Exception {
    Path dir = Files.createTempDirectory("splits");
    JobConf conf = new JobConf(false);
    conf.set("fs.defaultFS", "file:///");
    conf.set("fs.file.impl", "org.apache.hadoop.fs.LocalFileSystem");
    conf.set("fs.file.impl.disable.cache", "true");
    int maps = 2;
    InputFormat<?, ?> format = null;
    for (String word : block.get(0).split(" ")) {
      String[] kv = word.split("=");
      switch (kv[0]) {
        case "maps": maps = Integer.parseInt(kv[1]); break;
        case "least": conf.set("mapreduce.input.fileinputformat.split.minsize", kv[1]); break;
        case "block": conf.set("fs.local.block.size", kv[1]); break;
        case "split": format = new TextInputFormat(); ((TextInputFormat) format).configure(conf); break;
        case "lines": format = new org.apache.hadoop.mapred.lib.NLineInputFormat(); break;
        case "n": conf.set("mapreduce.input.lineinputformat.linespermap", kv[1]); break;
      }
    }
    if (format instanceof JobConfigurable) ((JobConfigurable) format).configure(conf);
    List<org.apache.hadoop.fs.Path> paths = new ArrayList<>();
    for (String line : block.subList(1, block.size())) {
      String[] part = line.split(" ", 2);
      Path p = dir.resolve(part[0]);
      if (format instanceof TextInputFormat) {
        try (RandomAccessFile f = new RandomAccessFile(p.toFile(), "rw")) {
          f.setLength(Long.parseLong(part[1]));
        }
      } else {
        Files.writeString(p, part[1].replace("\\r", "\r").replace("\\n", "\n").replace("\\e", ""));
      }
      paths.add(new org.apache.hadoop.fs.Path(p.toString()));
    }
    FileInputFormat.setInputPaths(conf, paths.toArray(new org.apache.hadoop.fs.Path[0]));
    InputSplit[] splits = format.getSplits(conf, maps);
    long[] lengths = new long[splits.length];
    for (int i = 0; i < splits.length; i++) lengths[i] = splits[i].getLength();
    // The order of JobSubmitter.writeOldSplits.
    Arrays.sort(splits, (a, b) -> {
      try {
        return Long.compare(b.getLength(), a.getLength());
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    });
    StringBuilder out = new StringBuilder();
    for (InputSplit s : splits) {
      FileSplit f = (FileSplit) s;
      out.append(f.getPath().getName() + " " + f.getStart() + " " + f.getLength() + "\n");
    }
    for (org.apache.hadoop.fs.Path p : paths) Files.delete(Paths.get(p.toString()));
    Files.delete(dir);
    return out.toString();
  }
}
