#!/usr/bin/env bash
# Makes dist/splitsim-VERSION-linux-x86_64.tar.gz: executables, device tests, and the shared libraries they need that are neither
# glibc's nor CUDA's. It runs on an x86-64-v3 Linux machine with a glibc at least as new as that named in its README.
set -euo pipefail
source "$(dirname "$0")/common.sh"

preset=$(pick_preset "${1:-}")
[[ $preset == cuda ]] || say "no CUDA compiler: the bundle gets the CPU backend only"
build=$("$root/scripts/build.sh" "$preset")
version=$(sed -n 's/^project(splitsim VERSION \([0-9.]*\).*/\1/p' "$root/CMakeLists.txt")
name=splitsim-$version-linux-x86_64
stage=$root/dist/$name
rm -rf "$stage"
mkdir -p "$stage/lib" "$stage/licenses" "$stage/tests"
cmake --install "$build" --prefix "$stage" --strip >/dev/null
rm -f "$stage"/bin/{test_drivers,test_floors,test_faults,test_fuzz,config_keys_json} # they need the source tree
rm -rf "$stage/bin/splitsim-report" "$stage/share/splitsim/python"                               # it needs Python's packages

# glibc comes with the machine, CUDA with the driver's machine; everything else travels.
stays='^(linux-vdso|ld-linux|libc|libm|libdl|libpthread|librt|libresolv|libutil|libcuda|libcudart|libcublas|libcublasLt|libcudnn.*|libcurand|libnv.*)\.so|^(linux-vdso|ld-linux)'
while read -r library path; do
  [[ $library =~ $stays ]] && continue
  [[ -e $path ]] || die "$library is not found"
  cp -L "$path" "$stage/lib/$library"
  strip --strip-unneeded "$stage/lib/$library"
  package=$(dpkg-query -S "$(readlink -f "$path")" 2>/dev/null || dpkg-query -S "${path#/usr}" 2>/dev/null || true)
  package=${package%%:*}
  [[ -n $package && -e /usr/share/doc/$package/copyright ]] && cp "/usr/share/doc/$package/copyright" "$stage/licenses/$package"
done < <(ldd "$stage"/bin/* | awk '$2 == "=>" { print $1, $3 }' | sort -u)

cp "$root/profiling/gpu_check.sh" "$stage/"
cp -r "$root/tests/fixtures" "$stage/tests/"
rm -f "$stage"/tests/fixtures/*.py
cp -r "$root/experiments" "$stage/"

glibc=$(objdump -T "$stage"/bin/* "$stage"/lib/* | sed -n 's/.*GLIBC_\([0-9.]*\).*/\1/p' | sort -uV | tail -n 1)
commit=$(git -C "$root" describe --always --dirty --abbrev=12 2>/dev/null || echo unknown)
cat >"$stage/README.txt" <<TEXT
splitsim $version ($commit), preset $preset, for x86-64-v3 processors and glibc >= $glibc.

  ./gpu_check.sh                    tests, hashes, training and benchmark on this machine's GPU, in under 20 minutes
  ./gpu_check.sh --device cpu       the same without a GPU
  bin/splitsim-run --help           one experiment

Needed from the machine: an NVIDIA driver for CUDA 13 and cuBLAS 13. It is looked for in /usr/local/cuda/lib64 and on
LD_LIBRARY_PATH; gpu_check.sh also looks beside Python's packages (site-packages/nvidia/*/lib). lib/ holds Debian's
builds of the other libraries, with their licences in licenses/.
TEXT
tar -C "$root/dist" -czf "$root/dist/$name.tar.gz" "$name"
size=$(stat -c %s "$root/dist/$name.tar.gz")
say "dist/$name.tar.gz: $((size / 1000000)) MB, glibc >= $glibc"
((size < 60000000)) || die "the bundle is over 60 MB"
