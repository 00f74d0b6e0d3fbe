package hdfs

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/zennet/zennet/jobrunner/files"
)

// Settings are the properties of a Hadoop configuration, as written.
type Settings map[string]string

// settingsMax is the size of a site file in bytes at most.
const settingsMax = 8 << 20

// siteFiles are read in this order: a later one has the last word, unless an
// earlier one says final.
var siteFiles = []string{"core-site.xml", "hdfs-site.xml"}

// oldNames are names of Hadoop 1 that site files still use.
var oldNames = map[string]string{
	"fs.default.name":               "fs.defaultFS",
	"dfs.federation.nameservices":   "dfs.nameservices",
	"dfs.block.size":                "dfs.blocksize",
	"dfs.http.address":              "dfs.namenode.http-address",
	"dfs.https.address":             "dfs.namenode.https-address",
	"dfs.federation.nameservice.id": "dfs.nameservice.id",
}

// LoadSettings reads the site files of a folder; those that are not there are
// left out. Folder "" is the environment's: $HADOOP_CONF_DIR, else
// $HADOOP_HOME/etc/hadoop, else none.
func LoadSettings(folder string) (Settings, error) {
	given := folder != ""
	if !given {
		folder = os.Getenv("HADOOP_CONF_DIR")
	}
	if home := os.Getenv("HADOOP_HOME"); folder == "" && home != "" {
		folder = filepath.Join(home, "etc", "hadoop")
	}
	s, final := Settings{}, map[string]bool{}
	if folder == "" {
		return s, nil
	}
	found := 0
	for _, name := range siteFiles {
		p := filepath.Join(folder, name)
		text, err := readSmall(p)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("hadoop configuration: %w: %w", files.ErrConfig, err)
		}
		if err := s.add(text, final); err != nil {
			return nil, fmt.Errorf("%s: %w: %w", p, files.ErrConfig, err)
		}
		found++
	}
	if given && found == 0 {
		return nil, fmt.Errorf("hadoop configuration %s: neither core-site.xml nor hdfs-site.xml is there: %w", folder, files.ErrConfig)
	}
	return s, nil
}

func readSmall(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, settingsMax+1))
	if err == nil && len(text) > settingsMax {
		err = fmt.Errorf("%s: larger than %d bytes", path, settingsMax)
	}
	return text, err
}

// ParseSettings reads one site file.
func ParseSettings(text []byte) (Settings, error) {
	s := Settings{}
	return s, s.add(text, map[string]bool{})
}

func (s Settings) add(text []byte, final map[string]bool) error {
	type property struct {
		NameAttr  string  `xml:"name,attr"`
		ValueAttr string  `xml:"value,attr"`
		FinalAttr string  `xml:"final,attr"`
		Name      string  `xml:"name"`
		Value     *string `xml:"value"`
		Final     string  `xml:"final"`
	}
	var doc struct {
		XMLName    xml.Name   `xml:"configuration"`
		Properties []property `xml:"property"`
		Includes   []struct {
			Href string `xml:"href,attr"`
		} `xml:"include"`
	}
	dec := xml.NewDecoder(bytes.NewReader(text))
	if err := dec.Decode(&doc); err != nil {
		return err
	}
	if len(doc.Includes) > 0 {
		return fmt.Errorf("includes %q: put its properties into this file", doc.Includes[0].Href)
	}
	for _, p := range doc.Properties {
		name, value := strings.TrimSpace(p.Name), p.ValueAttr
		if name == "" {
			name = strings.TrimSpace(p.NameAttr)
		}
		if p.Value != nil {
			value = *p.Value
		}
		if now, old := oldNames[name]; old {
			name = now
		}
		if name == "" || final[name] {
			continue
		}
		s[name] = value
		if strings.TrimSpace(p.Final+p.FinalAttr) == "true" {
			final[name] = true
		}
	}
	return nil
}

// Get is the value of a property without surrounding space and with ${…}
// replaced, "" where it is not set. As in Hadoop: ${user.name} and ${user.home}
// are the user's, ${env.X}, ${env.X-default} and ${env.X:-default} the environment's, others
// properties; what is not known stays as it is written.
func (s Settings) Get(name string) string {
	value := s[name]
	for range expansionsMax {
		start, end := expression(value)
		if start < 0 {
			break
		}
		with, ok := s.variable(value[start+2 : end])
		if !ok || len(value)+len(with) > settingsMax {
			break
		}
		value = value[:start] + with + value[end+1:]
	}
	return strings.TrimSpace(value)
}

// expansionsMax is Hadoop's own bound.
const expansionsMax = 20

// expression finds the innermost ${…} that holds a name.
func expression(s string) (start, end int) {
	for from := 0; ; {
		i := strings.Index(s[from:], "}")
		if i < 0 {
			return -1, -1
		}
		end = from + i
		if start = strings.LastIndex(s[:end], "${"); start >= 0 && start+2 < end && !strings.ContainsAny(s[start+2:end], "$ }") {
			return start, end
		}
		from = end + 1
	}
}

func (s Settings) variable(name string) (string, bool) {
	if env, ok := strings.CutPrefix(name, "env."); ok {
		if i := strings.Index(env, ":-"); i >= 0 {
			if v := os.Getenv(env[:i]); v != "" {
				return v, true
			}
			return env[i+2:], true
		}
		if i := strings.Index(env, "-"); i >= 0 {
			if v, set := os.LookupEnv(env[:i]); set {
				return v, true
			}
			return env[i+1:], true
		}
		return os.LookupEnv(env)
	}
	switch name {
	case "user.name":
		return systemUser(), true
	case "user.home":
		home, err := os.UserHomeDir()
		return home, err == nil
	}
	v, ok := s[name]
	return v, ok
}
