# Measures one member. In: md.tpr, md.xtc (or md.trr), md.edr. Out:
# ITEM.$MD_MEMBER.xvg for each item of $MD_ITEMS that can be had, and
# about.$MD_MEMBER.txt with a line for each that cannot. An item that fails ends
# nothing.

about=about.$MD_MEMBER.txt
note() { printf '%s\n' "$*" >> "$about"; printf '%s\n' "$*"; }
: > "$about"
note "gromacs $(gmx --version 2>/dev/null | awk -F': *' '/^GROMACS version/ { print $2; exit }')"

traj=
for f in md.trr md.xtc; do [ ! -s "$f" ] || traj=$f; done

# Groups: Protein and Backbone where they exist, else all that is not water or ions.
printf 'q\n' | gmx -quiet make_ndx -f md.tpr -o all.ndx > ndx.txt 2>&1 || :
touch all.ndx
awk '
	/^\[/ { name = $2; next }
	name == "System" { for (i = 1; i <= NF; i++) { n++; all[n] = $i } }
	name == "Water_and_ions" || name == "Water" || name == "Ion" { for (i = 1; i <= NF; i++) out[$i] = 1 }
	name == "Protein" { protein += NF }
	name == "Backbone" { backbone += NF }
	END {
		for (i = 1; i <= n; i++) if (!(all[i] in out)) solute++
		print "atoms", n + 0 > "count.txt"
		print "protein", protein + 0 > "count.txt"
		print "backbone", backbone + 0 > "count.txt"
		print "solute", solute + 0 > "count.txt"
		if (solute > 0) {
			print "[ Solute ]" > "solute.ndx"
			for (i = 1; i <= n; i++) if (!(all[i] in out)) print all[i] > "solute.ndx"
		}
	}' all.ndx
count() { awk -v k="$1" '$1 == k { print $2 }' count.txt; }
note "atoms $(count atoms)"
touch solute.ndx
cat solute.ndx >> all.ndx
whole=
fit=
if [ "$(count protein)" -gt 0 ]; then whole=Protein; elif [ "$(count solute)" -gt 0 ]; then whole=Solute; fi
if [ "$(count backbone)" -gt 0 ]; then fit=Backbone; elif [ -n "$whole" ]; then fit=$whole; fi
note "group $whole"
note "fit $fit"

# dress ITEM TITLE UNIT LEGEND…: the bare table of gmx with a header that two runs share.
dress() {
	item=$1; title=$2; unit=$3; shift 3
	{
		printf '# %s of %s\n@    title "%s"\n@    xaxis  label "Time (ps)"\n@    yaxis  label "%s"\n@TYPE xy\n' "$title" "$MD_MEMBER" "$title" "$unit"
		n=0
		for legend in "$@"; do
			printf '@ s%d legend "%s"\n' "$n" "$legend"
			n=$((n + 1))
		done
		cat table.xvg
	} > "$item.$MD_MEMBER.xvg"
	rm -f table.xvg
	note "item $item ok"
}
# skip ITEM WORDS: says why an item is not there.
skip() { item=$1; shift; rm -f table.xvg "$item.$MD_MEMBER.xvg"; note "item $item left out: $*"; }
# try TOOL OPTIONS: one gmx tool, its failure told by its exit status.
try() { gmx -quiet "$@" 2> gmx.err; rc=$?; cat gmx.err >&2; return $rc; }

for item in $MD_ITEMS; do
	case $item in
	energy)
		if [ ! -s md.edr ]; then skip energy "the run wrote no energies"; continue; fi
		printf '\n' | gmx -quiet energy -f md.edr -o none.xvg > terms.txt 2>&1 || :
		terms=$(awk 'BEGIN { want = "Potential Kinetic-En. Total-Energy Conserved-En. Temperature Pressure" }
			/^ *[0-9]+ +[^ ]/ { for (i = 2; i <= NF; i += 2) have[$i] = 1 }
			END { n = split(want, w, " "); for (i = 1; i <= n; i++) if (w[i] in have) print w[i] }' terms.txt)
		if [ -z "$terms" ]; then skip energy "none of its terms is in md.edr"; continue; fi
		if printf '%s\n\n' "$terms" | try energy -f md.edr -o table.xvg -xvg none > energy.txt; then
			# shellcheck disable=SC2086 # one legend a word
			dress energy "Energies" "kJ/mol, K, bar" $terms
		else
			skip energy "$(reason gmx.err)"
		fi ;;
	rmsd)
		if [ -z "$fit" ]; then skip rmsd "all atoms are water or ions"; continue; fi
		if [ -z "$traj" ]; then skip rmsd "the run wrote no coordinates"; continue; fi
		if printf '%s\n%s\n' "$fit" "$fit" | try rms -f "$traj" -s md.tpr -n all.ndx -o table.xvg -xvg none > rms.txt; then
			dress rmsd "RMSD from the start" "RMSD (nm)" "$fit"
		else
			skip rmsd "$(reason gmx.err)"
		fi ;;
	gyration)
		if [ -z "$whole" ]; then skip gyration "all atoms are water or ions"; continue; fi
		if [ -z "$traj" ]; then skip gyration "the run wrote no coordinates"; continue; fi
		if printf '%s\n' "$whole" | try gyrate -f "$traj" -s md.tpr -n all.ndx -o table.xvg -xvg none > gyrate.txt; then
			dress gyration "Radius of gyration" "Rg (nm)" "Rg" "RgX" "RgY" "RgZ"
		else
			skip gyration "$(reason gmx.err)"
		fi ;;
	image)
		if [ -z "$whole" ]; then skip image "all atoms are water or ions"; continue; fi
		if [ -z "$traj" ]; then skip image "the run wrote no coordinates"; continue; fi
		# All pairs in 26 images, every frame: thinned so that it ends in about a minute.
		n=$(count protein); [ "$n" -gt 0 ] || n=$(count solute)
		skipped=$(awk -v n="$n" -v frames="$MD_FRAMES" 'BEGIN { x = n * n * 13 * frames / 2e10; print (x > 1 ? int(x) + 1 : 1) }')
		source=$traj
		if [ "$skipped" -gt 1 ]; then
			printf 'System\n' | try trjconv -f "$traj" -s md.tpr -skip "$skipped" -o thin.xtc > thin.txt && source=thin.xtc
		fi
		if printf '%s\n' "$whole" | try mindist -pi -f "$source" -s md.tpr -n all.ndx -od table.xvg -xvg none > mindist.txt; then
			dress image "Distance to the periodic image" "distance (nm)" "least distance" "largest extent" "box 1" "box 2" "box 3"
		else
			skip image "$(reason gmx.err)"
		fi ;;
	esac
done
