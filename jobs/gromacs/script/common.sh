# What all scripts of a gromacs job begin with. POSIX sh (run with -eu), awk,
# coreutils and gmx only. Settings come as MD_… variables.

export GMX_MAXBACKUP=-1
# The runner sets OMP_NUM_THREADS for programs that do not see their quota; mdrun
# gets its threads as options and stops where the two differ.
unset OMP_NUM_THREADS GMX_MAXCONSTRWARN 2>/dev/null || :

say() { printf '%s\n' "$*"; }

# fail WORDS: ends this attempt; another may succeed.
fail() { printf '%s\n' "$*" >&2; exit 1; }

# verdict WORDS: ends the task; no attempt can succeed, for the input is at fault.
verdict() { printf '%s\n' "$*" >&2; exit 65; }

# reason FILE: gmx's own sentence of what was wrong, on one line.
reason() {
	awk '
		/^(Fatal error|Error in user input|Inconsistency in user input|Feature not implemented|File input\/output error|Command-line option error|Invalid command-line options)/ { take = 1; next }
		/^(ERROR|WARNING) [0-9]+ \[/ && !found { take = 1; next }
		take && (/^For more information/ || (/^[ \t]*$/ && text != "")) { take = 0; found = 1 }
		take && text == "" && /^[ \t]*$/ { next }
		take { gsub(/^[ \t]+|[ \t]+$/, ""); text = text (text == "" ? "" : " ") $0 }
		END { if (text == "") text = "see the log"; print substr(text, 1, 400) }
	' "$1"
}

# must TOOL OPTIONS: a gmx tool that fails only where its input is at fault.
must() {
	rc=0
	gmx -quiet "$@" 2> gmx.err || rc=$?
	cat gmx.err >&2
	case $rc in
	0) rm -f gmx.err ;;
	1) verdict "gmx $1: $(reason gmx.err)" ;;
	*) exit "$rc" ;;
	esac
}

# tool TOOL OPTIONS: a gmx tool whose failure another attempt may cure.
tool() {
	rc=0
	gmx -quiet "$@" 2> gmx.err || rc=$?
	cat gmx.err >&2
	[ "$rc" -eq 0 ] || { printf 'gmx %s: %s\n' "$1" "$(reason gmx.err)" >&2; exit "$rc"; }
	rm -f gmx.err
}

# step FILE: the step at which a checkpoint stands; empty where it cannot be read.
step() { gmx -quiet dump -cp "$1" 2>/dev/null | awk '/^step = / { print $3; exit }'; }

# preprocess: makes member.tpr of $MD_MDP, $MD_CONF, $MD_TOP and, if any, $MD_NDX.
preprocess() {
	set -- -f "$MD_MDP" -c "$MD_CONF" -r "$MD_CONF" -p "$MD_TOP"
	[ -z "$MD_NDX" ] || set -- "$@" -n "$MD_NDX"
	must grompp "$@" -o member.tpr
}
