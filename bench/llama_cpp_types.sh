#!/usr/bin/env bash
# Does llama.cpp read what kerf writes, in every GGUF type, and to the same effect? Quantizes BASE to each type,
# opens the file with llama-perplexity and with kerf eval, and prints both perplexities on the same windows of
# TEXT, with the divergence from the base. kerf's own types and llama.cpp's own Q2_K follow.
#
#   bench/llama_cpp_types.sh BASE.gguf TEXT [TYPE ...]
#
# CHUNKS  windows of 512 tokens (4);  WORK  folder for the files;  environment of llama_cpp.sh
set -euo pipefail
source "$(dirname "$0")/llama_cpp.sh"
chunks=${CHUNKS:-4}
[ $# -ge 2 ] || die "usage: bench/llama_cpp_types.sh BASE.gguf TEXT [TYPE ...]"
base=$1 text=$2
shift 2
find_llama_cpp llama-perplexity llama-quantize
work=${WORK:-$(mktemp -d)}
mkdir -p "$work"
llama() { LD_LIBRARY_PATH=$llama_libraries "$llama_bin/$@"; }

# The block types that GGUF has.
gguf_types=$("$kerf" formats --json | python3 -c '
import json, sys
print(*(f["name"] for f in json.load(sys.stdin)["formats"] if f["writable"] and not f["plain"] and f["in_gguf"]))')
[ $# -gt 0 ] || set -- $gguf_types K4.5 K4 K3.5 K3 K2.5 K2

# our_cost FILE: perplexity and divergence
our_cost() {
  "$kerf" eval "$1" --base "$base" --text "$text" --chunks "$chunks" --threads "$threads" --json --quiet |
    python3 -c 'import json, sys; e = json.load(sys.stdin); print(e["perplexity"], e["kld_mean"])'
}
their_perplexity() {
  llama llama-perplexity -m "$1" -f "$text" -c 512 --chunks "$chunks" -t "$threads" 2>&1 |
    sed -n 's/.*Final estimate: PPL = \([0-9.]*\).*/\1/p'
}
row() { # NAME FILE THEIRS
  local bytes ours
  bytes=$(stat -c %s "$2")
  ours=$(our_cost "$2")
  python3 - "$1" "$bytes" $ours "$3" <<'PRINT'
import sys
name, size, ours, divergence, theirs = sys.argv[1:]
ratio = f"{float(ours) / float(theirs):.4f}" if theirs not in ("-", "failed") else ""
print(f"{name:<12} {int(size) / 1e6:>7.1f} {float(ours):>10.4f} {theirs:>10} {ratio:>7} {float(divergence):>9.4f}", flush=True)
PRINT
}

printf '%-12s %7s %10s %10s %7s %9s\n' type MB "PPL kerf" "PPL llama" ratio "KLD"
for name in "$@"; do
  "$kerf" quantize "$base" "$work/$name.gguf" --type "$name" --quiet >/dev/null
  theirs=- # llama.cpp does not read kerf's own types
  case " $gguf_types " in *" $name "*) theirs=$(their_perplexity "$work/$name.gguf") ;; esac
  row "$name" "$work/$name.gguf" "${theirs:-failed}"
  rm -f "$work/$name.gguf"
done
llama llama-quantize "$base" "$work/llama-q2_k.gguf" Q2_K "$threads" >/dev/null 2>&1
row "their Q2_K" "$work/llama-q2_k.gguf" "$(their_perplexity "$work/llama-q2_k.gguf")"
