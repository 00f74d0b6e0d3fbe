# Runs one segment of one member: from step $MD_FIRST to step $MD_LAST (both
# counted from the run's initial step). The first segment of a prepared system
# makes the member's tpr; a later one goes on from the segment before (prev.cpt).
# Out: member.tpr (first segment), md.cpt at exactly the last step, parts/md.part*.

[ -z "$MD_MDP" ] || preprocess

# What the plan was made with must be what gmx reads.
if [ -n "$MD_EXPECT" ]; then
	gmx -quiet dump -s member.tpr 2> gmx.err | awk '$2 == "=" && NF == 3 && ($1 == "dt" || $1 == "nsteps" || $1 == "init-step" || $1 == "nstlist" || $1 == "integrator") { v[$1] = $3 } /^ *ref-t/ { exit }
		END { printf "dt=%.9g nsteps=%s init-step=%s nstlist=%s\n", v["dt"], v["nsteps"], v["init-step"], v["nstlist"] }' > found.txt
	[ "$(cat found.txt)" = "$MD_EXPECT" ] || verdict "the tpr holds $(cat found.txt), but the job was planned for $MD_EXPECT"
fi

first=$((MD_INIT + MD_FIRST))
last=$((MD_INIT + MD_LAST))
gmx -quiet convert-tpr -s member.tpr -nsteps "$MD_LAST" -o seg.tpr > convert.txt 2>&1 || { cat convert.txt >&2; fail "gmx convert-tpr: $(reason convert.txt)"; }

from=
if [ "$MD_FIRST" -gt 0 ]; then
	# A missing checkpoint would start silently from step 0.
	[ -s prev.cpt ] || fail "the checkpoint of the segment before is missing"
	at=$(step prev.cpt)
	[ "$at" = "$first" ] || fail "the segment before ended at step ${at:-?}, not at $first"
	from=prev.cpt
fi

# A former attempt that had to go left its checkpoint here: go on from that.
for cpt in md.cpt md_prev.cpt; do
	if [ -s "$cpt" ]; then
		at=$(step "$cpt")
		if [ -n "$at" ] && [ "$at" -gt "$first" ] && [ "$at" -le "$last" ]; then
			say "segment: goes on at step $at, where a former attempt had come to"
			mv "$cpt" own.cpt
			from=own.cpt
			break
		fi
	fi
done
rm -f md.cpt md_prev.cpt
[ "$from" = own.cpt ] || rm -f md.part*

# mdrun gets TERM too (the whole group does), writes md.cpt and exits with 1; the
# shell must outlive it.
trap 'say "segment: told to stop" >&2' TERM
rc=0
gmx -quiet mdrun $MD_THREADS -pin off -reprod -s seg.tpr ${from:+-cpi "$from"} -cpo md.cpt -noappend -deffnm md || rc=$?
trap - TERM
# An attempt that came to nothing leaves at least the checkpoint it began with.
[ -s md.cpt ] || [ "$from" != own.cpt ] || mv own.cpt md.cpt
[ "$rc" -eq 0 ] || exit "$rc"

# mdrun also ends with 0 where it was told to stop, or had nothing to do.
at=$(step md.cpt)
[ "$at" = "$last" ] || fail "mdrun ended at step ${at:-?}, not at $last"
mkdir -p parts
mv md.part* parts/
say "segment: steps $first to $last"
awk '/^Performance:/ { print "segment: " $2 " ns/day" }' "$(ls parts/md.part*.log | tail -n 1)"
