# Joins the segments of one member. In: member.tpr, md.cpt of the last segment,
# in/NUMBER/md.part*. Out: md.tpr of the whole length, md.xtc (or md.trr), md.edr,
# md.gro, md.cpt. trjcat and eneconv drop the doubled frame at every border.

for kind in xtc trr; do
	if ls in/*/md.part*.$kind > /dev/null 2>&1; then
		tool trjcat -f in/*/md.part*.$kind -o md.$kind
	fi
done
tool eneconv -f in/*/md.part*.edr -o md.edr
for gro in in/*/md.part*.gro; do
	[ ! -e "$gro" ] || cp "$gro" md.gro
done
if [ -n "$MD_LAST" ]; then
	gmx -quiet convert-tpr -s member.tpr -nsteps "$MD_LAST" -o md.tpr > convert.txt 2>&1 || { cat convert.txt >&2; fail "gmx convert-tpr: $(reason convert.txt)"; }
	at=$(step md.cpt)
	[ "$at" = "$((MD_INIT + MD_LAST))" ] || fail "the last checkpoint stands at step ${at:-?}, not at $((MD_INIT + MD_LAST))"
else
	cp member.tpr md.tpr
fi

# As many frames as the run must have written, evenly spaced: nothing is missing.
if [ -e md.xtc ] && [ "$MD_FRAMES" -gt 0 ]; then
	gmx -quiet check -f md.xtc > check.txt 2>&1 || :
	frames=$(tr '\r' '\n' < check.txt | awk '$1 == "Coords" { print $2; exit }')
	[ "$frames" = "$MD_FRAMES" ] || fail "md.xtc holds ${frames:-no} frames, not $MD_FRAMES"
	say "join: $frames frames"
fi
