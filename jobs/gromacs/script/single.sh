# Runs a calculation that knows no checkpoints (a minimisation, normal modes, …) as
# one task. In: member.tpr, or what grompp makes it from. Out: member.tpr, parts/.

[ -z "$MD_MDP" ] || preprocess
gmx -quiet mdrun $MD_THREADS -pin off -reprod -s member.tpr -noappend -deffnm md
rm -f step*.pdb
mkdir -p parts
mv md.part* parts/
