// Package keyfile keeps an account's key in a file of mode 0600: 64 hex digits, or,
// where a passphrase is given, the same encrypted by it (age with scrypt, armored).
//
// The passphrase is ZENNET_PASSPHRASE, or the first line of the file that
// ZENNET_PASSPHRASE_FILE names, which others may not read. With one, a new key is
// encrypted, and one that lies open is encrypted at its next use; an encrypted key
// without the right one is refused with a sentence. A key is never half there.
//
// Start at keyfile.go; seal.go is the encryption.
package keyfile
