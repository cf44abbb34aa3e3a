#!/usr/bin/env bash
# Searches the model of the protocol: every state that the rules can reach. The model must
# be without an error, each wrong rule must be refuted, and each witness must be seen.
#
#   run.sh            all of runs.txt
#   run.sh NAME       the runs with this name, and the events that lead to each error
#
# Exit status: 0 all as it must be; 1 not so; 77 not run, because spin or cc is missing.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
only=${1:-}

for tool in spin cc; do
	command -v "$tool" >/dev/null || {
		echo "model: NOT RUN: $tool is not installed; on Debian and Ubuntu: apt-get install spin gcc" >&2
		exit 77
	}
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# search SHAPE MODE DEFINITION leaves what the verifier says in the file "said".
search() {
	local mode=$2 build=(-w -DMEMLIM=2000) run=(-m1000000 -w20)
	case $mode in
	safety) build+=(-DSAFETY) ;;
	ends) build+=(-DSAFETY -DNOCLAIM) ;;
	progress | alone) build+=(-O2 -DNFAIR=4) run+=(-a -f) ;;
	*) echo "model: runs.txt: no such mode: $mode" >&2 && exit 1 ;;
	esac
	rm -f pan pan.* ./*.trail
	{
		echo "#define $1"
		case $mode in ends | progress) echo "#define HEALED" ;; alone) printf '#define %s\n' HEALED ALONE ;; esac
		[[ -z $3 ]] || echo "#define $3"
		echo "#include \"$here/saga.pml\""
	} >run.pml
	if ! spin -a run.pml >said 2>&1 || grep -q Error said || ! cc "${build[@]}" -o pan pan.c >>said 2>&1; then
		cat said >&2
		echo "model: it does not compile: $*" >&2
		exit 1
	fi
	TIMEFORMAT=%U
	{ time ./pan "${run[@]}" >said 2>&1; } 2>seconds || true
}

# verdict prints how the search ended: "none", or the promise that is broken.
verdict() {
	if grep -qE 'max search depth too small|out of memory|not completed|VECTORSZ' said && ! grep -q '^pan:1:' said; then
		echo "the search was cut short"
	elif grep -qE 'errors: 0$' said; then
		echo none
	elif ! grep -q '^pan:1:' said; then
		echo "the verifier did not run"
	else
		sed -nE '/^pan:1:/{s/ \(at depth.*//; s/.*\|\|([A-Z_]+)\)*$/\1/; s/^pan:1: (assertion violated )?//; p; q}' said
	fi
}

failed=0 count=0 began=$SECONDS
while IFS='|' read -r kind name shape mode what; do
	read -r kind <<<"$kind" && read -r name <<<"$name" && read -r shape <<<"$shape" && read -r mode <<<"$mode" && read -r what <<<"$what"
	case $kind in '' | '#'*) continue ;; esac
	[[ -z $only || $only == "$name" ]] || continue
	case $kind in
	model) search "$shape" "$mode" "" ;;
	mutant) search "$shape" "$mode" "$name" ;;
	witness) search "$shape" "$mode" "WITNESS $name" ;;
	*) echo "model: runs.txt: no such kind: $kind" >&2 && exit 1 ;;
	esac
	broken=$(verdict)
	case $kind:$broken in
	*:"the "*) result="NOT SEARCHED: $broken" ;;
	model:none) result=ok ;;
	model:*) result="WRONG: $broken" ;;
	mutant:none) result=SURVIVES ;;
	mutant:[A-Z]* | mutant:"invalid end state" | mutant:"acceptance cycle") result="refuted: $broken" ;;
	witness:SEEN) result=seen ;;
	witness:none) result="NEVER SEEN" ;;
	*) result="WRONG: $broken" ;;
	esac
	case $result in ok | refuted:* | seen) ;; *) failed=1 ;; esac
	count=$((count + 1))
	states=$(sed -nE 's/^ *([0-9.e+]+) states, stored.*/\1/p' said)
	printf '%-7s %-8s %-8s %9s states %6ss  %-24s %s\n' "$kind" "$shape" "$mode" "${states:-?}" "$(cat seconds)" "$result" "$name"
	if [[ -e run.pml.trail && ( -n $only || $result == WRONG* ) ]]; then
		spin -t run.pml | sed '/is newer than/d; /^spin: trail ends/,$d'
	fi
done <"$here/runs.txt"

if [[ $count == 0 ]]; then
	echo "model: runs.txt has no run named $only" >&2
	exit 1
fi
echo "model: $count runs, $((SECONDS - began))s"
if [[ $failed == 1 ]]; then
	echo "model: not all is as it must be" >&2
	exit 1
fi
