# Builds a periodic, equilibrated system around a structure. In: the structure
# ($MD_STRUCTURE) and the mdp files of its stages. Out: system.gro, topol.top and
# what it includes, prepare.txt. All work is done in work/, which is also the
# checkpoint: a stage that is finished leaves done.NAME there and is not done again.

mkdir -p work
cp -- *.mdp work/
cp -- "$MD_STRUCTURE" "work/$MD_INPUT"
cd work

todo() { [ ! -e "done.$1" ] && say "prepare: $2"; }
finish() { : > "done.$1"; }
# run NAME: mdrun of NAME.tpr.
run() { gmx -quiet mdrun $MD_THREADS -pin off -reprod -s "$1.tpr" -deffnm "$1" || fail "gmx mdrun of $1 failed; see the log"; }

if todo topology "topology with $MD_FORCEFIELD and $MD_WATER"; then
	must pdb2gmx -f "$MD_INPUT" -ignh -ff "$MD_FORCEFIELD" -water "$MD_WATER" -o conf.gro -p solute.top -i posre.itp
	[ -e posre.itp ] || : > posre.itp
	cp conf.gro compact.gro
	finish topology
fi

if [ -e vmd.mdp ] && todo collapse "collapse without water"; then
	tool editconf -f conf.gro -o vbox.gro -c -d 2.2 -bt cubic
	must grompp -f vmin.mdp -c vbox.gro -p solute.top -o vmin.tpr
	run vmin
	must grompp -f vmd.mdp -c vmin.gro -p solute.top -o vmd.tpr
	run vmd
	printf 'System\n' | tool gyrate -f vmd.xtc -s vmd.tpr -o vgyr.xvg -xvg none
	best=$(awk '$1 !~ /^[#@]/ && (least == "" || $2 < least) { least = $2; at = $1 } END { print at, least }' vgyr.xvg)
	say "prepare: most compact at ${best% *} ps, radius of gyration ${best#* } nm"
	printf 'System\n' | tool trjconv -f vmd.xtc -s vmd.tpr -o compact.gro -pbc whole -dump "${best% *}"
	finish collapse
fi

if todo box "box"; then
	gmx -quiet editconf -f compact.gro -o centred.gro -c > editconf.txt 2> gmx.err || fail "gmx editconf: $(reason gmx.err)"
	# editconf measures the solute only on the way to a box by distance.
	gmx -quiet editconf -f compact.gro -o measured.gro -c -d 1 -bt cubic > editconf.txt 2> gmx.err || fail "gmx editconf: $(reason gmx.err)"
	diameter=$(awk '/^ *diameter/ { print $3; exit }' editconf.txt)
	[ -n "$diameter" ] || fail "editconf did not say how large the solute is"
	size=$(awk -v d="$diameter" -v size="$MD_BOX_SIZE" -v margin="$MD_BOX_MARGIN" 'BEGIN { printf "%.5f", (size > 0 ? size : d + 2 * margin) }')
	need=$(awk -v d="$diameter" 'BEGIN { x = d + 1.2; printf "%.2f", (int(x * 100) + (x * 100 > int(x * 100))) / 100 }')
	if awk -v d="$diameter" -v size="$size" 'BEGIN { exit !(size < d + 1.2 - 1e-6) }'; then
		verdict "gromacs.box: ${MD_BOX_SIZE}nm is too small: the solute is ${diameter}nm across here, so that with 0.6nm on each side the box needs at least ${need}nm (or let it collapse longer)"
	fi
	[ "$(awk -v s="$size" 'BEGIN { print (s < 2.0) }')" -eq 0 ] || size=2.0
	tool editconf -f compact.gro -o box.gro -c -bt "$MD_BOX_TYPE" -box "$size"
	printf 'diameter_nm %s\nbox_nm %s\nbox_type %s\n' "$diameter" "$size" "$MD_BOX_TYPE" > prepare.txt
	finish box
fi

if todo water "water and ions"; then
	cp solute.top topol.top
	must solvate -cp box.gro -cs "$MD_SOLVENT" -p topol.top -o water.gro
	must grompp -f ions.mdp -c water.gro -p topol.top -o ions.tpr
	printf 'SOL\n' | must genion -s ions.tpr -p topol.top -o ions.gro -pname NA -nname CL -neutral -conc "$MD_SALT" -seed "$MD_SEED"
	awk 'NR == 2 { print "atoms", $1; exit }' ions.gro >> prepare.txt
	awk '/^\[ *molecules *\]/ { take = 1; next } take && $1 !~ /^;/ && NF == 2 { n[$1] += $2; if (!($1 in seen)) { seen[$1] = 1; order[++k] = $1 } }
		END { for (i = 1; i <= k; i++) print "molecules_" order[i], n[order[i]] }' topol.top >> prepare.txt
	finish water
fi

if todo minimise "minimise"; then
	must grompp -f em.mdp -c ions.gro -p topol.top -o em.tpr
	run em
	cp em.gro system.gro
	finish minimise
fi

if [ -e nvt.mdp ] && todo nvt "equilibrate at constant volume"; then
	must grompp -f nvt.mdp -c em.gro -r em.gro -p topol.top -o nvt.tpr
	run nvt
	cp nvt.gro system.gro
	finish nvt
fi

if [ -e npt.mdp ] && todo npt "equilibrate at constant pressure"; then
	if [ -e nvt.cpt ]; then
		must grompp -f npt.mdp -c nvt.gro -t nvt.cpt -r em.gro -p topol.top -o npt.tpr
	else
		must grompp -f npt.mdp -c em.gro -r em.gro -p topol.top -o npt.tpr
	fi
	run npt
	cp npt.gro system.gro
	finish npt
fi

cp system.gro topol.top prepare.txt ..
for f in *.itp; do cp -- "$f" ..; done
say "prepare: done"
