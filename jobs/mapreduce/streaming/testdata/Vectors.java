// Makes the vectors beside it with Hadoop's own classes, 3.4.2 on Java 17:
//
//   mvn dependency:copy-dependencies -DoutputDirectory=lib    # hadoop-streaming and
//       hadoop-mapreduce-client-jobclient, 3.4.2, as the dependencies of any pom.xml
//   javac -cp 'lib/*' -d out Vectors.java
//   java -cp 'out:lib/*' org.apache.hadoop.streaming.Vectors FOLDER [LINES]
//
// A line of a file is one vector: fields parted by spaces, bytes in hexadecimal, "."
// for none. It stands in Hadoop's package to reach what is not public.
package org.apache.hadoop.streaming;

import java.io.*;
import java.nio.charset.StandardCharsets;
import java.nio.file.*;
import java.util.*;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.io.*;
import org.apache.hadoop.mapred.*;
import org.apache.hadoop.mapred.lib.aggregate.*;
import org.apache.hadoop.streaming.io.*;

public class Vectors extends PipeMapRed {
  static final Random random = new Random(42);
  static int lines = 250;
  static Path folder;

  // What PipeMapRed leaves to PipeMapper.
  byte[] separator = {'\t'};
  int keys = 1;
  public byte[] getInputSeparator() { return separator; }
  public byte[] getFieldSeparator() { return separator; }
  public int getNumOfKeyFields() { return keys; }
  String getPipeCommand(JobConf job) { return null; }
  boolean getDoPipe() { return false; }
  InputWriter createInputWriter() { return null; }
  OutputReader createOutputReader() { return null; }

  static String hex(byte[] b, int n) {
    if (n == 0) return ".";
    StringBuilder s = new StringBuilder();
    for (int i = 0; i < n; i++) s.append(String.format("%02x", b[i] & 0xff));
    return s.toString();
  }
  static String hex(byte[] b) { return hex(b, b.length); }
  static String hex(String s) { return hex(s.getBytes(StandardCharsets.UTF_8)); }

  static byte[] bytes(String alphabet, int most) {
    byte[] from = alphabet.getBytes(StandardCharsets.ISO_8859_1);
    byte[] out = new byte[random.nextInt(most + 1)];
    for (int i = 0; i < out.length; i++) out[i] = from[random.nextInt(from.length)];
    return out;
  }
  static String text(String alphabet, int most) { return new String(bytes(alphabet, most), StandardCharsets.ISO_8859_1); }
  static <T> T pick(T... of) { return of[random.nextInt(of.length)]; }

  static PrintStream open(String name) throws IOException {
    return new PrintStream(new BufferedOutputStream(Files.newOutputStream(folder.resolve(name))), false, "UTF-8");
  }

  // Bytes that make broken UTF-8 of every kind, and characters of every length.
  static final String BROKEN = "a\t\u00c3\u00a9\u00e2\u0082\u00ac\u00f0\u009f\u0098\u0080\u00ed\u00a0\u00ee\u00ef\u00bf\u00f4\u0090\u00f5\u00c0\u0080\u00ff";

  static void commands() throws Exception {
    try (PrintStream out = open("command.txt")) {
      List<String> all = new ArrayList<>(Arrays.asList("", " ", "cat", "python3 map.py -x 'a b' \"c d\"", "awk '{print $1 \"\\t\" 1}'",
        "a\"b c\"d", "''", "'' x", "\"", "'", "a 'b", "sh -c 'sort | uniq -c'", "a\tb", "a  b", " a ", "x\"'\"y", "'a''b'"));
      for (int i = 0; i < lines; i++) all.add(text("ab '\"\\$\t", 12));
      for (String line : all) {
        out.print(hex(line));
        for (String arg : splitArgs(line)) out.print(" " + hex(arg));
        out.println();
      }
    }
  }

  static void fields() throws Exception {
    try (PrintStream out = open("fields.txt")) {
      for (int i = 0; i < lines; i++) {
        Vectors v = new Vectors();
        v.separator = pick("\t", "\t", ".", "ab", "aa", ",", "\u0001").getBytes(StandardCharsets.UTF_8);
        v.keys = 1 + random.nextInt(4);
        byte[] line = bytes("ab.,\t\u0001\u00ff", 10);
        v.job_ = new JobConf(false);
        byte[] ended = Arrays.copyOf(line, line.length + 1);
        ended[line.length] = '\n';
        v.clientIn_ = new DataInputStream(new ByteArrayInputStream(ended));
        TextOutputReader reader = new TextOutputReader();
        reader.initialize(v);
        reader.readKeyValue();
        Text key = reader.getCurrentKey(), value = reader.getCurrentValue();
        out.println(hex(v.separator) + " " + v.keys + " " + hex(line) + " " + hex(key.getBytes(), key.getLength()) + " " + hex(value.getBytes(), value.getLength()));
      }
    }
  }

  static String keyOptions() {
    StringBuilder s = new StringBuilder();
    if (random.nextInt(4) == 0) s.append(pick("-n ", "-r ", "-nr ", "-rn ", "x "));
    int n = random.nextInt(3);
    for (int i = 0; i < n; i++) {
      s.append(pick("-k", "-k", "-k ")).append(random.nextInt(4) == 0 ? 1 + random.nextInt(4) : 1 + random.nextInt(2));
      if (random.nextInt(3) == 0) s.append(".").append(1 + random.nextInt(3));
      s.append(pick("", "", "n", "r", "nr"));
      if (random.nextInt(2) == 0) {
        s.append(",").append(1 + random.nextInt(3));
        if (random.nextInt(3) == 0) s.append(".").append(random.nextInt(4));
        s.append(pick("", "", "n", "r", "nr"));
      }
      s.append(" ");
    }
    if (n == 0 && s.length() == 0) return random.nextBoolean() ? "" : pick("-k1", "-k2,2", "-k1,1n");
    return s.toString();
  }

  static void partitions() throws Exception {
    try (PrintStream out = open("partition.txt")) {
      for (int i = 0; i < lines; i++) {
        String alphabet = random.nextInt(3) == 0 ? BROKEN : "ab\t.,xyz\u00c3\u00a9";
        Text key = new Text(bytes(alphabet, 12));
        int reducers = pick(1, 2, 7, 1000, Integer.MAX_VALUE);
        int hash = new org.apache.hadoop.mapred.lib.HashPartitioner<Text, Text>().getPartition(key, null, reducers);
        out.println("hash . . " + hex(key.getBytes(), key.getLength()) + " " + reducers + " " + hash);
        JobConf job = new JobConf(false);
        String options = keyOptions(), separator = pick("\t", "\t", ".", "ab", "x");
        job.set("mapreduce.partition.keypartitioner.options", options);
        job.set("mapreduce.map.output.key.field.separator", separator);
        org.apache.hadoop.mapred.lib.KeyFieldBasedPartitioner<Text, Text> p = new org.apache.hadoop.mapred.lib.KeyFieldBasedPartitioner<>();
        p.configure(job);
        out.println("keyfield " + hex(options) + " " + hex(separator) + " " + hex(key.getBytes(), key.getLength()) + " " + reducers + " " + p.getPartition(key, null, reducers));
      }
    }
  }

  static byte[] serialized(byte[] key) throws IOException {
    DataOutputBuffer b = new DataOutputBuffer();
    new Text(key).write(b);
    return Arrays.copyOf(b.getData(), b.getLength());
  }

  static byte[] number() {
    String s = pick("", "", "-") + pick("", "0", "00", "1", "12", "7", "10", "100", "012", "5", "05") + pick("", "", ".", ".0", ".5", ".50", ".05", ".500", ".51") + pick("", "", "", "", "x", " ", ".2", "-1", "e3");
    return s.getBytes(StandardCharsets.UTF_8);
  }
  static byte[] key(int kind) {
    if (kind == 0) return bytes("ab\t.\u00ff", 6);
    if (kind == 1) return numbers();
    return (plain() + "\t" + plain() + pick("", "\tx")).getBytes(StandardCharsets.UTF_8);
  }
  static String plain() { return pick("", "-") + pick("1", "12", "7", "10", "100", "0") + pick("", "", ".5", ".50", ".05", ".500", ".51"); }
  static byte[] numbers() {
    ByteArrayOutputStream b = new ByteArrayOutputStream();
    for (int n = 1 + random.nextInt(3), i = 0; i < n; i++) {
      if (i > 0) b.write('\t');
      byte[] one = random.nextInt(6) == 0 ? bytes("ab1-.0", 3) : number();
      b.write(one, 0, one.length);
    }
    return b.toByteArray();
  }

  static void comparisons() throws Exception {
    try (PrintStream out = open("compare.txt")) {
      for (int i = 0; i < 4 * lines; i++) {
        int kind = i % 3; // bytes; numbers and almost-numbers; several fields of numbers
        String options = kind == 0 ? keyOptions().replace("n", "") : kind == 1 ? pick("-n", "-k1n", "-k1,1n", "-k2,2nr", "-nr", "-k2.2,2.3n") : pick("-k1,1n -k2,2", "-k1,1n -k2,2nr", "-n -k2,2 -k1,1", "-k1,1 -k2,2n");
        String separator = kind < 2 && random.nextInt(5) == 0 ? pick(".", "ab") : "\t";
        Configuration conf = new Configuration(false);
        conf.set("mapreduce.partition.keycomparator.options", options);
        conf.set("mapreduce.map.output.key.field.separator", separator);
        org.apache.hadoop.mapreduce.lib.partition.KeyFieldBasedComparator<Text, Text> c = new org.apache.hadoop.mapreduce.lib.partition.KeyFieldBasedComparator<>();
        c.setConf(conf);
        byte[] a = key(kind), b = key(kind);
        byte[] x = serialized(a), y = serialized(b);
        String result;
        try {
          result = "" + Integer.signum(c.compare(x, 0, x.length, y, 0, y.length));
        } catch (ArrayIndexOutOfBoundsException e) {
          result = "!";
        }
        out.println(hex(options) + " " + hex(separator) + " " + hex(a) + " " + hex(b) + " " + result);
      }
    }
  }

  static void reports() throws Exception {
    try (PrintStream out = open("report.txt")) {
      List<byte[]> all = new ArrayList<>();
      for (String s : new String[] {"", "log", "reporter:counter:g,n,1", "reporter:counter:g,n,-3", "reporter:counter:g,n,+3", "reporter:counter:g,n, 3",
        "reporter:counter:g,n,3 ", "reporter:counter: g,n,3", "reporter:counter:g, n ,3", "reporter:counter:g,n", "reporter:counter:g,n,3,4", "reporter:counter:g,n,3,",
        "reporter:counter:g,n,3,,", "reporter:counter:,n,3", "reporter:counter:,,3", "reporter:counter:g,n,x", "reporter:counter:g,n,9223372036854775807",
        "reporter:counter:g,n,9223372036854775808", "reporter:counter:g,n,1.0", "reporter:counter:g,n,", "reporter:status:", "reporter:status: x y ", "reporter:status:\u00e4",
        "reporter:", "reporter:x", "reporter:counter", " reporter:counter:g,n,1", "Reporter:counter:g,n,1", "reporter:counter:gr\u00fc\u00dfe,n,1", "xreporter:status:y"})
        all.add(s.getBytes(StandardCharsets.UTF_8));
      for (int i = 0; i < lines; i++) {
        ByteArrayOutputStream b = new ByteArrayOutputStream();
        b.write(pick("reporter:counter:", "reporter:status:", "reporter:").getBytes());
        b.write(bytes("gn,,, 1-\t\u00ff\u00c3\u00a9", 9));
        all.add(b.toByteArray());
      }
      for (byte[] line : all) {
        Vectors v = new Vectors();
        v.job_ = new JobConf(false);
        byte[] ended = Arrays.copyOf(line, line.length + 1);
        ended[line.length] = '\n';
        v.clientErr_ = new DataInputStream(new ByteArrayInputStream(ended));
        StringBuilder said = new StringBuilder();
        MRErrorThread thread = v.new MRErrorThread();
        thread.setReporter(new Reporter() {
          public void setStatus(String s) { said.append("status ").append(hex(s)); }
          public void incrCounter(String g, String n, long by) { said.append("counter ").append(hex(g)).append(" ").append(hex(n)).append(" ").append(by); }
          public void progress() {}
          public Counters.Counter getCounter(Enum<?> n) { return null; }
          public Counters.Counter getCounter(String g, String n) { return null; }
          public void incrCounter(Enum<?> k, long by) {}
          public InputSplit getInputSplit() { return null; }
          public float getProgress() { return 0; }
        });
        PrintStream err = System.err;
        ByteArrayOutputStream log = new ByteArrayOutputStream();
        System.setErr(new PrintStream(log, true, "UTF-8"));
        thread.run();
        System.setErr(err);
        if (said.length() == 0) said.append(log.size() > 0 ? "log" : "malformed");
        out.println(hex(line) + " " + said);
      }
    }
  }

  static class Collector implements OutputCollector<Text, Text> {
    final StringBuilder out = new StringBuilder();
    public void collect(Text key, Text value) {
      out.append(" ").append(hex(key.getBytes(), key.getLength())).append(" ").append(hex(value.getBytes(), value.getLength()));
    }
  }

  static void aggregates() throws Exception {
    try (PrintStream out = open("aggregate.txt")) {
      String[] types = {"LongValueSum", "DoubleValueSum", "LongValueMax", "LongValueMin", "StringValueMax", "StringValueMin", "UniqValueCount", "ValueHistogram", "longvaluesum", "Nonsense"};
      for (int i = 0; i < lines; i++) {
        String type = pick(types);
        ByteArrayOutputStream k = new ByteArrayOutputStream();
        k.write(type.getBytes());
        if (random.nextInt(40) > 0) k.write(':');
        k.write(bytes("ab:\u00ff\u00c3\u00a9", 4));
        Text key = new Text(k.toByteArray());
        List<Text> values = new ArrayList<>();
        for (int n = 1 + random.nextInt(6); n > 0; n--) {
          byte[] v;
          String low = type.toLowerCase();
          if (low.startsWith("long")) v = pick("" + (random.nextInt(2000) - 1000), "" + random.nextLong(), "+4", "-0", random.nextInt(30) == 0 ? "x" : "7", "007").getBytes();
          else if (low.startsWith("double")) v = pick("" + random.nextInt(100), "" + random.nextInt(1000) / 100.0, "1e" + (random.nextInt(40) - 20), "-.5", " 2 ", "3f", random.nextInt(30) == 0 ? "x" : "0", "" + random.nextGaussian()).getBytes();
          else if (low.startsWith("valuehist")) v = (text("ab", 2) + pick("", "", "\t" + random.nextInt(9), "\t\t2", random.nextInt(20) == 0 ? "\tx" : "")).getBytes();
          else v = bytes(random.nextBoolean() ? "abc" : BROKEN, 5);
          values.add(new Text(v));
        }
        out.print(hex(key.getBytes(), key.getLength()) + " " + values.size());
        for (Text v : values) out.print(" " + hex(v.getBytes(), v.getLength()));
        try {
          Collector reduced = new Collector(), combined = new Collector();
          ValueAggregatorReducer<Text, Text> reducer = new ValueAggregatorReducer<>();
          reducer.reduce(key, values.iterator(), reduced, Reporter.NULL);
          new ValueAggregatorCombiner<Text, Text>().reduce(key, values.iterator(), combined, Reporter.NULL);
          out.println(" reduced" + reduced.out + " combined" + combined.out);
        } catch (RuntimeException e) {
          out.println(" refused");
        }
      }
    }
  }

  static void doubles() throws Exception {
    try (PrintStream out = open("double.txt")) {
      for (String s : new String[] {"1", "-0", "0.001", "0.00099", "1e7", "9999999.999", "1e23", "2e-3", "NaN", "-Infinity", "+Infinity", "1e400", "1e-400", "4.9e-324", "1d", "1F", "1_0", "0x1p3", "0x10", "inf", "nan", "", ".", "1.", ".1", "1e", "1e+5", "--1", " 1", "1 2", "\u0661"})
        parse(out, s);
      for (int i = 0; i < lines; i++) {
        double x = pick(random.nextInt(100000) / 100.0, random.nextDouble(), random.nextGaussian() * 1e5, Double.longBitsToDouble(random.nextLong()), (double) random.nextInt(), random.nextInt(1000) / 3.0);
        parse(out, "" + x);
      }
    }
  }
  static void parse(PrintStream out, String s) {
    String result = "refused";
    try {
      double x = Double.parseDouble(s);
      result = String.format("%016x", Double.doubleToLongBits(x)) + " " + hex("" + x);
    } catch (NumberFormatException e) {
    }
    out.println(hex(s) + " " + result);
  }

  static void environments() throws Exception {
    try (PrintStream out = open("environ.txt")) {
      String[][] settings = {
        {"a.b", "1"}, {"A-b_c", "2"}, {"\u00e4.x", "3"}, {"\ud83d\ude00", "4"}, {"mapred.reduce.tasks", "3"}, {"mapreduce.job.name", "n"},
        {"expand", "<${a.b}|${nope}|${expand2}>"}, {"expand2", "${a.b}${a.b}"}, {"loop", "${loop}"}, {"open", "${a.b"}, {"long", "abcdef\u00e4\ud83d\ude00xyz"},
        {"map.output.key.field.separator", "."}, {"empty", ""}, {"space", " x "}};
      for (String limit : new String[] {"-1", "0", "7", "8", "100"}) {
        JobConf job = new JobConf(false);
        out.print(limit + " " + settings.length);
        for (String[] s : settings) {
          job.set(s[0], s[1]);
          out.print(" " + hex(s[0]) + " " + hex(s[1]));
        }
        job.set("stream.jobconf.truncate.limit", limit);
        ByteArrayOutputStream xml = new ByteArrayOutputStream(); // a task reads its job.xml
        job.writeXml(xml);
        job = new JobConf(false);
        job.addResource(new ByteArrayInputStream(xml.toByteArray()), "job.xml");
        Properties env = new Properties();
        new Vectors().addJobConfToEnvironment(job, env);
        new Vectors().addEnvironment(env, "HADOOP_ROOT_LOGGER= A=1 2 B=x=y C= =D E");
        TreeMap<String, String> sorted = new TreeMap<>();
        for (String name : env.stringPropertyNames()) sorted.put(name, env.getProperty(name));
        for (Map.Entry<String, String> e : sorted.entrySet()) out.print(" " + hex(e.getKey()) + "=" + hex(e.getValue()));
        out.println();
      }
    }
  }

  public static void main(String[] args) throws Exception {
    folder = Paths.get(args[0]);
    if (args.length > 1) lines = Integer.parseInt(args[1]);
    commands();
    fields();
    partitions();
    comparisons();
    reports();
    aggregates();
    doubles();
    environments();
  }
}
