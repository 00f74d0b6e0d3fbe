package keyfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"filippo.io/age"
	"filippo.io/age/armor"
)

// Where the passphrase comes from.
const (
	Variable     = "ZENNET_PASSPHRASE"
	FileVariable = "ZENNET_PASSPHRASE_FILE"
)

// secret is the passphrase that is given, "" if none.
func secret() (string, error) {
	if text := os.Getenv(Variable); text != "" {
		return text, nil
	}
	path := os.Getenv(FileVariable)
	if path == "" {
		return "", nil
	}
	text, err := private(path)
	if errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("%w: %s: %s does not exist", ErrKeyFile, FileVariable, path)
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", FileVariable, err)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	if line = strings.TrimSuffix(line, "\r"); line == "" {
		return "", fmt.Errorf("%w: %s: the first line of %s is empty", ErrKeyFile, FileVariable, path)
	}
	return line, nil
}

func sealed(text []byte) bool { return bytes.HasPrefix(bytes.TrimSpace(text), []byte(armor.Header)) }

func seal(text []byte, passphrase string) ([]byte, error) {
	to, err := age.NewScryptRecipient(passphrase)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	armored := armor.NewWriter(&out)
	w, err := age.Encrypt(armored, to)
	if err != nil {
		return nil, err
	}
	_, err = w.Write(text)
	if err = errors.Join(err, w.Close(), armored.Close()); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// unseal says what is wrong, to stand after the file's name.
func unseal(text []byte, passphrase string) ([]byte, error) {
	if passphrase == "" {
		return nil, fmt.Errorf("is encrypted: give its passphrase in %s, or a file with it in %s", Variable, FileVariable)
	}
	with, err := age.NewScryptIdentity(passphrase)
	if err != nil {
		return nil, err
	}
	r, err := age.Decrypt(armor.NewReader(bytes.NewReader(text)), with)
	var none *age.NoIdentityMatchError
	if errors.As(err, &none) {
		return nil, errors.New("is encrypted with another passphrase than the one given")
	}
	if err != nil {
		return nil, fmt.Errorf("is damaged: %w", err)
	}
	plain, err := io.ReadAll(io.LimitReader(r, maxFile))
	if err != nil {
		return nil, fmt.Errorf("is damaged: %w", err)
	}
	return plain, nil
}
