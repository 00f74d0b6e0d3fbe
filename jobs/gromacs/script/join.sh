# Joins the segments of one member. In: member.tpr, md.cpt of the last segment,
# in/NUMBER/md.part*. Out: md.tpr of the whole length, md.xtc (or md.trr), md.edr,
# md.gro, md.cpt: bytewise what one uninterrupted run writes.

# frames FILE: "offset step" of each frame of an energy file. A frame begins with
# the single-precision number -2e10, the magic number -7777777, a version, the time
# (8 bytes) and the step (8 bytes), all big-endian in words of 4 bytes.
frames() {
	od -An -v -tx4 --endian=big -w4 "$1" | awk '
		function value(hex, i, n) { for (i = 1; i <= 8; i++) n = n * 16 + index("123456789abcdef", substr(hex, i, 1)); return n }
		{ word = $1 }
		before == "d09502f9" && word == "ff89520f" { start = NR - 1; high = "" }
		start && NR == start + 5 { high = word }
		start && NR == start + 6 { printf "%.0f %.0f\n", (start - 1) * 4, value(high) * 4294967296 + value(word); start = 0 }
		{ before = word }'
}

# join_energies: eneconv tells the doubled frames at borders by their times in
# single precision, and so keeps them where a border (0.4 ps) is not exact in it.
# Here they are told by their steps: of every file those frames are taken that the
# uninterrupted run has too, at multiples of nstenergy, at the first and at the last step.
join_energies() {
	upto=-1
	: > md.edr
	for part in in/*/md.part*.edr; do
		frames "$part" > frames.txt
		[ -s frames.txt ] || fail "$part has no frames"
		awk -v size="$(wc -c < "$part")" -v upto="$upto" -v every="$MD_ENERGY" -v init="$MD_INIT" -v last="$((MD_INIT + MD_LAST))" '
			{ at[NR] = $1; step[NR] = $2 }
			END {
				at[NR + 1] = size
				from = (upto < 0 ? 0 : -1)
				for (i = 1; i <= NR; i++) {
					keep = step[i] > upto && (step[i] == init || step[i] == last || (every > 0 && step[i] % every == 0))
					if (keep && from < 0) from = at[i]
					if (!keep && from >= 0) { if (at[i] > from) print from, at[i] - from; from = -1 }
					if (keep) upto = step[i]
				}
				if (from >= 0) print from, size - from
				print "upto", upto
			}' frames.txt > keep.txt
		while read -r from length; do
			case $from in
			upto) upto=$length ;;
			*) tail -c "+$((from + 1))" "$part" | head -c "$length" >> md.edr ;;
			esac
		done < keep.txt
	done
	[ "$upto" -eq "$((MD_INIT + MD_LAST))" ] || fail "the energies end at step $upto, not at $((MD_INIT + MD_LAST))"
}

for kind in xtc trr; do
	if ls in/*/md.part*.$kind > /dev/null 2>&1; then
		tool trjcat -f in/*/md.part*.$kind -o md.$kind
	fi
done
for gro in in/*/md.part*.gro; do
	[ ! -e "$gro" ] || cp "$gro" md.gro
done
if [ -n "$MD_LAST" ]; then
	join_energies
	gmx -quiet convert-tpr -s member.tpr -nsteps "$MD_LAST" -o md.tpr > convert.txt 2>&1 || { cat convert.txt >&2; fail "gmx convert-tpr: $(reason convert.txt)"; }
	at=$(step md.cpt)
	[ "$at" = "$((MD_INIT + MD_LAST))" ] || fail "the last checkpoint stands at step ${at:-?}, not at $((MD_INIT + MD_LAST))"
else
	for edr in in/*/md.part*.edr; do
		[ ! -e "$edr" ] || cp "$edr" md.edr
	done
	cp member.tpr md.tpr
fi

# As many frames as the run must have written, evenly spaced: nothing is missing.
if [ -e md.xtc ] && [ "$MD_FRAMES" -gt 0 ]; then
	gmx -quiet check -f md.xtc > check.txt 2>&1 || :
	frames=$(tr '\r' '\n' < check.txt | awk '$1 == "Coords" { print $2; exit }')
	[ "$frames" = "$MD_FRAMES" ] || fail "md.xtc holds ${frames:-no} frames, not $MD_FRAMES"
	say "join: $frames frames"
fi
