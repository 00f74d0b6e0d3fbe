package main

import (
	"bytes"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const chignolin = "GYDPETGTWG"

// The example's input is what this program writes.
func TestChignolinIsGenerated(t *testing.T) {
	chain, err := build(chignolin)
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	if err := write(&got, chignolin, chain); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("../chignolin.pdb")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("chignolin.pdb is not what this program writes (-file +program):\n%s", diff)
	}
}

// Amino acids are L (S at CA), threonine is R at CB; atoms that are not bonded keep apart.
func TestChirality(t *testing.T) {
	chain, err := build(chignolin)
	if err != nil {
		t.Fatal(err)
	}
	at := map[int]map[string]vec{}
	names := map[int]string{}
	for _, a := range chain {
		if at[a.number] == nil {
			at[a.number] = map[string]vec{}
		}
		at[a.number][a.name], names[a.number] = a.at, a.residue
	}
	handed := func(center, a, b, c vec) float64 {
		return a.minus(center).dot(b.minus(center).cross(c.minus(center)))
	}
	for i, r := range at {
		if cb, ok := r["CB"]; ok && handed(r["CA"], r["N"], r["C"], cb) <= 0 {
			t.Errorf("%s%d is a D amino acid", names[i], i)
		}
		if names[i] == "THR" && handed(r["CB"], r["OG1"], r["CA"], r["CG2"]) >= 0 {
			t.Errorf("THR%d has the wrong hand at CB", i)
		}
		if names[i] == "PRO" {
			if d := r["CD"].distance(r["N"]); d < 1.3 || d > 1.65 {
				t.Errorf("PRO%d: the ring does not close: N–CD is %.2f Å", i, d)
			}
		}
	}
	for i, a := range chain {
		for _, b := range chain[:i] {
			if a.at.distance(b.at) < 1.2 {
				t.Errorf("%s%d %s and %s%d %s are %.2f Å apart", a.residue, a.number, a.name, b.residue, b.number, b.name, a.at.distance(b.at))
			}
		}
	}
	if got := at[1]["N"].distance(at[10]["C"]); got < 25 {
		t.Errorf("the chain is %.1f Å long, not extended", got)
	}
}

func TestUnknownResidue(t *testing.T) {
	if _, err := build("GXG"); err == nil {
		t.Error("residue X was built")
	}
}
