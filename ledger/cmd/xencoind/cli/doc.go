// Package cli is the command line of xencoind: init makes a ledger's genesis and
// keys, start runs a node, status asks one, keygen makes an account's key.
//
// Exit codes: 0 done, 1 failed, 2 flags or files are wrong, 4 no node answers.
package cli
