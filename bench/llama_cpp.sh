# Sourced by the benches that stand kerf beside llama.cpp: finds its programs, or builds them once in the cache.
#
# LLAMA_CPP_BIN  folder with its programs; without it llama.cpp is built for this CPU
# LLAMA_CPP_SRC  its source; without it the source comes with the package llama-cpp-python $VERSION, through pip
# KERF           the program (build/release/bin/kerf)
# THREADS        threads of both (2)
VERSION=0.3.36
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
kerf=${KERF:-$root/build/release/bin/kerf}
threads=${THREADS:-2}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/kerf/llama-cpp-$VERSION

die() {
  echo "$(basename "$0"): $*" >&2
  exit 2
}

fetch_source() {
  mkdir -p "$cache"
  if [ ! -d "$cache/source" ]; then
    python3 -m pip download --quiet --no-deps --no-binary llama-cpp-python --dest "$cache" \
      "llama-cpp-python==$VERSION" >&2 || die "pip could not fetch the source; set LLAMA_CPP_SRC"
    tar -xzf "$cache/llama_cpp_python-$VERSION.tar.gz" -C "$cache"
    mv "$cache/llama_cpp_python-$VERSION/vendor/llama.cpp" "$cache/source"
  fi
  echo "$cache/source"
}

# build_llama_cpp PROGRAM...: prints the folder
build_llama_cpp() {
  local source program missing=()
  for program in "$@"; do [ -x "$cache/build/bin/$program" ] || missing+=("$program"); done
  if [ ${#missing[@]} -gt 0 ]; then
    source=${LLAMA_CPP_SRC:-$(fetch_source)}
    echo "building llama.cpp in $cache/build, which takes a while" >&2
    cmake -S "$source" -B "$cache/build" -DCMAKE_BUILD_TYPE=Release -DGGML_NATIVE=ON -DLLAMA_CURL=OFF \
      -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_SERVER=OFF >&2
    cmake --build "$cache/build" --target "${missing[@]}" --parallel "$threads" >&2
  fi
  echo "$cache/build/bin"
}

# find_llama_cpp PROGRAM...: sets llama_bin and makes its libraries findable
find_llama_cpp() {
  local program
  [ -x "$kerf" ] || die "no program at $kerf; build it or set KERF"
  llama_bin=${LLAMA_CPP_BIN:-$(build_llama_cpp "$@")}
  for program in "$@"; do [ -x "$llama_bin/$program" ] || die "no $program in $llama_bin"; done
  llama_libraries=$llama_bin${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
}
