# Sourced by the suites: a scratch folder, the model, and small assertions.
set -euo pipefail
kerf=$1
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

fail() {
  echo "FAILED: $*" >&2
  exit 1
}

skip() {
  echo "skipped: $*"
  exit 77
}

# expect_exit CODE PATTERN COMMAND…: the command ends with CODE and one line on stderr that matches PATTERN.
expect_exit() {
  local code=$1 pattern=$2 got=0
  shift 2
  "$@" >"$scratch/stdout" 2>"$scratch/stderr" || got=$?
  [ "$got" -eq "$code" ] || fail "«$*» ended with $got instead of $code: $(cat "$scratch/stderr")"
  grep -qE -- "$pattern" "$scratch/stderr" || fail "«$*» does not say /$pattern/ but: $(cat "$scratch/stderr")"
}

# json FILE EXPRESSION: evaluates a Python expression on the parsed object `o`.
json() {
  python3 -c 'import json,sys; o=json.load(open(sys.argv[1])); print(eval(sys.argv[2]))' "$1" "$2"
}

# check EXPRESSION FILE: the expression holds.
check() {
  [ "$(json "$2" "$1")" = True ] || fail "not true: $1 in $(cut -c1-2000 "$2")"
}
